/** What others add to audit events, and events of who asked to be another and may not. */
import { expect, test } from 'vitest'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { createAuditor } from '../../../src-main/apiserver/audit/audit.ts'
import { parseAuditPolicy } from '../../../src-main/apiserver/audit/policy.ts'
import { requestInfo } from '../../../src-main/apiserver/request-info.ts'
import { forbiddenError } from '../../../src-main/apiserver/authz/forbidden.ts'
import { testServer } from '../apiserver/cluster.ts'

interface Written {
  readonly annotations?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

function auditorOf(level: string): { auditor: ReturnType<typeof createAuditor>; events: Written[] } {
  const events: Written[] = []
  const policy = parseAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- { level: ${level}, omitStages: [RequestReceived] }`)
  return { events, auditor: createAuditor({ env: virtualEnv(), policy, sink: { write: line => void events.push(JSON.parse(line)) } }) }
}

const url = '/api/v1/namespaces/default/secrets'
const user = { name: 'ann', groups: ['ops'] }

test.each([
  ['Metadata', { 'mutation.webhook.admission.k8s.io/round_0_index_0': 'm', 'audit.k8s.io/truncated': 'true' }],
  ['Request', { 'mutation.webhook.admission.k8s.io/round_0_index_0': 'm', 'patch.webhook.admission.k8s.io/round_0_index_0': 'p', 'audit.k8s.io/truncated': 'true' }],
])('at level %s events hold patches only where they hold bodies, and no value without bound', (level, annotations) => {
  const { auditor, events } = auditorOf(level)
  const audited = auditor.receive({ request: { method: 'POST', url, headers: {} }, info: requestInfo('POST', url), user, impersonated: undefined, receivedMs: 0 })
  audited?.annotate('mutation.webhook.admission.k8s.io/round_0_index_0', 'm')
  audited?.annotate('patch.webhook.admission.k8s.io/round_0_index_0', 'p')
  audited?.annotate('example.com/large', 'x'.repeat(100_000))
  audited?.respond({ status: 201, headers: {}, body: { kind: 'none' } })
  expect(events.map(event => event.annotations)).toEqual([annotations])
})

test('a refused impersonation is an event of the user who asked', async () => {
  const { auditor, events } = auditorOf('Metadata')
  const refusal = forbiddenError({ ...requestInfo('GET', '/api/v1/users'), verb: 'impersonate', user }, '')
  const server = testServer({
    audit: auditor,
    authorizer: { authorize: () => Promise.resolve({ allowed: true, reason: '' }), rulesFor: () => Promise.reject(new Error('not asked')) },
    impersonate: () => Promise.reject(refusal),
  })
  const answer = await server.server.handle({ method: 'GET', url, headers: { 'impersonate-user': 'root' }, user })
  expect([answer.status, events]).toMatchObject([403, [{ stage: 'ResponseComplete', user: { username: 'ann' }, responseStatus: { code: 403 } }]])
})
