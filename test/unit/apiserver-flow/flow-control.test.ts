/** Priority and fairness: who is put where, who waits, who is refused, and what a flood leaves to others. */
import { beforeEach, describe, expect, test } from 'vitest'
import { virtualEnv, type VirtualEnv } from '../../../src-main/base/virtual-env.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import type { Store } from '../../../src-main/store/store.ts'
import { liveCopies, type LiveCopies } from '../../../src-main/apiserver/live-copy.ts'
import { requestInfo } from '../../../src-main/apiserver/request-info.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '../../../src-main/api/request.ts'
import { createFlowControl, type FlowControl, type FlowControlOptions, type Ticket } from '../../../src-main/apiserver/flow-control/flow-control.ts'
import { holdUntilSent } from '../../../src-main/apiserver/flow-control/hold.ts'
import { flowControlDebugHandler } from '../../../src-main/apiserver/flow-control/debug.ts'
import { dealHand, QueueSet } from '../../../src-main/apiserver/flow-control/queue-set.ts'
import { allocate, seatBounds } from '../../../src-main/apiserver/flow-control/allocation.ts'
import { RetryAfter } from '../../../src-main/apiserver/flow-control/retry-after.ts'

const admin: UserInfo = { name: 'root', groups: ['system:masters', 'system:authenticated'] }
const someone = (name: string): UserInfo => ({ name, groups: ['team', 'system:authenticated'] })

const level = (name: string, limited: object): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name, uid: `level-${name}` },
  spec: { type: 'Limited', limited: { nominalConcurrencyShares: 10, limitResponse: { type: 'Reject' }, ...limited } },
})
const queued = (queues: object = {}): object => ({ limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 2, queueLengthLimit: 3, ...queues } } })

const schema = (name: string, to: string, precedence: number, rule: object = {}): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name, uid: `schema-${name}` },
  spec: {
    matchingPrecedence: precedence,
    priorityLevelConfiguration: { name: to },
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [{ kind: 'Group', group: { name: 'team' } }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
        ...rule,
      },
    ],
  },
})

let env: VirtualEnv
let store: Store
let copies: LiveCopies

beforeEach(() => {
  env = virtualEnv()
  store = memoryStore(env)
  copies = liveCopies(store)
})

async function put(plural: 'flowschemas' | 'prioritylevelconfigurations', ...objects: object[]): Promise<void> {
  for (const object of objects) {
    const { name } = (object as { metadata: { name: string } }).metadata
    await store.put(`/flowcontrol.apiserver.k8s.io/${plural}//${name}`, object as never, { any: true })
  }
}

async function started(options: Partial<FlowControlOptions> = {}): Promise<FlowControl> {
  const made = createFlowControl({ env, store, copies, seats: 10, ...options })
  await copies.ready
  return made
}

async function ask(control: FlowControl, user: UserInfo, url = '/api/v1/namespaces/a/pods/p', more: Partial<ApiRequest> = {}): Promise<Ticket | ApiResponse> {
  const request: ApiRequest = { method: 'GET', url, headers: {}, ...more }
  return control.admit(request, requestInfo(request.method, url), user)
}

const isTicket = (one: Ticket | ApiResponse): one is Ticket => 'release' in one
const headersOf = (one: Ticket | ApiResponse): unknown => ({ schema: one.headers['x-kubernetes-pf-flowschema-uid'], level: one.headers['x-kubernetes-pf-prioritylevel-uid'] })

describe('classification', () => {
  test('takes the first schema by precedence, then by name, that matches user and request', async () => {
    await put('prioritylevelconfigurations', level('one', {}), level('two', {}))
    await put(
      'flowschemas',
      schema('b-late', 'one', 500),
      schema('a-early', 'two', 500, { resourceRules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'], namespaces: ['*'] }] }),
      schema('gone', 'nowhere', 1),
    )
    const control = await started()
    expect([headersOf(await ask(control, someone('x'), '/api/v1/namespaces/a/pods')), headersOf(await ask(control, someone('x'))), headersOf(await ask(control, admin))]).toEqual([
      { schema: 'schema-a-early', level: 'level-two' },
      { schema: 'schema-b-late', level: 'level-one' },
      { schema: '', level: '' },
    ])
  })

  test('knows service accounts, sub-resources, cluster scope and paths', async () => {
    await put('prioritylevelconfigurations', level('one', {}))
    const accounts = { subjects: [{ kind: 'ServiceAccount', serviceAccount: { namespace: 'ops', name: '*' } }] }
    await put(
      'flowschemas',
      schema('status', 'one', 10, { ...accounts, resourceRules: [{ verbs: ['get'], apiGroups: ['*'], resources: ['pods/status'], namespaces: ['a'] }] }),
      schema('nodes', 'one', 20, { ...accounts, resourceRules: [{ verbs: ['*'], apiGroups: [''], resources: ['nodes'], clusterScope: true }] }),
      schema('paths', 'one', 30, { ...accounts, resourceRules: [], nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/livez/*', '/version'] }] }),
    )
    const control = await started()
    const robot: UserInfo = { name: 'system:serviceaccount:ops:robot', groups: ['system:authenticated'] }
    const at = async (url: string): Promise<unknown> => (headersOf(await ask(control, robot, url)) as { schema: string }).schema
    expect([
      await at('/api/v1/namespaces/a/pods/p/status'),
      await at('/api/v1/nodes'),
      await at('/livez/ping'),
      await at('/version'),
      await at('/api/v1/namespaces/a/pods/p'),
    ]).toEqual(['schema-status', 'schema-nodes', 'schema-paths', 'schema-paths', ''])
  })

  test('follows changes of the objects', async () => {
    await put('prioritylevelconfigurations', level('one', {}), level('two', {}))
    await put('flowschemas', schema('all', 'one', 500))
    const control = await started()
    const before = headersOf(await ask(control, someone('x')))
    await put('flowschemas', schema('all', 'two', 500))
    expect([before, headersOf(await ask(control, someone('x')))]).toEqual([
      { schema: 'schema-all', level: 'level-one' },
      { schema: 'schema-all', level: 'level-two' },
    ])
  })
})

test('schemas say whether their level is there', async () => {
  await put('prioritylevelconfigurations', level('one', {}))
  await put('flowschemas', schema('all', 'one', 500), schema('gone', 'nowhere', 501))
  const control = await started()
  const dangling = async (name: string): Promise<unknown> => {
    const entry = await store.get(`/flowcontrol.apiserver.k8s.io/flowschemas//${name}`)
    const object = entry?.object as { status?: { conditions: { status: string; reason: string }[] } } | undefined
    return object?.status?.conditions.map(one => `${one.status} ${one.reason}`)
  }
  await ask(control, someone('x'))
  await env.advance(1_001)
  const before = [await dangling('all'), await dangling('gone')]
  await put('prioritylevelconfigurations', level('nowhere', {}))
  await ask(control, someone('x'))
  await env.advance(1_001)
  expect([before, await dangling('gone')]).toEqual([[['False Found'], ['True NotFound']], ['False Found']])
})

describe('a level', () => {
  test('without queues refuses what finds no seat, and says when to come again', async () => {
    await put('prioritylevelconfigurations', level('one', { nominalConcurrencyShares: 5 }))
    await put('flowschemas', schema('all', 'one', 500))
    const control = await started() // catch-all has five shares too, so five seats each
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(control, someone('x'))))
    const refused = answers[5] as ApiResponse
    expect({
      taken: answers.filter(isTicket).length,
      status: refused.status,
      retry: refused.headers['retry-after'],
      level: refused.headers['x-kubernetes-pf-prioritylevel-uid'],
    }).toEqual({
      taken: 5,
      status: 429,
      retry: '1',
      level: 'level-one',
    })
    for (const one of answers) if (isTicket(one)) one.release()
    expect(isTicket(await ask(control, someone('x')))).toBe(true)
  })

  test('lets the exempt pass whatever else there is', async () => {
    const control = await started()
    const answers = await Promise.all(Array.from({ length: 500 }, () => ask(control, admin)))
    expect(answers.every(isTicket)).toBe(true)
  })

  test('with queues makes a flood wait, then refuses it; others are served before it', async () => {
    await put('prioritylevelconfigurations', level('one', { nominalConcurrencyShares: 5, ...queued() }))
    await put('flowschemas', schema('all', 'one', 500))
    const control = await started()
    const flood = Array.from({ length: 20 }, () => ask(control, someone('flood')))
    const served: string[] = []
    void flood.map(async (one, i) => {
      const answer = await one
      served.push(isTicket(answer) ? `flood ${i}` : 'refused')
    })
    await env.settle()
    // Five seats, two queues of three: what is more is refused at once.
    expect(served.filter(one => one === 'refused')).toHaveLength(9)
    const other = ask(control, someone('other')).then(answer => {
      served.push(isTicket(answer) ? 'other' : 'refused')
    })
    await env.settle()
    const first = (await flood[0]) as Ticket
    await env.advance(50)
    const before = served.length
    first.release()
    await env.settle()
    expect(served.slice(before)).toEqual(['other'])
    await other
  })

  test('gives up on requests that wait too long or whose client went away', async () => {
    await put('prioritylevelconfigurations', level('one', { nominalConcurrencyShares: 5, ...queued() }))
    await put('flowschemas', schema('all', 'one', 500))
    const control = await started({ waitMs: 1_000 })
    const held = await Promise.all(Array.from({ length: 5 }, () => ask(control, someone('x'))))
    const abort = new AbortController()
    const late = ask(control, someone('x'))
    const gone = ask(control, someone('x'), undefined, { signal: abort.signal })
    await env.settle()
    abort.abort()
    await env.advance(1_001)
    const set = control.levels().find(one => one.name === 'one')?.set
    expect({
      held: held.every(isTicket),
      answers: [(await late) as ApiResponse, (await gone) as ApiResponse].map(one => one.status),
      timedOut: set?.timedOut,
      cancelled: set?.cancelled,
      waiting: set?.waiting,
    }).toEqual({
      held: true,
      answers: [429, 429],
      timedOut: 1,
      cancelled: 1,
      waiting: 0,
    })
  })

  test('lends seats that it does not use, and takes them back', async () => {
    await put(
      'prioritylevelconfigurations',
      level('busy', { nominalConcurrencyShares: 5, ...queued({ queueLengthLimit: 100 }) }),
      level('idle', { nominalConcurrencyShares: 10, lendablePercent: 100 }),
    )
    await put('flowschemas', schema('all', 'busy', 500))
    const control = await started({ seats: 20, waitMs: 120_000 })
    const asked = Array.from({ length: 60 }, () => ask(control, someone('x')))
    await env.settle()
    const limits = (): Record<string, number> => Object.fromEntries(control.levels().flatMap(one => (one.isExempt ? [] : [[one.name, one.set.limit]])))
    const before = limits()
    await env.advance(10_001)
    const after = limits()
    expect({ before, after }).toEqual({ before: { busy: 5, 'catch-all': 5, idle: 10 }, after: { busy: 15, 'catch-all': 5, idle: 0 } })
    void asked
  })

  test('charges a list for what it reads', async () => {
    await put('prioritylevelconfigurations', level('one', { nominalConcurrencyShares: 100, ...queued() }))
    await put('flowschemas', schema('all', 'one', 500))
    for (let i = 0; i < 450; i++) await store.put(`/core/pods/a/p${i}`, { metadata: {} } as never, { absent: true })
    const control = await started({ seats: 105 })
    const width = async (url: string): Promise<number | undefined> => {
      const ticket = (await ask(control, someone('x'), url)) as Ticket
      const seats = [...(control.levels().find(one => one.name === 'one')?.set.executing ?? [])][0]?.seats
      ticket.release()
      return seats
    }
    expect([await width('/api/v1/pods'), await width('/api/v1/namespaces/b/pods'), await width('/api/v1/pods?limit=200'), await width('/api/v1/namespaces/a/pods/p1')]).toEqual([
      5, 1, 2, 1,
    ])
  })
})

test('a level has no more queues than memory bears, whatever its configuration asks for', async () => {
  await put('prioritylevelconfigurations', level('one', queued({ queues: 10_000_000, handSize: 10_000_000 })))
  await put('flowschemas', schema('all', 'one', 500))
  const control = await started()
  await ask(control, someone('x'))
  const one = control.levels().find(({ name }) => name === 'one')
  expect([one?.set.queues.length, one?.handSize]).toEqual([4_096, 4_096])
})

test('the dumps show levels, queues and requests', async () => {
  await put('prioritylevelconfigurations', level('one', { nominalConcurrencyShares: 5, ...queued() }))
  await put('flowschemas', schema('all', 'one', 500))
  const control = await started()
  for (let i = 0; i < 6; i++) void ask(control, someone('x'))
  await env.settle()
  const handler = flowControlDebugHandler(control, () => ({ wallMs: env.clock.now(), awakeMs: env.clock.awakeMs() }))
  const dump = async (path: string): Promise<string> => {
    const url = `/debug/api_priority_and_fairness/${path}`
    const answer = await handler({ request: { method: 'GET', url, headers: {} }, info: requestInfo('GET', url), user: admin, warn: () => {} })
    return answer?.body.kind === 'bytes' ? Buffer.concat(answer.body.chunks).toString() : ''
  }
  const levels = await dump('dump_priority_levels')
  const requests = await dump('dump_requests?includeRequestDetails=1')
  expect({
    levels: /^one,\s+1,\s+false,\s+false,\s+1,\s+5,\s+5,\s+0,\s+0,\s+0$/m.test(levels),
    queues: (await dump('dump_queues')).split('\n').length,
    lines: requests.split('\n').length,
  }).toEqual({ levels: true, queues: 10, lines: 8 })
  expect(requests).toMatch(/one,\s+all,\s+\d,\s+0,\s+x,\s+\S+,\s+1,\s+0,\s+0s,\s+0001-01-01T00:00:00Z,\s+x,\s+get,\s+\/api\/v1\/namespaces\/a\/pods\/p,/)
  expect(control.metrics.print(control.levels()).join('\n')).toContain('apiserver_flowcontrol_current_inqueue_requests{priority_level="one",flow_schema="all"} 1')
})

describe('the seats of a large answer', () => {
  const chunks = [new Uint8Array(200_000), new Uint8Array(100_000)]
  const large: ApiResponse = { status: 200, headers: { a: 'b' }, body: { kind: 'bytes', chunks } }
  const ticket = (): Ticket & { released: number } => ({
    released: 0,
    headers: { c: 'd' },
    release() {
      this.released++
    },
  })

  test('are held until it is read to its end', async () => {
    const own = ticket()
    const { body, headers } = holdUntilSent(own, { method: 'GET', url: '/', headers: {} }, large, false, virtualEnv().clock)
    const before = own.released
    let read = 0
    if (body.kind === 'stream') for await (const chunk of body.chunks) read += chunk.length
    expect({ before, read, length: body.kind === 'stream' ? body.length : 0, after: own.released, headers }).toEqual({
      before: 0,
      read: 300_000,
      length: 300_000,
      after: 1,
      headers: { a: 'b', c: 'd' },
    })
  })

  test('come back once when the client goes away, read or not', async () => {
    const own = ticket()
    const abort = new AbortController()
    const { body } = holdUntilSent(own, { method: 'GET', url: '/', headers: {}, signal: abort.signal }, large, false, virtualEnv().clock)
    abort.abort()
    const unread = own.released
    if (body.kind === 'stream') for await (const _chunk of body.chunks) break
    expect([unread, own.released]).toEqual([1, 1])
  })

  test('come back from a reader that stalls, once', async () => {
    const own = ticket()
    const env = virtualEnv()
    const { body } = holdUntilSent(own, { method: 'GET', url: '/', headers: {} }, large, false, env.clock)
    await env.advance(59_000)
    const before = own.released
    await env.advance(2_000)
    const stalled = own.released
    if (body.kind === 'stream') for await (const _chunk of body.chunks) continue
    expect([before, stalled, own.released]).toEqual([0, 1, 1])
  })

  test('of small answers and of watches come back at once', () => {
    const own = ticket()
    holdUntilSent(own, { method: 'GET', url: '/', headers: {} }, { status: 200, headers: {}, body: { kind: 'bytes', chunks: [new Uint8Array(10)] } }, false, virtualEnv().clock)
    const endless = (async function* () {})() as AsyncIterable<Uint8Array>
    holdUntilSent(own, { method: 'GET', url: '/', headers: {} }, { status: 200, headers: {}, body: { kind: 'stream', chunks: endless } }, true, virtualEnv().clock)
    expect(own.released).toBe(2)
  })
})

describe('fair queues', () => {
  test('give two flows of unlike appetite the same seat time', async () => {
    const set = new QueueSet(env.clock)
    set.configure({ queues: 16, handSize: 1, queueLengthLimit: 1_000 })
    set.setLimit(2)
    const done = { greedy: 0, modest: 0 }
    const flows = [
      { name: 'greedy', width: 1, count: 400, ms: 40 },
      { name: 'modest', width: 1, count: 100, ms: 10 },
    ] as const
    expect(dealHand('greedy', 16, 1)).not.toEqual(dealHand('modest', 16, 1))
    for (const flow of flows)
      for (let i = 0; i < flow.count; i++)
        void Promise.resolve(set.take(flow.name, { flowSchema: '', distinguisher: '', seats: flow.width, about: {} }, { timeoutMs: 1e9, client: {} })).then(async seat => {
          if (typeof seat === 'string') return
          await env.clock.sleep(flow.ms)
          done[flow.name] += flow.ms
          set.release(seat)
        })
    for (let i = 0; i < 180; i++) await env.advance(10)
    // 3.6 seat-seconds were given out; the modest flow asked for one of them and got it in time.
    expect(done.modest).toBe(1_000)
    expect(done.greedy).toBeGreaterThan(2_000)
  })

  test('deal hands without repetition, each the same for the same flow', () => {
    const hand = dealHand('a flow', 64, 8)
    expect({ size: new Set(hand).size, again: dealHand('a flow', 64, 8), inside: hand.every(index => index >= 0 && index < 64) }).toEqual({ size: 8, again: hand, inside: true })
  })
})

describe('allocation', () => {
  test('gives seats by shares, and bounds by what is lendable and may be borrowed', () => {
    const bounds = seatBounds(
      [level('a', { nominalConcurrencyShares: 30, lendablePercent: 50 }), level('b', { nominalConcurrencyShares: 10, borrowingLimitPercent: 20 })] as never,
      100,
    )
    expect([...bounds]).toEqual([
      ['a', { nominal: 75, least: 37, most: 100 }],
      ['b', { nominal: 25, least: 25, most: 30 }],
    ])
  })

  test('never gives more than there is when all want all', () => {
    const bounds = { nominal: 50, least: 10, most: 100 }
    const claims = [
      { bounds, highest: 500, smoothed: 500 },
      { bounds, highest: 500, smoothed: 300 },
    ]
    expect(allocate(claims, 100)).toEqual([50, 50])
    expect(
      allocate(
        [
          { bounds, highest: 90, smoothed: 90 },
          { bounds, highest: 5, smoothed: 5 },
        ],
        100,
      ),
    ).toEqual([90, 10])
  })
})

test('the time to come again grows while refusals go on and falls when they end', () => {
  const retry = new RetryAfter()
  const said = Array.from({ length: 40 }, (_, second) => {
    let seconds = 0
    for (let i = 0; i < 100; i++) seconds = retry.note(second * 1_000 + i)
    return seconds
  })
  const late = [100, 140, 180, 220].map(second => retry.note(second * 1_000))
  expect({ first: said[0], grows: (said.at(-1) ?? 0) > 4, falls: (late.at(-1) ?? 99) < (said.at(-1) ?? 0) }).toEqual({ first: 1, grows: true, falls: true })
})
