import { afterEach, expect, test } from 'vitest'
import type { ControllerRevision, DaemonSet } from '../../../src-main/api/generated/apps-v1.ts'
import type { Pod } from '../../../src-main/api/generated/core-v1.ts'
import { controllerRevisions, daemonSets, nodes, pods } from '../../../src-main/api/resources.ts'
import { templateHash } from '../../../src-main/controller-runtime/pod-template.ts'
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

const revisionsNow = async (): Promise<ControllerRevision[]> =>
  (await cluster.list<ControllerRevision>(controllerRevisions, 'default')).sort((a, b) => (a.revision ?? 0) - (b.revision ?? 0))

test('a revision that somebody copied is merged without a restart, and the next template gets the next number', async () => {
  cluster = await testCluster()
  for (const name of ['a', 'b']) await cluster.addNode(name, { labels: { run: 'yes' } })
  await cluster.client.resource(daemonSets).create(daemon())
  await cluster.until('all', async () => (await placed()).length === 2 && (await get()).status?.numberAvailable === 2)
  const [first] = await revisionsNow()
  if (!first) throw new Error('no revision')
  const uids = (await cluster.list<Pod>(pods, 'default')).map(p => p.metadata.uid).sort()
  const { resourceVersion: _version, uid: _uid, creationTimestamp: _time, managedFields: _fields, ...metadata } = first.metadata
  await cluster.client
    .resource(controllerRevisions)
    .create({ ...first, metadata: { ...metadata, name: 'agent-copy', labels: { ...metadata.labels, 'controller-revision-hash': 'copy' } }, revision: 2 })
  // Revisions wake nobody; any change of the set does.
  await cluster.env.advance(2_000)
  expect((await revisionsNow()).length).toBe(2)
  await cluster.client.resource(daemonSets).patch('agent', 'merge', { spec: { minReadySeconds: 1 } }, { namespace: 'default' })
  await cluster.until('merged', async () => (await revisionsNow()).length === 1)
  await cluster.env.advance(5_000)
  const after = await cluster.list<Pod>(pods, 'default')
  expect({
    uids: after.map(p => p.metadata.uid).sort(),
    labels: after.map(p => p.metadata.labels?.['controller-revision-hash']),
    left: (await revisionsNow()).map(r => [r.metadata.name, r.revision]),
  }).toEqual({
    uids,
    labels: ['copy', 'copy'],
    left: [['agent-copy', 2]],
  })
  await cluster.client.resource(daemonSets).patch('agent', 'strategic', { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } }, { namespace: 'default' })
  await cluster.until('a third', async () => (await revisionsNow()).length === 2)
  expect((await revisionsNow()).map(r => r.revision)).toEqual([2, 3])
})

test('a revision name that another template took is passed over', async () => {
  cluster = await testCluster()
  await cluster.addNode('a', { labels: { run: 'yes' } })
  await cluster.client.resource(daemonSets).create(daemon())
  await cluster.until('one', async () => (await revisionsNow()).length === 1)
  const [first] = await revisionsNow()
  if (!first) throw new Error('no revision')
  const taken = `agent-${templateHash({ ...(await get()).spec.template, spec: { ...(await get()).spec.template.spec, terminationGracePeriodSeconds: 1 } })}`
  await cluster.client
    .resource(controllerRevisions)
    .create({ apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name: taken, namespace: 'default' }, data: { spec: {} }, revision: 1 })
  await cluster.client.resource(daemonSets).patch('agent', 'strategic', { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } }, { namespace: 'default' })
  await cluster.until('counted', async () => (await get()).status?.collisionCount === 1)
  expect((await revisionsNow()).filter(r => r.metadata.name !== taken).map(r => r.revision)).toEqual([1, 2])
})

test('with maxSurge the new pod is there before the old one goes', async () => {
  cluster = await testCluster()
  for (const name of ['a', 'b', 'c']) await cluster.addNode(name, { labels: { run: 'yes' }, badImage: 'bad' })
  const object = daemon()
  await cluster.client
    .resource(daemonSets)
    .create({ ...object, spec: { ...object.spec, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } })
  await cluster.until('all', async () => (await placed()).length === 3)
  const setImage = (image: string) =>
    cluster.client.resource(daemonSets).patch('agent', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } }, { namespace: 'default' })
  await setImage('agent:2')
  let [fewest, most] = [99, 0]
  await cluster.until('rolled', async () => {
    const ready = (await cluster.list<Pod>(pods, 'default')).filter(p => p.status?.phase === 'Running' && !p.metadata.deletionTimestamp)
    fewest = Math.min(fewest, new Set(ready.map(p => p.spec?.nodeName)).size)
    most = Math.max(most, (await cluster.list<Pod>(pods, 'default')).filter(p => !p.metadata.deletionTimestamp).length)
    return (await placed()).join() === 'a:agent:2,b:agent:2,c:agent:2'
  })
  expect({ fewest, most }).toEqual({ fewest: 3, most: 4 })
  // One that never comes up takes nobody down.
  await setImage('bad:3')
  await cluster.env.advance(20_000)
  expect((await placed()).filter(each => each.endsWith('agent:2')).length).toBe(3)
  expect((await cluster.list<Pod>(pods, 'default')).filter(p => p.spec?.containers[0]?.image === 'bad:3').length).toBe(1)
  await setImage('agent:4')
  await cluster.until('mended', async () => (await placed()).join() === 'a:agent:4,b:agent:4,c:agent:4')
})
