/** Who owns the claims of a stateful set: nobody by default; the set or the pod, where claims are to go with them. Pure. */
import { statefulSets } from '../../api/apps/v1/stateful-set.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { StatefulSet } from '../../api/generated/apps-v1.ts'
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import type { KubernetesObject, OwnerReference } from '../../api/meta.ts'
import { controllerRef, typed } from '../../controller-runtime/ownership.ts'
import { ordinalOf } from './plan.ts'

const names = (reference: OwnerReference, object: KubernetesObject, apiVersion: string, kind: string): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === object.metadata.name

const namesSet = (reference: OwnerReference, set: StatefulSet): boolean => names(reference, set, 'apps/v1', 'StatefulSet')
const namesPod = (reference: OwnerReference, pod: Pod): boolean => names(reference, pod, 'v1', 'Pod')

/** Somebody else controls the claim: the set's policy does not count for it. */
export function hasOtherController(claim: PersistentVolumeClaim, set: StatefulSet, pod: Pod): boolean {
  return claim.metadata.ownerReferences?.some(r => r.controller && !namesSet(r, set) && !namesPod(r, pod)) ?? false
}

export function isInRange(set: StatefulSet, ordinal: number): boolean {
  const start = set.spec.ordinals?.start ?? 0
  return ordinal >= start && ordinal < start + (set.spec.replicas ?? 1)
}

/** The references that a claim should have; undefined when it has them. */
export function wantedOwners(claim: PersistentVolumeClaim, set: StatefulSet, pod: Pod): OwnerReference[] | undefined {
  const present = claim.metadata.ownerReferences ?? []
  const others = present.filter(r => !namesSet(r, set) && !namesPod(r, pod))
  const { whenScaled = 'Retain', whenDeleted = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const wanted = [...others]
  if (!hasOtherController(claim, set, pod)) {
    const isCondemned = !isInRange(set, ordinalOf(set, pod))
    if (whenScaled === 'Delete' && isCondemned) wanted.push(controllerRef(typed(pods, pod)))
    else if (whenDeleted === 'Delete') wanted.push(controllerRef(typed(statefulSets, set)))
  }
  return deepEqual(wanted, present) ? undefined : wanted
}

/** The claim still belongs to an earlier pod of that name: it will be deleted, and a new pod must not use it. */
export function isStale(claim: PersistentVolumeClaim, set: StatefulSet, podName: string): boolean {
  if (set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return false
  return claim.metadata.ownerReferences?.some(r => r.apiVersion === 'v1' && r.kind === 'Pod' && r.name === podName) ?? false
}
