import { afterEach, describe, expect, test } from 'vitest'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../src-main/api/generated/core-v1.ts'
import type { StorageClass } from '../../../src-main/api/generated/storage-v1.ts'
import { csiNodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})
const namespace = 'default'
const claim = (name: string, spec: PersistentVolumeClaim['spec'] = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
})
const on = (node: string): NonNullable<PersistentVolume['spec']>['nodeAffinity'] => ({
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
})
const volume = (name: string, spec: PersistentVolume['spec'] = {}, labels: Record<string, string> = {}): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, labels },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], local: { path: `/srv/${name}` }, nodeAffinity: on('node-1') as never, ...spec },
})
const localClass: StorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local' },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
}
const pod = (name: string, claims: readonly string[], spec: Partial<NonNullable<Pod['spec']>> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'app:1' }], volumes: claims.map(claimName => ({ name: claimName, persistentVolumeClaim: { claimName } })), ...spec },
})
const makePod = (object: Pod): Promise<Pod> => cluster.client.resource(pods).create(object)
const makeClaim = (object: PersistentVolumeClaim): Promise<PersistentVolumeClaim> => cluster.client.resource(persistentVolumeClaims).create(object)
const makeVolume = (object: PersistentVolume): Promise<PersistentVolume> => cluster.client.resource(persistentVolumes).create(object)
const getPod = (name: string): Promise<Pod> => cluster.client.resource(pods).get(name, { namespace })
const getClaim = (name: string): Promise<PersistentVolumeClaim> => cluster.client.resource(persistentVolumeClaims).get(name, { namespace })
const nodeOf = async (name: string): Promise<string> => (await getPod(name)).spec?.nodeName ?? ''
const whyNot = async (name: string): Promise<string> => (await getPod(name)).status?.conditions?.find(c => c.type === 'PodScheduled' && c.status === 'False')?.message ?? ''
const help = '0/3 nodes are available: 3 Preemption is not helpful for scheduling.'

describe('a pod with claims', () => {
  test('waits until they are there and bound, and goes where its volume is', async () => {
    cluster = await testCluster({ nodes: 3 })
    await makePod(pod('user', ['data']))
    await cluster.until('no claim', async () => (await whyNot('user')) === `0/3 nodes are available: persistentvolumeclaim "data" not found. preemption: ${help}`)
    await makeClaim(claim('data'))
    await cluster.until('unbound', async () => (await whyNot('user')) === `0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: ${help}`)
    await makeVolume(volume('disk', { nodeAffinity: on('node-2') as never }))
    await cluster.until('placed', async () => (await nodeOf('user')) === 'node-2')
  })

  test('binds its volumes where binding waits for a consumer, each to another one', async () => {
    cluster = await testCluster({ nodes: 3 })
    await cluster.client.resource(storageClasses).create(localClass)
    for (const node of ['node-1', 'node-2', 'node-3']) await makeVolume(volume(`disk-${node}`, { storageClassName: 'local', nodeAffinity: on(node) as never }))
    for (let i = 0; i < 4; i++) {
      await makeClaim(claim(`data-${i}`, { storageClassName: 'local' }))
      await makePod(pod(`user-${i}`, [`data-${i}`]))
    }
    const placed = async (): Promise<string[]> => (await Promise.all([0, 1, 2, 3].map(i => nodeOf(`user-${i}`)))).filter(n => n !== '')
    await cluster.until('three', async () => (await placed()).length === 3)
    await cluster.env.advance(5_000)
    expect((await placed()).sort()).toEqual(['node-1', 'node-2', 'node-3'])
    for (const i of [0, 1, 2, 3]) {
      const node = await nodeOf(`user-${i}`)
      if (node === '') expect(await whyNot(`user-${i}`)).toBe(`0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. preemption: ${help}`)
      else expect([(await getClaim(`data-${i}`)).spec?.volumeName, (await getClaim(`data-${i}`)).status?.phase]).toEqual([`disk-${node}`, 'Bound'])
    }
    await makeVolume(volume('more', { storageClassName: 'local', nodeAffinity: on('node-3') as never }))
    await cluster.until('the fourth', async () => (await placed()).length === 4)
  })

  test('tells a provisioner the node and is bound when the volume is there', async () => {
    cluster = await testCluster({ nodes: 3 })
    const topology = [{ matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['node-3'] }] }]
    await cluster.client.resource(storageClasses).create({ ...localClass, metadata: { name: 'made' }, provisioner: 'example.com/disks', allowedTopologies: topology })
    await makeClaim(claim('data', { storageClassName: 'made' }))
    await makePod(pod('user', ['data']))
    await cluster.until('selected', async () => (await getClaim('data')).metadata.annotations?.['volume.kubernetes.io/selected-node'] === 'node-3')
    await cluster.until('asked', async () => (await getClaim('data')).metadata.annotations?.['volume.kubernetes.io/storage-provisioner'] === 'example.com/disks')
    // Others go on meanwhile.
    await makePod(pod('other', []))
    await cluster.until('other placed', async () => (await nodeOf('other')) !== '')
    expect(await nodeOf('user')).toBe('')
    const { uid = '' } = (await getClaim('data')).metadata
    await makeVolume(volume('made', { storageClassName: 'made', nodeAffinity: on('node-3') as never, claimRef: { namespace, name: 'data', uid } }))
    await cluster.until('placed', async () => (await nodeOf('user')) === 'node-3')
  })

  test('tries again at once when the provisioner takes the mark off', async () => {
    cluster = await testCluster({ nodes: 1 })
    await cluster.client.resource(storageClasses).create({ ...localClass, metadata: { name: 'made' }, provisioner: 'example.com/disks' })
    await makeClaim(claim('data', { storageClassName: 'made' }))
    await makePod(pod('user', ['data']))
    const selected = async (): Promise<string | undefined> => (await getClaim('data')).metadata.annotations?.['volume.kubernetes.io/selected-node']
    await cluster.until('selected', async () => (await selected()) === 'node-1')
    await cluster.client.resource(persistentVolumeClaims).patch('data', 'merge', { metadata: { annotations: { 'volume.kubernetes.io/selected-node': null } } }, { namespace })
    // Far below the ten minutes that a volume may take.
    await cluster.until('selected again', async () => (await selected()) === 'node-1', 120_000)
  })

  test('keeps to the zone of its volume, to claims for one pod alone, and to the limit of a driver', async () => {
    cluster = await testCluster()
    for (const name of ['node-1', 'node-2', 'node-3']) await cluster.addNode(name, { labels: { 'topology.kubernetes.io/zone': `zone-${name.at(-1) ?? ''}` } })
    const csi = (handle: string): NonNullable<PersistentVolume['spec']> => ({
      csi: { driver: 'd.example.com', volumeHandle: handle },
      local: undefined as never,
      nodeAffinity: undefined as never,
    })
    await makeVolume(volume('zoned', csi('1'), { 'topology.kubernetes.io/zone': 'zone-2' }))
    await makeClaim(claim('zoned'))
    await makePod(pod('zoned', ['zoned']))
    await cluster.until('in its zone', async () => (await nodeOf('zoned')) === 'node-2')
    await makeVolume(volume('single', { ...csi('2'), accessModes: ['ReadWriteOncePod'] }))
    await makeClaim(claim('single', { accessModes: ['ReadWriteOncePod'] }))
    await makePod(pod('first', ['single']))
    await cluster.until('one', async () => (await nodeOf('first')) !== '')
    await makePod(pod('second', ['single']))
    await cluster.until('alone', async () =>
      (await whyNot('second')).includes('3 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod'),
    )
    await cluster.client.resource(pods).delete('first', { namespace })
    await cluster.until('its turn', async () => (await nodeOf('second')) !== '')
    for (const name of ['node-1', 'node-2', 'node-3'])
      await cluster.client.resource(csiNodes).create({
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name },
        spec: { drivers: [{ name: 'd.example.com', nodeID: name, allocatable: { count: name === 'node-2' ? 1 : 0 } }] },
      })
    await makeVolume(volume('third', csi('3')))
    await makeClaim(claim('third'))
    await makePod(pod('third', ['third']))
    await cluster.until('full', async () => (await whyNot('third')).startsWith('0/3 nodes are available: 3 node(s) exceed max volume count.'))
    // The same volume a second time takes no further place.
    await makePod(pod('again', ['zoned']))
    await cluster.until('shared', async () => (await nodeOf('again')) === 'node-2')
  })
})
