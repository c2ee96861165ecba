/** Bearer tokens that a webhook knows: it gets a TokenReview and says whose the token is. */
import { createHash } from 'node:crypto'
import { isObject } from '../../api/json.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import { AnswerCache } from '../answer-cache.ts'
import type { RemoteJson } from '../remote-json.ts'
import type { TokenAuthenticator } from './authenticator.ts'

/** As upstream's default; wrong tokens are asked again sooner. */
const KEEP_MS = 120_000
const KEEP_WRONG_MS = 10_000
const KEPT_TOKENS = 2_000

export function createTokenWebhook(options: { env: Env; remote: RemoteJson; path: string; audiences: readonly string[] }): TokenAuthenticator {
  const cache = new AnswerCache<UserInfo | undefined>(options.env.clock, KEPT_TOKENS)

  async function ask(token: string, audiences: readonly string[]): Promise<UserInfo | undefined> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: { creationTimestamp: null }, spec: { token, audiences }, status: { user: {} } }
    const answer = await options.remote.ask(options.path, review)
    const status = isObject(answer) && isObject(answer['status']) ? answer['status'] : {}
    if (status['authenticated'] !== true || !isObject(status['user'])) return undefined
    // A webhook that does not know audiences vouches for the API's own alone.
    const vouched = Array.isArray(status['audiences']) ? status['audiences'] : options.audiences
    if (!audiences.some(audience => vouched.includes(audience))) return undefined
    return userOf(status['user'])
  }

  return {
    verify: (token, audiences) => {
      const wanted = audiences.length === 0 ? options.audiences : audiences
      const question = createHash('sha256').update(token).update('\0').update(wanted.join('\0')).digest('base64')
      return cache
        .get(
          question,
          () => ask(token, wanted),
          user => (user ? KEEP_MS : KEEP_WRONG_MS),
        )
        .catch((fault: unknown) => {
          options.env.log.log('warn', 'the token webhook could not be asked', { fault: String(fault) })
          return undefined
        })
    },
  }
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter(one => typeof one === 'string') : [])

function userOf(user: Readonly<Record<string, unknown>>): UserInfo | undefined {
  const { username, uid, extra } = user
  if (typeof username !== 'string' || username === '') return undefined
  return {
    name: username,
    groups: texts(user['groups']),
    ...(typeof uid === 'string' && uid !== '' ? { uid } : {}),
    ...(isObject(extra) ? { extra: Object.fromEntries(Object.entries(extra).map(([key, value]) => [key, texts(value)])) } : {}),
  }
}
