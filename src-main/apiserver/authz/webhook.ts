/** An authorizer elsewhere: it gets a SubjectAccessReview. What it cannot be asked, it has no opinion on. */
import { isObject } from '../../api/json.ts'
import type { Env } from '../../base/env.ts'
import { AnswerCache } from '../answer-cache.ts'
import type { Attributes, Authorizer, Decision } from '../contracts.ts'
import type { RemoteJson } from '../remote-json.ts'

/** As upstream's defaults. */
const KEEP_ALLOWED_MS = 300_000
const KEEP_REFUSED_MS = 30_000
const KEPT_ANSWERS = 8_192

export function createAuthorizationWebhook(options: { env: Env; remote: RemoteJson; path: string }): Authorizer {
  const cache = new AnswerCache<Decision>(options.env.clock, KEPT_ANSWERS)

  async function ask(spec: object): Promise<Decision> {
    const answer = await options.remote.ask(options.path, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: { creationTimestamp: null },
      spec,
      status: { allowed: false },
    })
    const status = isObject(answer) && isObject(answer['status']) ? answer['status'] : {}
    const reason = typeof status['reason'] === 'string' ? status['reason'] : ''
    if (status['allowed'] === true && status['denied'] === true) throw new Error('the webhook both allowed and denied')
    return status['allowed'] === true ? { allowed: true, reason } : { allowed: false, reason, ...(status['denied'] === true ? { denied: true } : {}) }
  }

  return {
    authorize(attributes) {
      const spec = specOf(attributes)
      return cache
        .get(
          JSON.stringify(spec),
          () => ask(spec),
          decision => (decision.allowed ? KEEP_ALLOWED_MS : KEEP_REFUSED_MS),
        )
        .catch((fault: unknown) => {
          options.env.log.log('warn', 'the authorization webhook could not be asked', { fault: String(fault) })
          return { allowed: false, reason: '' }
        })
    },
    rulesFor: () => Promise.resolve({ resourceRules: [], nonResourceRules: [], incomplete: true, evaluationError: 'webhook authorizer does not support user rule resolution' }),
  }
}

function specOf(a: Attributes): object {
  const { user } = a
  const given = (fields: Readonly<Record<string, string>>): object => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))
  return {
    ...(a.isResource
      ? { resourceAttributes: given({ namespace: a.namespace, verb: a.verb, group: a.group, version: a.version, resource: a.resource, subresource: a.subresource, name: a.name }) }
      : { nonResourceAttributes: { path: a.path, verb: a.verb } }),
    user: user.name,
    groups: user.groups,
    ...(user.extra ? { extra: user.extra } : {}),
    ...(user.uid ? { uid: user.uid } : {}),
  }
}
