import { afterEach, expect, test } from 'vitest'
import type { ConfigMap, Event } from '../../../src-main/api/generated/core-v1.ts'
import { configMaps, events, leases, namespaces } from '../../../src-main/api/resources.ts'
import { isConflict, isNotFound } from '../../../src-main/api/status-error.ts'
import type { Client } from '../../../src-main/client/client.ts'
import { createEventRecorder } from '../../../src-main/client/event-recorder.ts'
import { createInformer } from '../../../src-main/client/informers.ts'
import { startLeaderElection } from '../../../src-main/client/leader-election.ts'
import { createClient } from '../../../src-main/client/typed-client.ts'
import { expired } from '../../../src-main/api/status-error.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const map = (name: string, value = '1'): ConfigMap => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { value } })

test("writes with an old version conflict, missing objects are not found, and what was passed stays the caller's", async () => {
  cluster = await testCluster({ controllers: false })
  const client = cluster.client.resource(configMaps)
  const given = map('a')
  const made = await client.create(given)
  await client.update({ ...made, data: { value: '2' } })
  const faults = await Promise.all(
    [client.update({ ...made, data: { value: '3' } }), client.get('b', { namespace: 'default' })].map(p =>
      p.then(
        () => undefined,
        (fault: unknown) => fault,
      ),
    ),
  )
  expect({ given, conflict: isConflict(faults[0]), missing: isNotFound(faults[1]), value: (await client.get('a', { namespace: 'default' })).data }).toEqual({
    given: map('a'),
    conflict: true,
    missing: true,
    value: { value: '2' },
  })
})

test('an informer follows adds, updates and deletions, with indexes', async () => {
  cluster = await testCluster({ controllers: false })
  const client = cluster.client.resource(configMaps)
  await client.create(map('a'))
  const informer = createInformer(client, cluster.env, { namespace: 'default' })
  informer.addIndex('value', m => [m.data?.['value'] ?? ''])
  const seen: string[] = []
  informer.addHandlers({
    onAdd: m => {
      seen.push(`+${m.metadata.name ?? ''}`)
    },
    onUpdate: (m, p) => {
      seen.push(`${m.metadata.name ?? ''}:${p.data?.['value'] ?? ''}>${m.data?.['value'] ?? ''}`)
    },
    onDelete: m => {
      seen.push(`-${m.metadata.name ?? ''}`)
    },
  })
  await informer.synced
  await client.create(map('b'))
  await client.patch('a', 'merge', { data: { value: '2' } }, { namespace: 'default' })
  await client.delete('b', { namespace: 'default' })
  await cluster.env.settle()
  const found = { seen, byTwo: informer.byIndex('value', '2').map(m => m.metadata.name), byOne: informer.byIndex('value', '1'), kind: informer.get('default/a')?.kind }
  informer.stop()
  expect(found).toEqual({ seen: ['+a', '+b', 'a:1>2', '-b'], byTwo: ['a'], byOne: [], kind: 'ConfigMap' })
})

test('an informer that was cut off, and told that its revision is gone, lists anew and reports the differences once', async () => {
  cluster = await testCluster({ controllers: false })
  const direct = cluster.client.resource(configMaps)
  for (const name of ['kept', 'changed', 'removed']) await direct.create(map(name))
  let cut: (() => void) | undefined
  let down = false
  const flaky: Client = createClient(async request => {
    if (down) throw new Error('connection refused')
    const response = await cluster.client.raw(request)
    if (response.body.kind !== 'events') return response
    const events = response.body.events
    const broken = new Promise<never>((_, reject) => {
      cut = () => {
        reject(expired('too old resource version: 1 (2)'))
      }
    })
    broken.catch(() => {})
    async function* until() {
      const iterator = events[Symbol.asyncIterator]()
      for (;;) {
        const next = await Promise.race([iterator.next(), broken])
        if (next.done) return
        yield next.value
      }
    }
    return { ...response, body: { kind: 'events', events: until() } }
  })
  const informer = createInformer(flaky.resource(configMaps), cluster.env, { namespace: 'default' })
  await informer.synced
  await cluster.env.settle()
  const seen: string[] = []
  informer.addHandlers({
    onAdd: m => {
      seen.push(`+${m.metadata.name ?? ''}`)
    },
    onUpdate: m => {
      seen.push(`~${m.metadata.name ?? ''}`)
    },
    onDelete: m => {
      seen.push(`-${m.metadata.name ?? ''}`)
    },
  })
  seen.length = 0
  down = true
  cut?.()
  await cluster.env.settle()
  await direct.patch('changed', 'merge', { data: { value: '2' } }, { namespace: 'default' })
  await direct.delete('removed', { namespace: 'default' })
  await direct.create(map('new'))
  await cluster.env.advance(20_000)
  down = false
  await cluster.env.advance(60_000)
  informer.stop()
  expect({
    seen: seen.sort(),
    now: informer
      .list()
      .map(m => m.metadata.name)
      .sort(),
  }).toEqual({ seen: ['+new', '-removed', '~changed'], now: ['changed', 'kept', 'new'] })
})

test('events are counted when they repeat and combined when only their text differs', async () => {
  cluster = await testCluster({ controllers: false })
  const recorder = createEventRecorder({ client: cluster.client, env: cluster.env, events, component: 'test' })
  const object = await cluster.client.resource(configMaps).create(map('a'))
  for (let i = 0; i < 3; i++) recorder.event(object, 'Warning', 'Same', 'again')
  for (let i = 0; i < 13; i++) recorder.event(object, 'Normal', 'Differs', `message ${i}`)
  await recorder.flushed()
  const all = await cluster.list<Event>(events, 'default')
  const combined = all.filter(e => e.message?.startsWith('(combined from similar events): '))
  expect({
    same: all.filter(e => e.reason === 'Same').map(e => e.count),
    single: all.filter(e => e.reason === 'Differs').length - combined.length,
    combined: combined.map(e => [e.count, e.message]),
  }).toEqual({ same: [3], single: 10, combined: [[3, '(combined from similar events): message 12']] })
})

test('one object cannot be flooded with events', async () => {
  cluster = await testCluster({ controllers: false })
  const recorder = createEventRecorder({ client: cluster.client, env: cluster.env, events, component: 'test' })
  const object = await cluster.client.resource(configMaps).create(map('a'))
  for (let i = 0; i < 1000; i++) recorder.event(object, 'Warning', `Reason${i}`, 'text')
  await recorder.flushed()
  expect((await cluster.list<Event>(events, 'default')).length).toBe(25)
})

test('one leads, another takes over when it falls silent, and at once when it resigns', async () => {
  cluster = await testCluster({ controllers: false })
  await cluster.client.resource(namespaces).get('kube-system')
  const log: string[] = []
  const candidate = (identity: string, client: Client = cluster.client) =>
    startLeaderElection({
      client,
      env: cluster.env,
      leases,
      namespace: 'kube-system',
      name: 'leader',
      identity,
      lead: signal =>
        new Promise(resolve => {
          log.push(`${identity} leads`)
          signal.addEventListener('abort', () => {
            log.push(`${identity} stops`)
            resolve()
          })
        }),
    })
  let dead = false
  const mortal = createClient(request => (dead ? Promise.reject(new Error('unreachable')) : cluster.client.raw(request)))
  const a = candidate('a', mortal)
  await cluster.env.advance(1000)
  const b = candidate('b')
  await cluster.env.advance(60_000)
  dead = true
  await cluster.env.advance(60_000)
  const c = candidate('c')
  await cluster.env.advance(5000)
  await Promise.all([b.stop(), cluster.env.advance(1)])
  await cluster.env.advance(5000)
  await Promise.all([a.stop(), c.stop(), cluster.env.advance(1)])
  expect(log).toEqual(['a leads', 'a stops', 'b leads', 'b stops', 'c leads', 'c stops'])
})
