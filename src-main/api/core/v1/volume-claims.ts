/** Claims and volumes: which fits which, who is bound to whom, and which pods use a claim. Shared by controllers and scheduler; pure. */
import type { Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../generated/core-v1.ts'
import type { StorageClass } from '../../generated/storage-v1.ts'
import { compareQuantity, parseQuantity, zeroQuantity } from '../../quantity.ts'
import type { Quantity } from '../../quantity.ts'
import { labelSelectorMatches } from '../../selectors.ts'
import { nodeSelectorMatches } from './node-selector.ts'

export const volumeAnnotations = {
  /** On claims: binding was completed once. */
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  /** On claims and volumes: the controller chose the other side, not a person. */
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  /** On volumes: the provisioner that made it. */
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  /** On claims: the node that the scheduler chose for the first consumer. */
  selectedNode: 'volume.kubernetes.io/selected-node',
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  storageProvisionerBeta: 'volume.beta.kubernetes.io/storage-provisioner',
} as const

const betaClass = 'volume.beta.kubernetes.io/storage-class'
export const pvcProtectionFinalizer = 'kubernetes.io/pvc-protection'
export const pvProtectionFinalizer = 'kubernetes.io/pv-protection'
export const vacProtectionFinalizer = 'kubernetes.io/vac-protection'

/** The old annotation wins over the field. */
export function classOfClaim(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[betaClass] ?? claim.spec?.storageClassName ?? ''
}
export function classOfVolume(volume: PersistentVolume): string {
  return volume.metadata.annotations?.[betaClass] ?? volume.spec?.storageClassName ?? ''
}

/** True when somebody has chosen a class, the empty one included. */
export function hasClass(claim: PersistentVolumeClaim): boolean {
  return claim.metadata.annotations?.[betaClass] !== undefined || claim.spec?.storageClassName !== undefined
}

export function quantityIn(amounts: Readonly<Record<string, string>> | undefined): Quantity {
  const text = amounts?.['storage']
  return text === undefined ? zeroQuantity : parseQuantity(text)
}

/** The volume names this claim: by name, and by uid once the binding is final. */
export function isVolumeBoundToClaim(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec?.claimRef
  if (!reference || reference.name !== claim.metadata.name || (reference.namespace ?? '') !== (claim.metadata.namespace ?? '')) return false
  return !reference.uid || reference.uid === claim.metadata.uid
}

export function claimKeyOf(reference: ObjectReference): string {
  return `${reference.namespace ?? ''}/${reference.name ?? ''}`
}

const modeOf = (spec: { volumeMode?: string } | undefined): string => spec?.volumeMode ?? 'Filesystem'

export function volumeModesDiffer(claim: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  return modeOf(claim.spec) !== modeOf(volume.spec)
}

export function hasAccessModes(claim: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  return (claim.spec?.accessModes ?? []).every(mode => volume.spec?.accessModes?.includes(mode))
}

/** Why a volume that a person asked for by name does not fit; undefined when it does. The words are Kubernetes'. */
export function mismatchOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`
  if (compareQuantity(quantityIn(volume.spec?.capacity), quantityIn(claim.spec?.resources?.requests)) < 0) return 'requested PV is too small'
  if (classOfVolume(volume) !== classOfClaim(claim)) return 'storageClassName does not match'
  if ((claim.spec?.volumeAttributesClassName ?? '') !== (volume.spec?.volumeAttributesClassName ?? '')) return 'volumeAttributesClassName does not match'
  if (volumeModesDiffer(claim, volume)) return 'incompatible volumeMode'
  if (!hasAccessModes(claim, volume)) return 'incompatible accessMode'
  return undefined
}

export function volumeAllowsNode(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec?.nodeAffinity?.required
  return required === undefined || nodeSelectorMatches(required, node)
}

export interface MatchOptions {
  /** The scheduler asks for a node; the controller does not. */
  readonly node?: Node
  readonly excluded?: ReadonlySet<string>
  /** Without a node: only volumes that are bound to the claim already. */
  readonly delayBinding?: boolean
}

/** The volume bound to the claim, else the smallest that fits; undefined when there is none. */
export function findMatchingVolume(claim: PersistentVolumeClaim, volumes: Iterable<PersistentVolume>, options: MatchOptions = {}): PersistentVolume | undefined {
  const { node, excluded, delayBinding } = options
  const wanted = quantityIn(claim.spec?.resources?.requests)
  const wantedClass = classOfClaim(claim)
  let smallest: PersistentVolume | undefined
  let smallestSize = zeroQuantity
  for (const volume of volumes) {
    if (excluded?.has(volume.metadata.name ?? '')) continue
    const bound = isVolumeBoundToClaim(volume, claim)
    if (volume.spec?.claimRef && !bound) continue
    const size = quantityIn(volume.spec?.capacity)
    if (compareQuantity(size, wanted) < 0 || volumeModesDiffer(claim, volume) || volume.metadata.deletionTimestamp) continue
    if ((claim.spec?.volumeAttributesClassName ?? '') !== (volume.spec?.volumeAttributesClassName ?? '')) continue
    const reachable = node === undefined || volumeAllowsNode(volume, node)
    if (bound) return reachable ? volume : undefined
    if (node === undefined && delayBinding) continue
    if (volume.status?.phase !== 'Available' || classOfVolume(volume) !== wantedClass || !reachable || !hasAccessModes(claim, volume)) continue
    if (claim.spec?.selector && !labelSelectorMatches(claim.spec.selector, volume.metadata.labels)) continue
    if (!smallest || compareQuantity(size, smallestSize) < 0) {
      smallest = volume
      smallestSize = size
    }
  }
  return smallest
}

export function isFullyBound(claim: PersistentVolumeClaim): boolean {
  return Boolean(claim.spec?.volumeName) && claim.metadata.annotations?.[volumeAnnotations.bindCompleted] !== undefined
}

/** Binding of the class's claims waits for a pod. */
export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
}

/** The name of the claim behind a volume of a pod; undefined for other kinds of volumes. */
export function claimNameOf(pod: Pod, volume: Volume): string | undefined {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName
  return volume.ephemeral ? `${pod.metadata.name ?? ''}-${volume.name}` : undefined
}

export function claimNamesOf(pod: Pod): string[] {
  return (pod.spec?.volumes ?? []).flatMap(volume => claimNameOf(pod, volume) ?? [])
}

/** An ephemeral volume's claim has to be the pod's own; another one of that name is somebody else's. */
export function isClaimForPod(pod: Pod, claim: PersistentVolumeClaim): boolean {
  return claim.metadata.ownerReferences?.some(owner => owner.controller && owner.uid === pod.metadata.uid) ?? false
}
