import { afterEach, expect, test } from 'vitest'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { deployments, nodes, pods } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { FakeNode, TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const minute = 60_000

async function withPods(replicas: number): Promise<FakeNode[]> {
  cluster = await testCluster()
  const fakes = [await cluster.addNode('node-1'), await cluster.addNode('node-2')]
  await cluster.until('nodes ready', async () => (await cluster.list<Node>(nodes)).every(n => (n.spec?.taints ?? []).length === 0))
  await cluster.client.resource(deployments).create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } } },
  })
  await cluster.until('all ready', allReady)
  return fakes
}
const allReady = async (): Promise<boolean> => {
  const all = await cluster.list<Pod>(pods, 'default')
  return all.length > 0 && all.every(p => p.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True'))
}
const uids = async (): Promise<string[]> => (await cluster.list<Pod>(pods, 'default')).map(p => p.metadata.uid ?? '').sort()
const node = (name: string): Promise<Node> => cluster.client.resource(nodes).get(name)
const taintsOf = async (name: string): Promise<string[]> => ((await node(name)).spec?.taints ?? []).map(t => `${t.key}:${t.effect}`).sort()
const readyOf = async (name: string): Promise<string | undefined> => (await node(name)).status?.conditions?.find(c => c.type === 'Ready')?.status

test('each node gets its own range of pod addresses and loses the not-ready taint once it is ready', async () => {
  cluster = await testCluster({ nodes: 3 })
  const all = await cluster.list<Node>(nodes)
  // Several workers hand the ranges out, so which node gets which is open.
  expect(all.map(n => n.spec?.podCIDR).sort()).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24'])
  expect(all.map(n => n.spec?.taints ?? [])).toEqual([[], [], []])
})

test('a silent node becomes Unknown and tainted, its pods move after five minutes, and it comes back clean', async () => {
  const [first] = await withPods(4)
  const before = await uids()
  first?.silence()
  await cluster.until('unknown', async () => (await readyOf('node-1')) === 'Unknown', 2 * minute)
  await cluster.until('tainted', async () => (await taintsOf('node-1')).length === 2)
  const taints = await taintsOf('node-1')
  const ready = (await cluster.list<Pod>(pods, 'default')).filter(p => p.spec?.nodeName === 'node-1').map(p => p.status?.conditions?.find(c => c.type === 'Ready')?.status)
  await cluster.env.advance(4 * minute)
  const untouched = await uids()
  await cluster.until(
    'moved',
    async () => (await cluster.list<Pod>(pods, 'default')).filter(p => p.spec?.nodeName === 'node-2' && !p.metadata.deletionTimestamp).length === 4,
    3 * minute,
  )
  first?.resume()
  await cluster.until('back', async () => (await taintsOf('node-1')).length === 0 && (await readyOf('node-1')) === 'True', 2 * minute)
  expect({ taints, ready: [...new Set(ready)], untouched: untouched.length === before.length && untouched.every((u, i) => u === before[i]) }).toEqual({
    taints: ['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule'],
    ready: ['False'],
    untouched: true,
  })
})

test('pods stay when all nodes are silent at once: the fault is likelier ours', async () => {
  const fakes = await withPods(4)
  const before = await uids()
  for (const fake of fakes) fake.silence()
  await cluster.env.advance(20 * minute)
  expect({ pods: await uids(), noExecute: [...(await taintsOf('node-1')), ...(await taintsOf('node-2'))].filter(t => t.endsWith('NoExecute')) }).toEqual({
    pods: before,
    noExecute: [],
  })
})

test.each([
  [10_000, 'ten seconds'],
  [10 * minute, 'ten minutes'],
  [8 * 60 * minute, 'eight hours'],
  [3 * 24 * 60 * minute, 'three days'],
])('a sleep of %i ms (%s) taints and evicts nobody', async sleepMs => {
  const fakes = await withPods(4)
  const before = await uids()
  // One node was silent for 45 s already when the lid closed, and needs 30 s to reconnect after it opens.
  fakes[0]?.silence()
  await cluster.env.advance(45_000)
  cluster.env.jump(sleepMs)
  await cluster.env.advance(sleepMs > 20_000 ? 30_000 : 3000)
  const tainted = await taintsOf('node-1')
  fakes[0]?.resume()
  await cluster.env.advance(10 * minute)
  expect({ tainted, pods: await uids(), after: await taintsOf('node-1') }).toEqual({ tainted: [], pods: before, after: [] })
})

test('a clock that jumps back disturbs nobody', async () => {
  await withPods(2)
  const before = await uids()
  cluster.env.jump(-3_600_000)
  await cluster.env.advance(10 * minute)
  expect({ pods: await uids(), taints: await taintsOf('node-1') }).toEqual({ pods: before, taints: [] })
})

test('nodes get the whole grace period after the control plane was away', async () => {
  const fakes = await withPods(4)
  const before = await uids()
  await cluster.stopControllers()
  cluster.env.jump(60 * minute)
  fakes[0]?.silence()
  await cluster.startControllers()
  await cluster.env.advance(40_000)
  const early = await taintsOf('node-1')
  fakes[0]?.resume()
  await cluster.env.advance(10 * minute)
  expect({ early, pods: await uids() }).toEqual({ early: [], pods: before })
})

test('pods of a removed node are collected and replaced', async () => {
  const [first] = await withPods(4)
  first?.silence()
  await cluster.client.resource(nodes).delete('node-1')
  await cluster.until(
    'replaced',
    async () => {
      const all = await cluster.list<Pod>(pods, 'default')
      return all.length === 4 && all.every(p => p.spec?.nodeName === 'node-2') && (await allReady())
    },
    5 * minute,
  )
})
