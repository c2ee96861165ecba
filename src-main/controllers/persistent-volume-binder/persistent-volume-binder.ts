/**
 * Binds claims and volumes to each other: the volume is written first, so that whoever sees only half of it can finish
 * it. Claims without a volume are handed to the provisioner that their class names; volumes whose claim is gone are
 * released. Keys are claims (`namespace/name`) and volumes (`name`), one at a time.
 */
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../../api/core/v1/persistent-volume.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { claimKeyOf, isVolumeBoundToClaim, volumeAnnotations } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import { isNotFound } from '../../api/status-error.ts'
import { storageClasses } from '../../api/storage/v1/storage-class.ts'
import { formatTime } from '../../api/time.ts'
import { podsOfClaim, podsOfClaimIndex } from '../../controller-runtime/claim-pods.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { Cache, ControllerContext } from '../../controller-runtime/controller.ts'
import { typed } from '../../controller-runtime/ownership.ts'
import { concerns, planClaim, planVolume } from './plan.ts'
import type { Told, VolumePhase } from './plan.ts'

const openClaims = 'open'
const isOpen = (claim: PersistentVolumeClaim): boolean => claim.metadata.annotations?.[volumeAnnotations.bindCompleted] === undefined
const open = (cache: Cache): readonly PersistentVolumeClaim[] => cache.of(persistentVolumeClaims).byIndex(openClaims, 'yes')

export const persistentVolumeBinder = defineController<PersistentVolumeClaim>({
  name: 'persistent-volume-binder',
  for: persistentVolumeClaims,
  watches: [
    { resource: persistentVolumeClaims, keys: (claim: PersistentVolumeClaim) => (claim.spec?.volumeName ? [claim.spec.volumeName] : []) },
    {
      resource: persistentVolumes,
      keys: (volume: PersistentVolume, { cache }) => [
        volume.metadata.name ?? '',
        ...(volume.spec?.claimRef ? [claimKeyOf(volume.spec.claimRef)] : []),
        ...open(cache)
          .filter(claim => concerns(volume, claim))
          .map(keyOf),
      ],
    },
    { resource: storageClasses, keys: (_class, { cache }) => open(cache).map(keyOf) },
  ],
  reads: [pods],
  writes: [
    { resource: persistentVolumes },
    { resource: persistentVolumes, subresource: 'status' },
    { resource: persistentVolumeClaims },
    { resource: persistentVolumeClaims, subresource: 'status' },
  ],
  indexes: [podsOfClaim, { resource: persistentVolumeClaims, name: openClaims, values: (claim: PersistentVolumeClaim) => (isOpen(claim) ? ['yes'] : []) }],
  // Two claims at once would reach for the same volume.
  workers: 1,
  async reconcile(context, key) {
    if (key.includes('/')) {
      const claim = context.cache.of(persistentVolumeClaims).get(key)
      if (claim) await syncClaim(context, claim)
      return
    }
    const volume = context.cache.of(persistentVolumes).get(key)
    if (volume) await syncVolume(context, volume)
  },
})

async function syncClaim(context: ControllerContext, claim: PersistentVolumeClaim): Promise<void> {
  const { cache, client } = context
  const volumes = cache.of(persistentVolumes)
  const waitingPods = cache
    .of(pods)
    .byIndex(podsOfClaimIndex, keyOf(claim))
    .filter(pod => !pod.spec?.nodeName)
    .map(pod => pod.metadata.name ?? '')
  const step = planClaim(claim, { volumes: volumes.list(), volume: name => volumes.get(name), classes: cache.of(storageClasses).list(), waitingPods })
  const tell = (event: Told | undefined): void => {
    if (event) context.events.event(typed(persistentVolumeClaims, claim), event.type, event.reason, event.message)
  }
  switch (step.do) {
    case 'bind':
      await bind(context, step.volume, claim)
      return
    case 'assign class':
      await client.resource(persistentVolumeClaims).update({ ...claim, spec: { ...claim.spec, storageClassName: step.name } })
      return
    case 'provision':
      await askProvisioner(context, claim, step.provisioner)
      return
    case 'tell':
      tell(step.event)
      return
    case 'status': {
      const { accessModes: _modes, capacity: _capacity, currentVolumeAttributesClassName: _class, ...rest } = claim.status ?? {}
      const status = { ...rest, phase: step.phase }
      // What was lost stays so; it is told once.
      if (step.phase !== 'Lost' || claim.status?.phase !== 'Lost') tell(step.event)
      if (!deepEqual(status, claim.status)) await client.resource(persistentVolumeClaims).updateStatus({ ...claim, status })
    }
  }
}

async function askProvisioner({ client, events }: ControllerContext, claim: PersistentVolumeClaim, provisioner: string): Promise<void> {
  const annotations = { ...claim.metadata.annotations, [volumeAnnotations.storageProvisioner]: provisioner, [volumeAnnotations.storageProvisionerBeta]: provisioner }
  if (!deepEqual(annotations, claim.metadata.annotations)) await client.resource(persistentVolumeClaims).update({ ...claim, metadata: { ...claim.metadata, annotations } })
  const text = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
  events.event(typed(persistentVolumeClaims, claim), 'Normal', 'ExternalProvisioning', text)
}

/** Four writes, each only where needed; after any of them the rest can be done by a later look. */
async function bind(context: ControllerContext, volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
  const named = await nameClaim(context, volume, claim)
  await writePhase(context, named, 'Bound')
  const name = named.metadata.name ?? ''
  const isNamed = claim.spec?.volumeName === name
  const annotations = { ...claim.metadata.annotations, [volumeAnnotations.bindCompleted]: 'yes', ...(isNamed ? {} : { [volumeAnnotations.boundByController]: 'yes' }) }
  let bound = claim
  if (!isNamed || isOpen(claim)) {
    bound = await context.client.resource(persistentVolumeClaims).update({ ...claim, metadata: { ...claim.metadata, annotations }, spec: { ...claim.spec, volumeName: name } })
  }
  const status = boundStatus(bound, named)
  if (!deepEqual(status, bound.status)) await context.client.resource(persistentVolumeClaims).updateStatus({ ...bound, status })
}

/** Sizes are taken over when the claim becomes bound; later they are the resizer's. */
function boundStatus(claim: PersistentVolumeClaim, volume: PersistentVolume): PersistentVolumeClaimStatus {
  const status: PersistentVolumeClaimStatus = { ...claim.status, phase: 'Bound' }
  if (volume.spec?.accessModes) status.accessModes = volume.spec.accessModes
  if (claim.status?.phase === 'Bound') return status
  if (volume.spec?.capacity) status.capacity = volume.spec.capacity
  if (volume.spec?.volumeAttributesClassName) status.currentVolumeAttributesClassName = volume.spec.volumeAttributesClassName
  return status
}

async function nameClaim({ client }: ControllerContext, volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<PersistentVolume> {
  const { namespace = '', name = '', uid = '', resourceVersion = '' } = claim.metadata
  if (volume.spec?.claimRef?.uid === uid && isVolumeBoundToClaim(volume, claim)) return volume
  const wasNamed = isVolumeBoundToClaim(volume, claim)
  const annotations = { ...volume.metadata.annotations, ...(wasNamed ? {} : { [volumeAnnotations.boundByController]: 'yes' }) }
  const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid, resourceVersion }
  return client.resource(persistentVolumes).update({ ...volume, metadata: { ...volume.metadata, annotations }, spec: { ...volume.spec, claimRef } })
}

async function writePhase(context: ControllerContext, volume: PersistentVolume, phase: VolumePhase, event?: Told): Promise<void> {
  const message = event?.message
  if (volume.status?.phase === phase && volume.status.message === message) return
  const { message: _message, reason: _reason, ...rest } = volume.status ?? {}
  const moved = volume.status?.phase === phase ? {} : { lastPhaseTransitionTime: formatTime(context.env.clock.now()) }
  const status = { ...rest, phase, ...moved, ...(message === undefined ? {} : { message }) }
  await context.client.resource(persistentVolumes).updateStatus({ ...volume, status })
  if (event) context.events.event(typed(persistentVolumes, volume), event.type, event.reason, event.message)
}

async function syncVolume(context: ControllerContext, volume: PersistentVolume): Promise<void> {
  const claim = await claimOf(context, volume)
  const step = planVolume(volume, claim)
  if (step.do === 'phase') await writePhase(context, volume, step.phase, step.event)
  else if (step.do === 'unbind') await unbind(context, volume)
  else if (step.do === 'tell mismatch' && claim) tellMismatch(context, volume, claim)
}

/** The claim of that very uid. The cache may be late: before a volume is taken for released the API is asked. */
async function claimOf({ cache, client }: ControllerContext, volume: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
  const reference = volume.spec?.claimRef
  if (!reference?.uid) return undefined
  const cached = cache.of(persistentVolumeClaims).get(claimKeyOf(reference))
  if (cached?.metadata.uid === reference.uid) return cached
  if (!cached && (volume.status?.phase === 'Released' || volume.status?.phase === 'Failed')) return undefined
  try {
    const live = await client.resource(persistentVolumeClaims).get(reference.name ?? '', { namespace: reference.namespace ?? '' })
    return live.metadata.uid === reference.uid ? live : undefined
  } catch (fault) {
    if (isNotFound(fault)) return undefined
    throw fault
  }
}

/** What the controller wrote is taken back whole; what a person wrote stays, without the uid. */
async function unbind({ client }: ControllerContext, volume: PersistentVolume): Promise<void> {
  const { [volumeAnnotations.boundByController]: byController, ...annotations } = volume.metadata.annotations ?? {}
  const { claimRef, ...spec } = volume.spec ?? {}
  const { uid: _uid, ...named } = claimRef ?? {}
  const next = byController === undefined ? { ...spec, claimRef: named } : spec
  await client.resource(persistentVolumes).update({ ...volume, metadata: { ...volume.metadata, annotations }, spec: next })
}

function tellMismatch({ events }: ControllerContext, volume: PersistentVolume, claim: PersistentVolumeClaim): void {
  const why = 'due to incompatible volumeMode.'
  events.event(
    typed(persistentVolumes, volume),
    'Warning',
    'VolumeMismatch',
    `Cannot bind PersistentVolume to requested PersistentVolumeClaim ${JSON.stringify(claim.metadata.name)} ${why}`,
  )
  events.event(
    typed(persistentVolumeClaims, claim),
    'Warning',
    'VolumeMismatch',
    `Cannot bind PersistentVolume ${JSON.stringify(volume.metadata.name)} to requested PersistentVolumeClaim ${why}`,
  )
}
