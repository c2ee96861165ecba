import { afterEach, expect, test } from 'vitest'
import type { StatefulSet } from '../../../src-main/api/generated/apps-v1.ts'
import type { PersistentVolumeClaim, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { persistentVolumeClaims, persistentVolumes, pods, statefulSets } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const set = (): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'db:1' }] } },
  },
})
const get = (): Promise<StatefulSet> => cluster.client.resource(statefulSets).get('db', { namespace: 'default' })
const running = async (): Promise<string[]> =>
  (await cluster.list<Pod>(pods, 'default'))
    .filter(p => p.status?.phase === 'Running' && !p.metadata.deletionTimestamp)
    .map(p => `${p.metadata.name ?? ''} ${p.spec?.containers[0]?.image ?? ''}`)
    .sort()

/** Runs until `done`, and tells in which order pods came into being, and the most pods that were not ready at once. */
async function watchOrder(what: string, done: () => Promise<boolean>): Promise<{ order: string[]; mostUnready: number }> {
  const order: string[] = []
  const seen = new Set<string>()
  let mostUnready = 0
  await cluster.until(what, async () => {
    const all = await cluster.list<Pod>(pods, 'default')
    for (const pod of all)
      if (!seen.has(pod.metadata.uid ?? '')) {
        seen.add(pod.metadata.uid ?? '')
        order.push(pod.metadata.name ?? '')
      }
    mostUnready = Math.max(mostUnready, all.filter(p => p.status?.phase !== 'Running' || p.metadata.deletionTimestamp).length)
    return done()
  })
  return { order, mostUnready }
}

test('pods come one after the other, keep their names, and go from the highest', async () => {
  cluster = await testCluster({ nodes: 2 })
  await cluster.client.resource(statefulSets).create(set())
  const up = await watchOrder('up', async () => (await running()).length === 3)
  await cluster.client.resource(pods).delete('db-1', { namespace: 'default' })
  await cluster.until('healed', async () => (await running()).length === 3)
  await cluster.client.resource(statefulSets).patch('db', 'merge', { spec: { replicas: 1 } }, { namespace: 'default' })
  await cluster.until('down', async () => (await cluster.list(pods, 'default')).length === 1)
  const left = (await cluster.list<Pod>(pods, 'default'))[0]
  expect({ up, left: [left?.metadata.name, left?.spec?.hostname, left?.spec?.subdomain, left?.metadata.labels?.['apps.kubernetes.io/pod-index']] }).toEqual({
    up: { order: ['db-0', 'db-1', 'db-2'], mostUnready: 1 },
    left: ['db-0', 'db-0', 'db', '0'],
  })
})

test('an update goes from the highest ordinal to the partition, one pod at a time', async () => {
  cluster = await testCluster({ nodes: 2 })
  await cluster.client.resource(statefulSets).create({ ...set(), spec: { ...set().spec, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } } })
  await cluster.until('up', async () => (await running()).length === 3 && (await get()).status?.currentReplicas === 3)
  await cluster.client.resource(statefulSets).patch('db', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: 'db:2' }] } } } }, { namespace: 'default' })
  await cluster.until('partitioned', async () => (await running()).join() === 'db-0 db:1,db-1 db:2,db-2 db:2')
  await cluster.client.resource(pods).delete('db-0', { namespace: 'default' })
  await cluster.until('old one again', async () => (await running()).join() === 'db-0 db:1,db-1 db:2,db-2 db:2')
  const between = (await get()).status
  await cluster.client.resource(statefulSets).patch('db', 'merge', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } }, { namespace: 'default' })
  await cluster.until(
    'all',
    async () => (await running()).join() === 'db-0 db:2,db-1 db:2,db-2 db:2' && (await get()).status?.currentRevision === (await get()).status?.updateRevision,
  )
  expect({ different: between?.currentRevision !== between?.updateRevision, updated: (await get()).status?.updatedReplicas }).toEqual({ different: true, updated: 3 })
})

test('maxUnavailable lets several go at once, and no more', async () => {
  cluster = await testCluster({ nodes: 2 })
  const rolling = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } }
  await cluster.client.resource(statefulSets).create({ ...set(), spec: { ...set().spec, replicas: 5, updateStrategy: rolling } })
  await cluster.until('up', async () => (await running()).length === 5)
  await cluster.client.resource(statefulSets).patch('db', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: 'db:2' }] } } } }, { namespace: 'default' })
  const { mostUnready } = await watchOrder('rolled', async () => (await running()).filter(each => each.endsWith('db:2')).length === 5)
  expect(mostUnready).toBe(2)
})

const claims = async (): Promise<string[]> =>
  (await cluster.list<PersistentVolumeClaim>(persistentVolumeClaims, 'default'))
    .map(c => `${c.metadata.name ?? ''} ${(c.metadata.ownerReferences ?? []).map(o => o.kind).join()}`)
    .sort()
const withClaims = (policy: { whenScaled: string; whenDeleted: string }): StatefulSet => ({
  ...set(),
  spec: {
    ...set().spec,
    persistentVolumeClaimRetentionPolicy: policy,
    volumeClaimTemplates: [
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ],
  },
})
const disks = async (): Promise<void> => {
  for (const name of ['v0', 'v1', 'v2', 'v3', 'v4', 'v5'])
    await cluster.client.resource(persistentVolumes).create({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: `/srv/${name}` } },
    })
}

test('claims stay, or go with a pod that is scaled away or with the set, as the policy says', async () => {
  cluster = await testCluster({ nodes: 2 })
  await disks()
  await cluster.client.resource(statefulSets).create(withClaims({ whenScaled: 'Delete', whenDeleted: 'Retain' }))
  await cluster.until('up', async () => (await running()).length === 3)
  expect(await claims()).toEqual(['data-db-0 ', 'data-db-1 ', 'data-db-2 '])
  await cluster.client.resource(statefulSets).patch('db', 'merge', { spec: { replicas: 1 } }, { namespace: 'default' })
  await cluster.until('claims gone', async () => (await claims()).length === 1, 120_000)
  await cluster.client
    .resource(statefulSets)
    .patch('db', 'merge', { spec: { replicas: 2, persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } } }, { namespace: 'default' })
  await cluster.until('owned', async () => (await claims()).join() === 'data-db-0 StatefulSet,data-db-1 StatefulSet')
  await cluster.client.resource(statefulSets).delete('db', { namespace: 'default' })
  await cluster.until('all gone', async () => (await claims()).length === 0, 120_000)
})

test('a pod that comes back does not get the claim that goes with the one before it', async () => {
  cluster = await testCluster({ nodes: 2 })
  await disks()
  await cluster.client.resource(statefulSets).create(withClaims({ whenScaled: 'Delete', whenDeleted: 'Retain' }))
  await cluster.until('up', async () => (await running()).length === 3)
  const before = (await cluster.client.resource(persistentVolumeClaims).get('data-db-2', { namespace: 'default' })).metadata.uid
  await cluster.client.resource(statefulSets).patch('db', 'merge', { spec: { replicas: 2 } }, { namespace: 'default' })
  await cluster.until('pod gone', async () => (await cluster.list(pods, 'default')).length === 2)
  await cluster.client.resource(statefulSets).patch('db', 'merge', { spec: { replicas: 3 } }, { namespace: 'default' })
  await cluster.until('up again', async () => (await running()).length === 3, 120_000)
  expect((await cluster.client.resource(persistentVolumeClaims).get('data-db-2', { namespace: 'default' })).metadata.uid).not.toBe(before)
})

test('a claim that is deleted while its pod waits for a node is made again', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(statefulSets).create(withClaims({ whenScaled: 'Retain', whenDeleted: 'Retain' }))
  const uidOf = async (): Promise<string | undefined> =>
    (await cluster.list<PersistentVolumeClaim>(persistentVolumeClaims, 'default')).find(claim => claim.metadata.name === 'data-db-0')?.metadata.uid
  await cluster.until('pod waits', async () => (await cluster.list(pods, 'default')).length > 0 && (await uidOf()) !== undefined)
  const before = await uidOf()
  await cluster.client.resource(persistentVolumeClaims).delete('data-db-0', { namespace: 'default' })
  await cluster.until('claim gone', async () => (await uidOf()) !== before)
  await disks()
  await cluster.client.resource(statefulSets).patch('db', 'merge', { metadata: { annotations: { look: 'again' } } }, { namespace: 'default' })
  await cluster.until('up', async () => (await running()).length === 3, 120_000)
})
