/** What to do next for a claim or a volume. Pure; reasons, messages and order of decisions are Kubernetes'. */
import {
  claimKeyOf,
  classOfClaim,
  findMatchingVolume,
  hasClass,
  isVolumeBoundToClaim,
  mismatchOf,
  volumeAnnotations,
  volumeModesDiffer,
  waitsForConsumer,
} from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts'
import { isDefaultStorageClass } from '../../api/storage/v1/storage-class.ts'
import type { StorageClass } from '../../api/storage/v1/storage-class.ts'

export interface Told {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

export type ClaimStep =
  | { readonly do: 'bind'; readonly volume: PersistentVolume }
  | { readonly do: 'status'; readonly phase: 'Pending' | 'Lost'; readonly event?: Told }
  | { readonly do: 'assign class'; readonly name: string }
  | { readonly do: 'provision'; readonly provisioner: string }
  | { readonly do: 'tell'; readonly event: Told }

export interface ClaimView {
  readonly volumes: Iterable<PersistentVolume>
  volume(name: string): PersistentVolume | undefined
  readonly classes: readonly StorageClass[]
  /** Names of pods that use the claim and are not placed yet. */
  readonly waitingPods: readonly string[]
}

const warning = (reason: string, message: string): Told => ({ type: 'Warning', reason, message })
const normal = (reason: string, message: string): Told => ({ type: 'Normal', reason, message })

export function planClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimStep {
  return claim.metadata.annotations?.[volumeAnnotations.bindCompleted] === undefined ? planUnbound(claim, view) : planBound(claim, view)
}

function planBound(claim: PersistentVolumeClaim, view: ClaimView): ClaimStep {
  const name = claim.spec?.volumeName
  const lost = (reason: string, message: string): ClaimStep => ({ do: 'status', phase: 'Lost', event: warning(reason, message) })
  if (!name) return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!')
  const volume = view.volume(name)
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  const reference = volume.spec?.claimRef
  if (!reference || reference.uid === claim.metadata.uid) return { do: 'bind', volume }
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
}

function planUnbound(claim: PersistentVolumeClaim, view: ClaimView): ClaimStep {
  const name = claim.spec?.volumeName
  if (name) return planRequested(claim, view.volume(name))
  const storageClass = view.classes.find(c => c.metadata.name === classOfClaim(claim))
  const delayed = waitsForConsumer(storageClass) && !claim.metadata.annotations?.[volumeAnnotations.selectedNode]
  const volume = findMatchingVolume(claim, view.volumes, { delayBinding: delayed })
  if (volume) return { do: 'bind', volume }
  if (!hasClass(claim)) {
    const preset = defaultClass(view.classes)
    if (preset) return { do: 'assign class', name: preset.metadata.name ?? '' }
  }
  if (delayed) return { do: 'status', phase: 'Pending', event: waiting(view.waitingPods) }
  const wanted = classOfClaim(claim)
  if (wanted !== '') return planProvisioning(wanted, storageClass)
  return { do: 'status', phase: 'Pending', event: normal('FailedBinding', 'no persistent volumes available for this claim and no storage class is set') }
}

/** A person named the volume. */
function planRequested(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimStep {
  if (!volume) return { do: 'status', phase: 'Pending' }
  const name = JSON.stringify(volume.metadata.name)
  if (!volume.spec?.claimRef) {
    const mismatch = mismatchOf(volume, claim)
    if (mismatch === undefined) return { do: 'bind', volume }
    return { do: 'status', phase: 'Pending', event: warning('VolumeMismatch', `Cannot bind to requested volume ${name}: ${mismatch}`) }
  }
  if (isVolumeBoundToClaim(volume, claim)) return { do: 'bind', volume }
  return { do: 'status', phase: 'Pending', event: warning('FailedBinding', `volume ${name} already bound to a different claim.`) }
}

function waiting(pods: readonly string[]): Told {
  if (pods.length === 0) return normal('WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  return normal('WaitForPodScheduled', `waiting for pod${pods.length > 1 ? 's' : ''} ${pods.join(',')} to be scheduled`)
}

/** No volume is made here: the one that a class names does that when it sees the annotation. */
function planProvisioning(wanted: string, storageClass: StorageClass | undefined): ClaimStep {
  if (!storageClass) return { do: 'tell', event: warning('ProvisioningFailed', `storageclass.storage.k8s.io ${JSON.stringify(wanted)} not found`) }
  const { provisioner } = storageClass
  if (provisioner.startsWith('kubernetes.io/')) return { do: 'tell', event: warning('ProvisioningFailed', `no volume plugin matched name: ${provisioner}`) }
  return { do: 'provision', provisioner }
}

/** The newest of the default classes; of equals the first by name. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const age = (c: StorageClass): string => c.metadata.creationTimestamp ?? ''
  return classes.filter(isDefaultStorageClass).sort((a, b) => (age(a) === age(b) ? ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1) : age(a) < age(b) ? 1 : -1))[0]
}

export type VolumePhase = 'Available' | 'Bound' | 'Released' | 'Failed'
export type VolumeStep =
  { readonly do: 'phase'; readonly phase: VolumePhase; readonly event?: Told } | { readonly do: 'unbind' } | { readonly do: 'nothing' } | { readonly do: 'tell mismatch' }

/** `claim`: the one that the volume names, of that very uid; undefined when it is gone. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeStep {
  const reference = volume.spec?.claimRef
  if (!reference?.uid) return { do: 'phase', phase: 'Available' }
  if (!claim) return reclaim(volume)
  if (!claim.spec?.volumeName) return volumeModesDiffer(claim, volume) ? { do: 'tell mismatch' } : { do: 'nothing' }
  if (claim.spec.volumeName === volume.metadata.name) return { do: 'phase', phase: 'Bound' }
  const isProvisioned = volume.metadata.annotations?.[volumeAnnotations.provisionedBy] !== undefined
  return isProvisioned && volume.spec?.persistentVolumeReclaimPolicy === 'Delete' ? reclaim(volume) : { do: 'unbind' }
}

/** First everybody is told that it is released; what cannot be carried out here has failed. */
function reclaim(volume: PersistentVolume): VolumeStep {
  const { phase } = volume.status ?? {}
  if (phase !== 'Released' && phase !== 'Failed') return { do: 'phase', phase: 'Released' }
  const event = reclaimFault(volume)
  return event ? { do: 'phase', phase: 'Failed', event } : { do: 'nothing' }
}

function reclaimFault(volume: PersistentVolume): Told | undefined {
  const { persistentVolumeReclaimPolicy: policy, csi } = volume.spec ?? {}
  if (policy === 'Retain') return undefined
  if (policy === 'Recycle') return warning('VolumeFailedRecycle', 'No recycler plugin found for the volume!')
  if (policy !== 'Delete') return warning('VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy')
  const provisioner = volume.metadata.annotations?.[volumeAnnotations.provisionedBy]
  // Whoever made it deletes it.
  if (csi || (provisioner && !provisioner.startsWith('kubernetes.io/'))) return undefined
  if (provisioner) return warning('VolumeFailedDelete', `no volume plugin matched name: ${provisioner}`)
  return warning('VolumeFailedDelete', `error getting deleter volume plugin for volume ${JSON.stringify(volume.metadata.name)}: no deletable volume plugin matched`)
}

/** Whether a change of the volume may let the claim be bound. */
export function concerns(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  if (claim.spec?.volumeName) return claim.spec.volumeName === volume.metadata.name
  const reference = volume.spec?.claimRef
  return reference === undefined || claimKeyOf(reference) === `${claim.metadata.namespace ?? ''}/${claim.metadata.name ?? ''}`
}
