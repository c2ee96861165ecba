import { afterEach, describe, expect, test } from 'vitest'
import type { Event, PersistentVolume, PersistentVolumeClaim, Pod } from '../../../src-main/api/generated/core-v1.ts'
import type { StorageClass, VolumeAttributesClass } from '../../../src-main/api/generated/storage-v1.ts'
import { events, persistentVolumeClaims, persistentVolumes, pods, storageClasses, volumeAttributesClasses } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

const namespace = 'default'
const claim = (name: string, spec: PersistentVolumeClaim['spec'] = {}, size = '1Gi'): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...spec },
})
const volume = (name: string, size: string, spec: PersistentVolume['spec'] = {}): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: { capacity: { storage: size }, accessModes: ['ReadWriteOnce'], hostPath: { path: `/srv/${name}` }, ...spec },
})
const storageClass = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name },
  provisioner: 'example.com/disks',
  ...more,
})
const pod = (name: string, spec: Partial<Pod['spec'] & object> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'app:1' }], ...spec },
})
const makeClaim = (object: PersistentVolumeClaim): Promise<PersistentVolumeClaim> => cluster.client.resource(persistentVolumeClaims).create(object)
const makeVolume = (object: PersistentVolume): Promise<PersistentVolume> => cluster.client.resource(persistentVolumes).create(object)
const getClaim = (name: string): Promise<PersistentVolumeClaim> => cluster.client.resource(persistentVolumeClaims).get(name, { namespace })
const getVolume = (name: string): Promise<PersistentVolume> => cluster.client.resource(persistentVolumes).get(name)
const claimPhase = async (name: string): Promise<string> => (await getClaim(name)).status?.phase ?? ''
const volumePhase = async (name: string): Promise<string> => (await getVolume(name)).status?.phase ?? ''
const told = async (name: string): Promise<string[]> =>
  (await cluster.list<Event>(events)).filter(e => e.involvedObject.name === name).map(e => `${e.type ?? ''} ${e.reason ?? ''}: ${e.message ?? ''}`)
const untilTold = (name: string, text: string): Promise<void> => cluster.until(text, async () => (await told(name)).includes(text))

describe('binding', () => {
  test('a claim gets the smallest volume that fits, whichever came first', async () => {
    cluster = await testCluster()
    await makeVolume(volume('big', '5Gi'))
    await makeVolume(volume('fits', '2Gi'))
    await makeVolume(volume('small', '512Mi'))
    await makeClaim(claim('data'))
    await cluster.until('bound', async () => (await claimPhase('data')) === 'Bound')
    const bound = await getClaim('data')
    const fits = await getVolume('fits')
    expect({
      name: bound.spec?.volumeName,
      capacity: bound.status?.capacity,
      modes: bound.status?.accessModes,
      annotations: Object.keys(bound.metadata.annotations ?? {}).sort(),
      claim: [fits.spec?.claimRef?.namespace, fits.spec?.claimRef?.name, fits.spec?.claimRef?.uid === bound.metadata.uid],
      phases: [await volumePhase('big'), await volumePhase('fits'), await volumePhase('small')],
    }).toEqual({
      name: 'fits',
      capacity: { storage: '2Gi' },
      modes: ['ReadWriteOnce'],
      annotations: ['pv.kubernetes.io/bind-completed', 'pv.kubernetes.io/bound-by-controller'],
      claim: [namespace, 'data', true],
      phases: ['Available', 'Bound', 'Available'],
    })
    await makeClaim(claim('late', {}, '20Gi'))
    await untilTold('late', 'Normal FailedBinding: no persistent volumes available for this claim and no storage class is set')
    await makeVolume(volume('huge', '20Gi'))
    await cluster.until('bound too', async () => (await claimPhase('late')) === 'Bound')
  })

  test('many claims at once never share a volume', async () => {
    cluster = await testCluster()
    for (let i = 0; i < 8; i++) await makeVolume(volume(`v${i}`, '1Gi'))
    await Promise.all(Array.from({ length: 8 }, (_, i) => makeClaim(claim(`c${i}`))))
    await cluster.until('all bound', async () => (await cluster.list<PersistentVolumeClaim>(persistentVolumeClaims)).every(c => c.status?.phase === 'Bound'))
    const names = (await cluster.list<PersistentVolumeClaim>(persistentVolumeClaims)).map(c => c.spec?.volumeName)
    expect(new Set(names).size).toBe(8)
    for (const each of await cluster.list<PersistentVolume>(persistentVolumes)) expect((await getClaim(each.spec?.claimRef?.name ?? '')).spec?.volumeName).toBe(each.metadata.name)
  })

  test('a volume asked for by name has to fit, and one that is reserved is nobody else’s', async () => {
    cluster = await testCluster()
    await makeVolume(volume('mine', '1Gi', { claimRef: { namespace, name: 'owner' } }))
    await makeClaim(claim('thief', { volumeName: 'mine' }))
    await untilTold('thief', 'Warning FailedBinding: volume "mine" already bound to a different claim.')
    await makeClaim(claim('owner'))
    await cluster.until('bound', async () => (await claimPhase('owner')) === 'Bound')
    expect((await getVolume('mine')).metadata.annotations?.['pv.kubernetes.io/bound-by-controller']).toBeUndefined()
    await makeVolume(volume('free', '1Gi', { storageClassName: 'slow' }))
    await makeClaim(claim('wrong', { volumeName: 'free' }))
    await untilTold('wrong', 'Warning VolumeMismatch: Cannot bind to requested volume "free": storageClassName does not match')
    expect([await claimPhase('thief'), await claimPhase('wrong')]).toEqual(['Pending', 'Pending'])
  })

  test('what loses its volume is lost; what loses its claim is released, and fails where nobody can delete it', async () => {
    cluster = await testCluster()
    await makeVolume(volume('kept', '1Gi'))
    await makeVolume(volume('gone', '2Gi', { persistentVolumeReclaimPolicy: 'Delete' }))
    await makeClaim(claim('one'))
    await makeClaim(claim('two', {}, '2Gi'))
    await cluster.until('bound', async () => (await claimPhase('one')) === 'Bound' && (await claimPhase('two')) === 'Bound')
    await cluster.client.resource(persistentVolumeClaims).delete('one', { namespace })
    await cluster.client.resource(persistentVolumeClaims).delete('two', { namespace })
    await cluster.until('released', async () => (await volumePhase('kept')) === 'Released' && (await volumePhase('gone')) === 'Failed')
    expect((await getVolume('gone')).status?.message).toBe('error getting deleter volume plugin for volume "gone": no deletable volume plugin matched')
    // A released volume is not given to the next one of that name.
    await makeClaim(claim('one'))
    await cluster.env.advance(5_000)
    expect([await claimPhase('one'), await volumePhase('kept')]).toEqual(['Pending', 'Released'])
    await cluster.client.resource(persistentVolumes).delete('kept')
    await cluster.until('deleted', async () => (await cluster.list<PersistentVolume>(persistentVolumes)).length === 1)
    await makeVolume(volume('next', '1Gi'))
    await cluster.until('bound', async () => (await claimPhase('one')) === 'Bound')
    // By force: whoever takes the protection off loses the data, and is told.
    await cluster.client.resource(persistentVolumes).delete('next')
    await cluster.client.resource(persistentVolumes).patch('next', 'merge', { metadata: { finalizers: null } })
    await untilTold('one', 'Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!')
    expect(await claimPhase('one')).toBe('Lost')
  })

  test('classes: the default one is assigned, the provisioner is asked, and binding waits for a pod where the class says so', async () => {
    cluster = await testCluster({ nodes: 1 })
    await makeClaim(claim('plain'))
    await makeClaim(claim('none', { storageClassName: '' }))
    await makeClaim(claim('unknown', { storageClassName: 'nowhere' }))
    await untilTold('unknown', 'Warning ProvisioningFailed: storageclass.storage.k8s.io "nowhere" not found')
    await cluster.client
      .resource(storageClasses)
      .create(storageClass('standard', { metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } }))
    await cluster.until('asked', async () => (await getClaim('plain')).metadata.annotations?.['volume.kubernetes.io/storage-provisioner'] === 'example.com/disks')
    expect([(await getClaim('plain')).spec?.storageClassName, (await getClaim('none')).spec?.storageClassName]).toEqual(['standard', ''])
    await cluster.client.resource(storageClasses).create(storageClass('local', { provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'WaitForFirstConsumer' }))
    await makeVolume(volume('disk', '1Gi', { storageClassName: 'local' }))
    await makeClaim(claim('later', { storageClassName: 'local' }))
    await untilTold('later', 'Normal WaitForFirstConsumer: waiting for first consumer to be created before binding')
    expect(await claimPhase('later')).toBe('Pending')
    // A provisioner that did its work.
    const { uid = '' } = (await getClaim('plain')).metadata
    await makeVolume(volume('made', '1Gi', { storageClassName: 'standard', claimRef: { namespace, name: 'plain', uid } }))
    await cluster.until('bound', async () => (await claimPhase('plain')) === 'Bound')
    expect((await getClaim('plain')).spec?.volumeName).toBe('made')
  })
})

describe('protection', () => {
  test('a claim in use stays until its last placed pod is gone, and says since when it is unused', async () => {
    cluster = await testCluster({ nodes: 1 })
    await makeVolume(volume('disk', '1Gi'))
    await makeClaim(claim('data'))
    const condition = async (): Promise<unknown> => {
      const found = (await getClaim('data')).status?.conditions?.find(c => c.type === 'Unused')
      return found && [found.status, found.reason]
    }
    await cluster.until('unused', async () => JSON.stringify(await condition()) === '["True","NoPodsUsingPVC"]')
    await cluster.client.resource(pods).create(pod('user', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] }))
    await cluster.until('runs', async () => (await cluster.list<Pod>(pods, namespace))[0]?.status?.phase === 'Running')
    await cluster.until('used', async () => JSON.stringify(await condition()) === '["False","PodUsingPVC"]')
    await cluster.client.resource(persistentVolumeClaims).delete('data', { namespace })
    await cluster.client.resource(persistentVolumes).delete('disk')
    await cluster.env.advance(10_000)
    expect([(await getClaim('data')).metadata.finalizers, (await getVolume('disk')).metadata.finalizers]).toEqual([
      ['kubernetes.io/pvc-protection'],
      ['kubernetes.io/pv-protection'],
    ])
    await cluster.client.resource(pods).delete('user', { namespace })
    await cluster.until('both gone', async () => (await cluster.list(persistentVolumeClaims)).length + (await cluster.list(persistentVolumes)).length === 0)
  })

  test('a class of volume attributes stays until no claim and no volume names it', async () => {
    cluster = await testCluster({ nodes: 1 })
    const classes = cluster.client.resource(volumeAttributesClasses)
    await classes.create({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttributesClass',
      metadata: { name: 'gold' },
      driverName: 'example.com',
      parameters: { iops: '1' },
    } as VolumeAttributesClass)
    await makeClaim({ ...claim('data'), spec: { ...claim('data').spec, volumeAttributesClassName: 'gold' } })
    await classes.delete('gold')
    await cluster.env.advance(10_000)
    expect((await classes.get('gold')).metadata.finalizers).toEqual(['kubernetes.io/vac-protection'])
    await cluster.client.resource(persistentVolumeClaims).delete('data', { namespace })
    await cluster.until('gone', async () => (await cluster.list(volumeAttributesClasses)).length === 0)
  })

  test('ephemeral volumes get claims of their own, which go with the pod; a foreign claim of that name is told', async () => {
    cluster = await testCluster({ nodes: 1 })
    const template = { metadata: { labels: { tier: 'scratch' } }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
    const scratch = { volumes: [{ name: 'tmp', ephemeral: { volumeClaimTemplate: template } }] }
    await makeVolume(volume('disk', '1Gi'))
    await cluster.client.resource(pods).create(pod('user', scratch))
    await cluster.until('made and bound', async () => (await claimPhase('user-tmp').catch(() => '')) === 'Bound')
    const made = await getClaim('user-tmp')
    expect([made.metadata.labels, made.metadata.ownerReferences?.map(o => [o.kind, o.name, o.controller])]).toEqual([{ tier: 'scratch' }, [['Pod', 'user', true]]])
    await makeClaim(claim('other-tmp'))
    await cluster.client.resource(pods).create(pod('other', scratch))
    await untilTold('other', 'Warning FailedBinding: ephemeral volume tmp: PVC default/other-tmp was not created for pod default/other (pod is not owner)')
    await cluster.client.resource(pods).delete('user', { namespace })
    await cluster.until('collected', async () => (await cluster.list<PersistentVolumeClaim>(persistentVolumeClaims)).every(c => c.metadata.name !== 'user-tmp'), 120_000)
  })

  test('a bound claim that asks for more waits for a resizer', async () => {
    cluster = await testCluster()
    await cluster.client.resource(storageClasses).create(storageClass('grows', { allowVolumeExpansion: true }))
    await makeVolume(volume('disk', '1Gi', { storageClassName: 'grows' }))
    await makeClaim(claim('data', { storageClassName: 'grows' }))
    await cluster.until('bound', async () => (await claimPhase('data')) === 'Bound')
    await cluster.client.resource(persistentVolumeClaims).patch('data', 'merge', { spec: { resources: { requests: { storage: '2Gi' } } } }, { namespace })
    await untilTold('data', 'Normal ExternalExpanding: waiting for an external controller to expand this PVC')
    expect((await getClaim('data')).status?.capacity).toEqual({ storage: '1Gi' })
  })
})
