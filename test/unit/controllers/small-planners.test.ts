import { describe, expect, test } from 'vitest'
import type { Job } from '../../../src-main/api/generated/batch-v1.ts'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../src-main/api/generated/core-v1.ts'
import type { StorageClass } from '../../../src-main/api/generated/storage-v1.ts'
import { jobs, nodes } from '../../../src-main/api/resources.ts'
import { nextStep, ttlAnnotation } from '../../../src-main/controllers/node-ttl/node-ttl.ts'
import { defaultClass, planClaim, planVolume } from '../../../src-main/controllers/persistent-volume-binder/plan.ts'
import { wantedFinalizers } from '../../../src-main/controllers/pv-protection/pv-protection.ts'
import { holdsClaim } from '../../../src-main/controllers/pvc-protection/plan.ts'
import { timeLeftMs } from '../../../src-main/controllers/ttl-after-finished/ttl-after-finished.ts'
import { testCluster } from '../../support/cluster.ts'

describe('node TTL', () => {
  test.each([
    [0, 100, 0],
    [0, 101, 1],
    [1, 90, 1],
    [1, 89, 0],
    [0, 5000, 4],
    [4, 10, 0],
  ])('from step %i with %i nodes to step %i', (step, count, expected) => {
    expect(nextStep(step, count)).toBe(expected)
  })

  test('is written on every node', async () => {
    const cluster = await testCluster({ nodes: 2 })
    await cluster.until('written', async () => (await cluster.client.resource(nodes).list()).items.every(n => n.metadata.annotations?.[ttlAnnotation] === '0'))
    await cluster.stop()
  })
})

describe('TTL after finished', () => {
  const ended = (type: string, more: Partial<Job['metadata']> = {}, ttlSecondsAfterFinished: number | undefined = 100): Job => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j', ...more },
    spec: { template: {}, ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }) },
    status: { conditions: [{ type, status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  })
  const at = (seconds: number): number => Date.UTC(2026, 0, 1) + seconds * 1000

  test.each<[string, Job, number, number | undefined]>([
    ['complete, early', ended('Complete'), 40, 60_000],
    ['failed, due', ended('Failed'), 100, 0],
    ['clock set back', ended('Complete'), -50, 150_000],
    ['only suspended', ended('Suspended'), 500, undefined],
    ['being deleted', ended('Complete', { deletionTimestamp: '2026-01-01T00:00:00Z' }), 500, undefined],
    ['no TTL', { ...ended('Complete'), spec: { template: {} } }, 500, undefined],
  ])('%s', (_name, job, seconds, expected) => {
    expect(timeLeftMs(job, at(seconds))).toBe(expected)
  })

  test('deletes a job and its pods when it is time, and not when it got more', async () => {
    const cluster = await testCluster({ nodes: 1 })
    const job = (name: string): Job => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: { ttlSecondsAfterFinished: 30, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'exit-0' }] } } },
    })
    for (const name of ['goes', 'stays']) await cluster.client.resource(jobs).create(job(name))
    await cluster.until('complete', async () => (await cluster.list<Job>(jobs, 'default')).every(j => j.status?.conditions?.some(c => c.type === 'Complete')))
    await cluster.client.resource(jobs).patch('stays', 'merge', { spec: { ttlSecondsAfterFinished: 3600 } }, { namespace: 'default' })
    await cluster.env.advance(20_000)
    expect((await cluster.list<Job>(jobs, 'default')).length).toBe(2)
    await cluster.until('one gone', async () => (await cluster.list<Job>(jobs, 'default')).length === 1)
    expect((await cluster.list<Job>(jobs, 'default'))[0]?.metadata.name).toBe('stays')
    await cluster.stop()
  })
})

describe('volumes', () => {
  const claim = (spec: PersistentVolumeClaim['spec'], annotations: Record<string, string> = {}): PersistentVolumeClaim => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'n', uid: 'u1', annotations },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  })
  const volume = (
    spec: PersistentVolume['spec'] = {},
    status: PersistentVolume['status'] = { phase: 'Available' },
    annotations: Record<string, string> = {},
  ): PersistentVolume => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'v', annotations },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', ...spec },
    status,
  })
  const storageClass = (name: string, time: string, isDefault = true): StorageClass => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, creationTimestamp: time, annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) } },
    provisioner: 'p',
  })
  const view = (volumes: PersistentVolume[], classes: StorageClass[] = []) => ({
    volumes,
    volume: (name: string) => volumes.find(v => v.metadata.name === name),
    classes,
    waitingPods: [],
  })
  const done = { 'pv.kubernetes.io/bind-completed': 'yes' }
  const mine = { namespace: 'n', name: 'c', uid: 'u1' }

  test.each<[string, PersistentVolumeClaim, PersistentVolume[], string]>([
    ['fits', claim({}), [volume()], 'bind'],
    ['too small', claim({}), [volume({ capacity: { storage: '1Mi' } })], 'status Pending'],
    ['other modes', claim({ accessModes: ['ReadWriteMany'] }), [volume()], 'status Pending'],
    ['a block device', claim({ volumeMode: 'Block' }), [volume()], 'status Pending'],
    ['labels do not match', claim({ selector: { matchLabels: { a: 'b' } } }), [volume()], 'status Pending'],
    ['not available yet', claim({}), [volume({}, { phase: 'Pending' })], 'status Pending'],
    ['reserved for another', claim({}), [volume({ claimRef: { namespace: 'n', name: 'x' } })], 'status Pending'],
    ['reserved for an older one of that name', claim({}), [volume({ claimRef: { ...mine, uid: 'u0' } })], 'status Pending'],
    ['half bound', claim({}), [volume({ claimRef: mine }, { phase: 'Bound' })], 'bind'],
    ['bound and gone', claim({ volumeName: 'v' }, done), [], 'status Lost'],
    ['bound, volume forgot', claim({ volumeName: 'v' }, done), [volume()], 'bind'],
    ['bound twice', claim({ volumeName: 'v' }, done), [volume({ claimRef: { ...mine, uid: 'u2' } })], 'status Lost'],
    ['named and missing', claim({ volumeName: 'v' }), [], 'status Pending'],
  ])('claim: %s', (_name, object, volumes, expected) => {
    const step = planClaim(object, view(volumes))
    expect(step.do === 'status' ? `status ${step.phase}` : step.do).toBe(expected)
  })

  test.each<[string, PersistentVolume, PersistentVolumeClaim | undefined, string]>([
    ['free', volume(), undefined, 'Available'],
    ['reserved', volume({ claimRef: { namespace: 'n', name: 'c' } }), undefined, 'Available'],
    ['bound', volume({ claimRef: mine }), claim({ volumeName: 'v' }), 'Bound'],
    ['claim not there yet', volume({ claimRef: mine }), claim({}), 'nothing'],
    ['claim of another mode', volume({ claimRef: mine, volumeMode: 'Block' }), claim({}), 'tell mismatch'],
    ['claim went elsewhere', volume({ claimRef: mine }), claim({ volumeName: 'w' }), 'unbind'],
    [
      'made for a claim that went elsewhere',
      volume({ claimRef: mine, persistentVolumeReclaimPolicy: 'Delete' }, {}, { 'pv.kubernetes.io/provisioned-by': 'p' }),
      claim({ volumeName: 'w' }),
      'Released',
    ],
    ['claim gone', volume({ claimRef: mine }, { phase: 'Bound' }), undefined, 'Released'],
    ['retained', volume({ claimRef: mine }, { phase: 'Released' }), undefined, 'nothing'],
    ['to be recycled', volume({ claimRef: mine, persistentVolumeReclaimPolicy: 'Recycle' }, { phase: 'Released' }), undefined, 'Failed'],
    [
      'deleted by its driver',
      volume({ claimRef: mine, persistentVolumeReclaimPolicy: 'Delete', csi: { driver: 'd', volumeHandle: 'h' } }, { phase: 'Released' }),
      undefined,
      'nothing',
    ],
  ])('volume: %s', (_name, object, of, expected) => {
    const step = planVolume(object, of)
    expect(step.do === 'phase' ? step.phase : step.do).toBe(expected)
  })

  test('the newest default class is the default', () => {
    expect(
      defaultClass([
        storageClass('a', '2026-01-01T00:00:00Z'),
        storageClass('c', '2026-01-02T00:00:00Z'),
        storageClass('b', '2026-01-02T00:00:00Z'),
        storageClass('d', '2026-01-03T00:00:00Z', false),
      ])?.metadata.name,
    ).toBe('b')
  })

  test.each<[string, Partial<PersistentVolume>, string[] | undefined]>([
    ['new', {}, ['kubernetes.io/pv-protection']],
    ['bound and deleted', { metadata: { deletionTimestamp: 'x', finalizers: ['kubernetes.io/pv-protection'] }, status: { phase: 'Bound' } }, undefined],
    ['free and deleted', { metadata: { deletionTimestamp: 'x', finalizers: ['a', 'kubernetes.io/pv-protection'] }, status: { phase: 'Released' } }, ['a']],
    ['deleted without it', { metadata: { deletionTimestamp: 'x', finalizers: ['a'] } }, undefined],
  ])('protection: %s', (_name, more, expected) => {
    expect(wantedFinalizers({ ...volume(), ...more })).toEqual(expected)
  })

  test('only placed pods hold a claim, and own ephemeral ones until they are shut down', () => {
    const pod = (more: Partial<Pod['metadata']>, spec: Partial<Pod['spec'] & object>): Pod => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'n', uid: 'pu', ...more },
      spec: { containers: [], ...spec },
    })
    const uses = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }
    const own = { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: {} } } }], nodeName: 'x' }
    const ownClaim: PersistentVolumeClaim = {
      ...claim({}),
      metadata: { name: 'p-v', namespace: 'n', ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'pu', controller: true }] },
    }
    expect([
      holdsClaim(pod({}, uses), claim({})),
      holdsClaim(pod({}, { ...uses, nodeName: 'x' }), claim({})),
      holdsClaim(pod({}, own), ownClaim),
      holdsClaim(pod({ uid: 'other' }, own), ownClaim),
      holdsClaim(pod({ deletionTimestamp: 'x', deletionGracePeriodSeconds: 0 }, own), ownClaim),
    ]).toEqual([false, true, true, false, false])
  })
})
