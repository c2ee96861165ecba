/** Volumes for a pod's claims on one node: those bound already have to be reachable, for the others there has to be one, or a driver that makes one. Pure. */
import { nodeSelectorMatches } from '../../../api/core/v1/node-selector.ts'
import {
  classOfClaim,
  findMatchingVolume,
  isClaimForPod,
  isFullyBound,
  quantityIn,
  volumeAllowsNode,
  volumeAnnotations,
  waitsForConsumer,
} from '../../../api/core/v1/volume-claims.ts'
import type { Node, PersistentVolumeClaim, Pod } from '../../../api/generated/core-v1.ts'
import type { StorageClass } from '../../../api/generated/storage-v1.ts'
import { compareQuantity, parseQuantity } from '../../../api/quantity.ts'
import { labelSelectorMatches } from '../../../api/selectors.ts'
import { claimsOf } from '../../storage-view.ts'
import type { StorageView } from '../../storage-view.ts'

export const reasons = {
  unbound: 'pod has unbound immediate PersistentVolumeClaims',
  conflict: "node(s) didn't find available persistent volumes to bind",
  node: "node(s) didn't match PersistentVolume's node affinity",
  space: 'node(s) did not have enough free storage',
  gone: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
} as const

export interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[]
  /** The smallest first, so that it does not take a volume that another one needs. */
  readonly delayed: readonly PersistentVolumeClaim[]
  /** Why no node will do. */
  readonly refusal?: string
}

const quoted = (name: string | undefined): string => JSON.stringify(name ?? '')

export function sortClaims(pod: Pod, view: StorageView): PodClaims {
  const bound: PersistentVolumeClaim[] = []
  const delayed: PersistentVolumeClaim[] = []
  let immediate = false
  const refuse = (refusal: string): PodClaims => ({ bound, delayed, refusal })
  for (const { name, ephemeral, claim } of claimsOf(pod, view)) {
    if (!claim)
      return refuse(ephemeral ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${quoted(name)}` : `persistentvolumeclaim ${quoted(name)} not found`)
    if (claim.status?.phase === 'Lost') return refuse(`persistentvolumeclaim ${quoted(name)} bound to non-existent persistentvolume ${quoted(claim.spec?.volumeName)}`)
    if (claim.metadata.deletionTimestamp) return refuse(`persistentvolumeclaim ${quoted(name)} is being deleted`)
    if (ephemeral && !isClaimForPod(pod, claim))
      return refuse(`PVC ${claim.metadata.namespace ?? ''}/${name} was not created for pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''} (pod is not owner)`)
    if (isFullyBound(claim)) bound.push(claim)
    else if (waitsForConsumer(view.storageClass(classOfClaim(claim))) && !claim.spec?.volumeName) delayed.push(claim)
    else immediate = true
  }
  if (immediate) return refuse(reasons.unbound)
  const size = (claim: PersistentVolumeClaim) => quantityIn(claim.spec?.resources?.requests)
  return { bound, delayed: delayed.sort((a, b) => compareQuantity(size(a), size(b))) }
}

export interface NodeVolumes {
  /** Name of the volume for each claim. */
  readonly matches: ReadonlyMap<PersistentVolumeClaim, string>
  readonly toProvision: readonly PersistentVolumeClaim[]
}

export function findVolumes({ bound, delayed }: PodClaims, node: Node, view: StorageView): NodeVolumes | { readonly refusals: readonly string[] } {
  for (const claim of bound) {
    const volume = view.volume(claim.spec?.volumeName ?? '')
    if (!volume) return { refusals: [reasons.gone] }
    if (!volumeAllowsNode(volume, node)) return { refusals: [reasons.node] }
  }
  const matches = new Map<PersistentVolumeClaim, string>()
  const toProvision: PersistentVolumeClaim[] = []
  const excluded = new Set(view.reserved)
  for (const claim of delayed) {
    const selected = claim.metadata.annotations?.[volumeAnnotations.selectedNode]
    if (selected !== undefined && selected !== node.metadata.name) return { refusals: [reasons.conflict] }
    const volume = selected === undefined ? findMatchingVolume(claim, view.volumes(), { node, excluded }) : undefined
    if (volume) {
      matches.set(claim, volume.metadata.name ?? '')
      excluded.add(volume.metadata.name ?? '')
      continue
    }
    const refusal = whyNotProvisioned(claim, node, view)
    if (refusal) return { refusals: [refusal] }
    toProvision.push(claim)
  }
  return { matches, toProvision }
}

function whyNotProvisioned(claim: PersistentVolumeClaim, node: Node, view: StorageView): string | undefined {
  const storageClass = view.storageClass(classOfClaim(claim))
  if (!storageClass || storageClass.provisioner === '' || storageClass.provisioner === 'kubernetes.io/no-provisioner') return reasons.conflict
  if (!allowsTopology(storageClass, node)) return reasons.conflict
  if (view.csiDriver(storageClass.provisioner)?.spec.storageCapacity !== true) return undefined
  const wanted = quantityIn(claim.spec?.resources?.requests)
  const hasSpace = view.capacities().some(c => {
    const limit = c.maximumVolumeSize ?? c.capacity
    if (c.storageClassName !== storageClass.metadata.name || limit === undefined || compareQuantity(parseQuantity(limit), wanted) < 0) return false
    return c.nodeTopology !== undefined && labelSelectorMatches(c.nodeTopology, node.metadata.labels)
  })
  return hasSpace ? undefined : reasons.space
}

function allowsTopology(storageClass: StorageClass, node: Node): boolean {
  const terms = storageClass.allowedTopologies ?? []
  if (terms.length === 0) return true
  const nodeSelectorTerms = terms.map(term => ({ matchExpressions: (term.matchLabelExpressions ?? []).map(({ key, values }) => ({ key, operator: 'In' as const, values })) }))
  return nodeSelectorMatches({ nodeSelectorTerms }, node)
}
