/** The audit trail: what a policy chooses, what events hold, and how the log is kept. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { createAuditor } from '../../../src-main/apiserver/audit/audit.ts'
import { openAuditLog } from '../../../src-main/apiserver/audit/log-file.ts'
import { parseAuditPolicy } from '../../../src-main/apiserver/audit/policy.ts'
import { requestInfo } from '../../../src-main/apiserver/request-info.ts'
import type { UserInfo } from '../../../src-main/api/request.ts'
import { testServer, type TestServer } from '../apiserver/cluster.ts'

const policy = (rules: string, more = ''): string => `apiVersion: audit.k8s.io/v1\nkind: Policy\n${more}rules:\n${rules}`
const ann: UserInfo = { name: 'ann', groups: ['ops'] }
const bob: UserInfo = { name: 'bob', groups: ['dev'] }

describe('a policy', () => {
  const level = (text: string, url: string, user: UserInfo | undefined = ann, method = 'GET'): string => parseAuditPolicy(text)(requestInfo(method, url), user).level

  test('is decided by its first rule that matches', () => {
    const text = policy(`
- { level: None, users: [bob], verbs: [get, list] }
- { level: RequestResponse, userGroups: [ops], resources: [ { group: apps, resources: [deployments, "replicasets/*"] } ] }
- { level: Request, resources: [ { group: "", resources: [secrets], resourceNames: [special] } ] }
- { level: Metadata, namespaces: [kube-system] }
- { level: Metadata, nonResourceURLs: ["/healthz*", /version] }`)
    expect([
      level(text, '/api/v1/pods', bob),
      level(text, '/api/v1/pods', bob, 'POST'),
      level(text, '/apis/apps/v1/deployments'),
      level(text, '/apis/apps/v1/namespaces/a/deployments/d/status'),
      level(text, '/apis/apps/v1/namespaces/a/replicasets/d/status'),
      level(text, '/apis/apps/v1/deployments', { name: 'x', groups: [] }),
      level(text, '/api/v1/namespaces/a/secrets/special'),
      level(text, '/api/v1/namespaces/a/secrets/other'),
      level(text, '/api/v1/namespaces/kube-system/pods'),
      level(text, '/healthz/ping'),
      level(text, '/version'),
      level(text, '/metrics'),
    ]).toEqual(['None', 'None', 'RequestResponse', 'None', 'RequestResponse', 'None', 'Request', 'None', 'Metadata', 'Metadata', 'Metadata', 'None'])
  })

  test.each([
    ['kind: Policy', 'kind Policy and apiVersion'],
    [policy('- { level: Everything }'), 'rules[0].level must be one of'],
    [policy('- { level: None, verbs: get }'), 'rules[0].verbs must be a list'],
    [policy('- { level: None, omitStages: [Never] }'), 'omitStages may name'],
    [policy('- { level: None, namespaces: [a], nonResourceURLs: [/b] }'), 'may not name both'],
    [policy('- { level: None, resources: [ { resourceNames: [a] } ] }'), 'need resources'],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []', 'has no rules'],
  ])('is refused when it is wrong: %s', (text, message) => {
    expect(() => parseAuditPolicy(text)).toThrow(message)
  })
})

interface AuditEvent {
  readonly stage: string
  readonly auditID: string
  readonly [field: string]: unknown
}

function audited(text: string, options: Parameters<typeof testServer>[0] = {}): { server: TestServer; events: AuditEvent[] } {
  const events: AuditEvent[] = []
  const auditor = createAuditor({ env: virtualEnv(), policy: parseAuditPolicy(text), sink: { write: line => void events.push(JSON.parse(line)) } })
  return { server: testServer({ audit: auditor, ...options }), events }
}
const url = '/api/v1/namespaces/default/configmaps'

describe('events', () => {
  test('at level Metadata name who did what, without bodies', async () => {
    const { server, events } = audited(policy('- { level: Metadata, resources: [ { group: "", resources: [configmaps] } ] }'))
    await server.create('/api/v1/namespaces', { metadata: { name: 'default' } })
    const answer = await server.create(url, { metadata: { name: 'c' }, data: { k: 'canary' } })
    expect(events.map(event => event.stage)).toEqual(['RequestReceived', 'ResponseComplete'])
    expect(events[1]).toEqual({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: answer.headers['audit-id'],
      stage: 'ResponseComplete',
      requestURI: url,
      verb: 'create',
      user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
      userAgent: 'test/1',
      objectRef: { resource: 'configmaps', namespace: 'default', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      requestReceivedTimestamp: expect.any(String),
      stageTimestamp: expect.any(String),
    })
    expect(JSON.stringify(events)).not.toContain('canary')
  })

  test('at level RequestResponse hold both bodies, without managers where that is asked', async () => {
    const { server, events } = audited(
      policy('- { level: RequestResponse, verbs: [create], resources: [ { group: "", resources: [configmaps] } ], omitStages: [RequestReceived] }', 'omitManagedFields: true\n'),
    )
    await server.create('/api/v1/namespaces', { metadata: { name: 'default' } })
    await server.create(url, { metadata: { name: 'c' }, data: { k: 'v' } })
    expect(events).toMatchObject([
      { stage: 'ResponseComplete', requestObject: { data: { k: 'v' } }, responseObject: { kind: 'ConfigMap', metadata: { name: 'c', uid: expect.any(String) } } },
    ])
    expect(JSON.stringify(events)).not.toContain('managedFields')
  })

  test('tell of refusals with their reason, and of decisions', async () => {
    const { server, events } = audited(policy('- { level: Request, omitStages: [RequestReceived] }'), {
      authorizer: {
        authorize: attributes => Promise.resolve(attributes.verb === 'delete' ? { allowed: false, reason: 'no rule' } : { allowed: true, reason: 'RBAC: allowed by a binding' }),
        rulesFor: () => Promise.reject(new Error('not asked')),
      },
    })
    await server.call('GET', `${url}/none`)
    await server.call('DELETE', `${url}/none`)
    expect(events).toMatchObject([
      {
        responseStatus: { code: 404, status: 'Failure', reason: 'NotFound', message: 'configmaps "none" not found' },
        annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': 'RBAC: allowed by a binding' },
      },
      { responseStatus: { code: 403, reason: 'Forbidden' }, annotations: { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': 'no rule' } },
    ])
  })

  test('tell of who could not be authenticated', async () => {
    const { server, events } = audited(policy('- { level: Metadata }'))
    await server.server.handle({ method: 'GET', url, headers: {}, peer: { address: '10.1.2.3' } })
    expect(events).toMatchObject([{ stage: 'ResponseStarted', user: {}, sourceIPs: ['10.1.2.3'], responseStatus: { code: 401, message: 'Authentication failed' } }])
  })

  test('of a watch begin with its answer and end with its stream', async () => {
    const { server, events } = audited(policy('- { level: Metadata, verbs: [watch] }'))
    const answer = await server.call('GET', `${url}?watch=true`)
    const before = events.map(event => event.stage)
    const { body } = answer.response
    if (body.kind === 'stream') {
      const iterator = body.chunks[Symbol.asyncIterator]()
      await server.create('/api/v1/namespaces', { metadata: { name: 'default' } })
      await server.create(url, { metadata: { name: 'c' } })
      await iterator.next()
      await iterator.return?.()
    }
    expect([before, events.map(event => event.stage)]).toEqual([
      ['RequestReceived', 'ResponseStarted'],
      ['RequestReceived', 'ResponseStarted', 'ResponseComplete'],
    ])
  })

  test('of a long list leave its length and its bytes alone', async () => {
    const plain = testServer()
    const { server } = audited(policy('- { level: Metadata }'))
    for (const one of [plain, server]) {
      await one.create('/api/v1/namespaces', { metadata: { name: 'default' } })
      for (let i = 0; i < 40; i++) await one.create(url, { metadata: { name: `c${i}` }, data: { k: `${i}`.repeat(20_000) } })
    }
    const read = async (one: TestServer): Promise<{ length: number | undefined; names: string[] }> => {
      const { body } = await one.server.handle({ method: 'GET', url, headers: {}, user: ann, reusesChunks: true })
      const parts: Buffer[] = []
      if (body.kind === 'stream') for await (const chunk of body.chunks) parts.push(Buffer.from(chunk))
      if (body.kind === 'bytes') parts.push(...body.chunks.map(chunk => Buffer.from(chunk)))
      const bytes = Buffer.concat(parts)
      const { items } = JSON.parse(bytes.toString()) as { items: { metadata: { name: string } }[] }
      return { length: body.kind === 'stream' ? body.length : bytes.length, names: items.map(item => item.metadata.name) }
    }
    const [without, beside] = [await read(plain), await read(server)]
    expect({ sameNames: beside.names.join() === without.names.join(), hasLength: beside.length !== undefined }).toEqual({ sameNames: true, hasLength: true })
  })

  test('leave large bodies out and say so', async () => {
    const { server, events } = audited(policy('- { level: Request, verbs: [create], omitStages: [RequestReceived] }'))
    await server.create(url, { metadata: { name: 'c' }, data: { k: 'x'.repeat(1_100_000) } })
    expect({ annotations: events[0]?.['annotations'], object: events[0]?.['requestObject'] }).toEqual({ annotations: { 'audit.k8s.io/truncated': 'true' }, object: undefined })
  })
})

describe('the log', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'quarterdeck-audit-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test('keeps lines in order and goes on with the same file', async () => {
    const path = join(directory, 'sub', 'audit.log')
    const env = virtualEnv()
    const first = await openAuditLog({ env, path })
    for (let i = 0; i < 100; i++) first.write(`{"n":${i}}`)
    await first.close()
    const second = await openAuditLog({ env, path })
    second.write('{"n":100}')
    await second.close()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    expect({ count: lines.length, last: lines.at(-1), ordered: lines.every((line, i) => line === `{"n":${i}}`), mode: (await stat(path)).mode & 0o777 }).toEqual({
      count: 101,
      last: '{"n":100}',
      ordered: true,
      mode: 0o600,
    })
  })

  test('is renamed when it is full, and old files go by number and by age', async () => {
    const path = join(directory, 'audit.log')
    const env = virtualEnv()
    const log = await openAuditLog({ env, path, maxBytes: 1_000, maxBackups: 3, maxAgeDays: 2 })
    for (let day = 0; day < 6; day++) {
      log.write(`${day}`.repeat(600))
      await log.flush()
      env.jump(12 * 3_600_000)
    }
    const byNumber = (await readdir(directory)).length
    env.jump(3 * 86_400_000)
    log.write('x'.repeat(600))
    await log.close()
    expect({ byNumber, left: await readdir(directory), newest: (await readFile(path, 'utf8'))[0] }).toEqual({
      byNumber: 4,
      left: [expect.stringMatching(/^audit-2026-01-07T.*\.log$/), 'audit.log'],
      newest: 'x',
    })
  })

  test('counts what the disk did not take, and recovers', async () => {
    const path = join(directory, 'gone', 'audit.log')
    const log = await openAuditLog({ env: virtualEnv(), path, maxBytes: 10 })
    log.write('first line')
    await log.flush()
    await rm(join(directory, 'gone'), { recursive: true })
    log.write('lost line')
    await log.flush()
    expect({ dropped: log.dropped, written: log.written }).toEqual({ dropped: 1, written: 1 })
    await log.close()
  })
})
