import { afterEach, expect, test } from 'vitest'
import type { DaemonSet } from '../../../src-main/api/generated/apps-v1.ts'
import type { Pod } from '../../../src-main/api/generated/core-v1.ts'
import { controllerRevisions, daemonSets, nodes, pods } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const daemon = (): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { nodeSelector: { run: 'yes' }, containers: [{ name: 'c', image: 'agent:1' }] } },
  },
})
const get = (): Promise<DaemonSet> => cluster.client.resource(daemonSets).get('agent', { namespace: 'default' })
const placed = async (): Promise<string[]> =>
  (await cluster.list<Pod>(pods, 'default'))
    .filter(p => p.status?.phase === 'Running')
    .map(p => `${p.spec?.nodeName ?? ''}:${p.spec?.containers[0]?.image ?? ''}`)
    .sort()

test('a daemon set runs once on each node that suits it, as nodes and labels come and go', async () => {
  cluster = await testCluster()
  for (const name of ['a', 'b', 'c']) await cluster.addNode(name, { labels: name === 'c' ? {} : { run: 'yes' } })
  await cluster.client.resource(daemonSets).create(daemon())
  await cluster.until('two', async () => (await placed()).length === 2)
  const first = await placed()
  await cluster.client.resource(nodes).patch('c', 'merge', { metadata: { labels: { run: 'yes' } } })
  await cluster.client.resource(nodes).patch('a', 'merge', { metadata: { labels: { run: null } } })
  await cluster.until('moved', async () => (await placed()).join() === 'b:agent:1,c:agent:1')
  await cluster.until('told', async () => (await get()).status?.numberAvailable === 2)
  const { desiredNumberScheduled, currentNumberScheduled, numberMisscheduled, updatedNumberScheduled } = (await get()).status ?? {}
  expect({ first, desiredNumberScheduled, currentNumberScheduled, numberMisscheduled, updatedNumberScheduled }).toEqual({
    first: ['a:agent:1', 'b:agent:1'],
    desiredNumberScheduled: 2,
    currentNumberScheduled: 2,
    numberMisscheduled: 0,
    updatedNumberScheduled: 2,
  })
})

test('a new template rolls over the nodes one at a time and leaves a revision', async () => {
  cluster = await testCluster()
  for (const name of ['a', 'b', 'c']) await cluster.addNode(name, { labels: { run: 'yes' } })
  await cluster.client.resource(daemonSets).create(daemon())
  await cluster.until('all', async () => (await placed()).length === 3)
  await cluster.client
    .resource(daemonSets)
    .patch('agent', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: 'agent:2' }] } } } }, { namespace: 'default' })
  let fewest = 3
  await cluster.until('rolled', async () => {
    const now = await placed()
    fewest = Math.min(fewest, now.length)
    return now.join() === 'a:agent:2,b:agent:2,c:agent:2'
  })
  expect({ fewest, revisions: (await cluster.list(controllerRevisions, 'default')).length }).toEqual({ fewest: 2, revisions: 2 })
})
