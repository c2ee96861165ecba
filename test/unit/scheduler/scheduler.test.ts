import { afterEach, expect, test } from 'vitest'
import type { Event, Pod, PodSpec } from '../../../src-main/api/generated/core-v1.ts'
import { events, nodes, pods, priorityClasses } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const pod = (name: string, spec: Partial<PodSpec> = {}, cpu = '100m', labels: Record<string, string> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }], ...spec },
})
const create = (p: Pod): Promise<Pod> => cluster.client.resource(pods).create(p)
const get = (name: string): Promise<Pod> => cluster.client.resource(pods).get(name, { namespace: 'default' })
const messageOf = async (name: string): Promise<string | undefined> => (await get(name)).status?.conditions?.find(c => c.type === 'PodScheduled' && c.status === 'False')?.message
const isBound = async (name: string): Promise<boolean> => Boolean((await get(name)).spec?.nodeName)

test('a pod that fits nowhere says why in the words of Kubernetes, and runs once there is room', async () => {
  cluster = await testCluster()
  await cluster.addNode('small', { cpu: '1' })
  await cluster.addNode('cordoned', { cpu: '8' })
  await cluster.until('ready', async () => (await cluster.client.resource(nodes).list()).items.every(n => (n.spec?.taints ?? []).length === 0))
  await cluster.client.resource(nodes).patch('cordoned', 'merge', { spec: { unschedulable: true } })
  await create(pod('big', {}, '2'))
  await cluster.until('refused', async () => (await messageOf('big')) !== undefined)
  const message = await messageOf('big')
  const event = (await cluster.list<Event>(events, 'default')).find(e => e.reason === 'FailedScheduling')
  const why = [...(cluster.scheduler.whyNot('default/big') ?? [])]
  await cluster.client.resource(nodes).patch('cordoned', 'merge', { spec: { unschedulable: null } })
  await cluster.until('bound', () => isBound('big'))
  await cluster.env.advance(1000)
  const scheduled = (await cluster.list<Event>(events, 'default')).find(e => e.reason === 'Scheduled')
  expect({ message, event: event?.message, why, scheduled: scheduled?.message, from: scheduled?.source?.component }).toEqual({
    message: '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    event: '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    why: [
      ['cordoned', ['node(s) were unschedulable']],
      ['small', ['Insufficient cpu']],
    ],
    scheduled: 'Successfully assigned default/big to cordoned',
    from: 'default-scheduler',
  })
})

test('without nodes the message says so', async () => {
  cluster = await testCluster()
  await create(pod('lonely'))
  await cluster.until('refused', async () => (await messageOf('lonely')) !== undefined)
  expect(await messageOf('lonely')).toBe('no nodes available to schedule pods')
})

test('a more important pod takes the place of a less important one', async () => {
  cluster = await testCluster()
  await cluster.addNode('only', { cpu: '1' })
  await cluster.client.resource(priorityClasses).create({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 1000 })
  await create(pod('low', {}, '800m'))
  await cluster.until('low runs', async () => (await get('low')).status?.phase === 'Running')
  await create(pod('high', { priorityClassName: 'high' }, '800m'))
  await cluster.until('high runs', async () => (await get('high')).status?.phase === 'Running')
  expect((await cluster.list<Pod>(pods, 'default')).map(p => p.metadata.name)).toEqual(['high'])
})

test('scheduling gates hold a pod until they are removed', async () => {
  cluster = await testCluster({ nodes: 1 })
  await create(pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }))
  await cluster.env.advance(10_000)
  const early = await isBound('gated')
  await cluster.client.resource(pods).patch('gated', 'merge', { spec: { schedulingGates: null } }, { namespace: 'default' })
  await cluster.until('bound', () => isBound('gated'))
  expect(early).toBe(false)
})

test('a hundred pods of one size are spread evenly and none is lost', async () => {
  cluster = await testCluster({ nodes: 4 })
  await Promise.all(Array.from({ length: 100 }, (_, i) => create(pod(`p-${i}`, {}, '50m'))))
  await cluster.until('all bound', async () => (await cluster.list<Pod>(pods, 'default')).every(p => p.spec?.nodeName))
  const counts = new Map<string, number>()
  for (const p of await cluster.list<Pod>(pods, 'default')) counts.set(p.spec?.nodeName ?? '', (counts.get(p.spec?.nodeName ?? '') ?? 0) + 1)
  expect([...counts.values()].sort()).toEqual([25, 25, 25, 25])
})
