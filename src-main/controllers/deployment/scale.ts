/** Sizes that a deployment's replica sets should have next: rolling update and proportional scaling. Pure. */
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts'
import { desiredAnnotation, isRolling, maxAnnotation, maxSurge, maxUnavailable, newSize, oldestFirst, sizeOf, totalAvailable, totalSize, wanted } from './replica-sets.ts'

export interface Resize {
  readonly replicaSet: ReplicaSet
  readonly size: number
}

/** The new replica set's growth (or cut, when the deployment shrank). */
export function resizeNew(d: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const size = sizeOf(current)
  if (size === wanted(d)) return []
  const next = size > wanted(d) ? wanted(d) : newSize(d, old, size)
  return next === size ? [] : [{ replicaSet: current, size: next }]
}

/** Old replica sets' cuts: first pods that are not available anyway, then as far as maxUnavailable allows. */
export function shrinkOld(d: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const oldest = oldestFirst(old)
  if (totalSize(oldest) === 0) return []
  const minAvailable = wanted(d) - maxUnavailable(d)
  const newUnavailable = sizeOf(current) - (current.status?.availableReplicas ?? 0)
  const most = totalSize([...oldest, current]) - minAvailable - newUnavailable
  if (most <= 0) return []
  const sizes = new Map(oldest.map(rs => [rs, sizeOf(rs)]))
  let cleaned = 0
  for (const rs of oldest) {
    const cut = Math.min(most - cleaned, Math.max(0, sizeOf(rs) - (rs.status?.availableReplicas ?? 0)))
    if (cut > 0) {
      sizes.set(rs, sizeOf(rs) - cut)
      cleaned += cut
    }
  }
  let spare = totalAvailable([...oldest, current]) - minAvailable
  for (const rs of oldest) {
    if (spare <= 0) break
    const size = sizes.get(rs) ?? 0
    const cut = Math.min(size, spare)
    if (cut > 0) {
      sizes.set(rs, size - cut)
      spare -= cut
    }
  }
  return oldest.filter(rs => sizes.get(rs) !== sizeOf(rs)).map(rs => ({ replicaSet: rs, size: sizes.get(rs) ?? 0 }))
}

/** Everything old to zero, for Recreate. */
export function removeOld(old: readonly ReplicaSet[]): Resize[] {
  return old.filter(rs => sizeOf(rs) > 0).map(rs => ({ replicaSet: rs, size: 0 }))
}

/** True when some replica set was sized for another `spec.replicas` than the present one. */
export function isScaling(d: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some(rs => sizeOf(rs) > 0 && rs.metadata.annotations?.[desiredAnnotation] !== undefined && Number(rs.metadata.annotations[desiredAnnotation]) !== wanted(d))
}

/** The deployment was scaled (or is paused): one replica set takes it all, several share it in proportion. */
export function scaleAll(d: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): Resize[] {
  const sets = [...old, ...(current ? [current] : [])]
  const active = sets.filter(rs => sizeOf(rs) > 0)
  if (active.length <= 1) {
    const only = active[0] ?? current ?? oldestFirst(old).at(-1)
    return only ? [{ replicaSet: only, size: wanted(d) }] : []
  }
  if (isSaturated(d, current)) return removeOld(old)
  return isRolling(d) ? proportional(d, active) : []
}

function isSaturated(d: Deployment, rs: ReplicaSet | undefined): boolean {
  return rs !== undefined && Number(rs.metadata.annotations?.[desiredAnnotation]) === wanted(d) && sizeOf(rs) === wanted(d) && (rs.status?.availableReplicas ?? 0) === wanted(d)
}

function proportional(d: Deployment, active: readonly ReplicaSet[]): Resize[] {
  const allowed = wanted(d) > 0 ? wanted(d) + maxSurge(d) : 0
  const toAdd = allowed - totalSize(active)
  const byAge = oldestFirst(active)
  // The largest first; among equals the newer grows first and the older shrinks first.
  const order = (toAdd > 0 ? byAge.reverse() : byAge).sort((a, b) => sizeOf(b) - sizeOf(a))
  let added = 0
  const sizes = order.map(rs => {
    const share = toAdd === 0 || toAdd === added ? 0 : shareOf(d, rs)
    const part = toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added)
    added += part
    return sizeOf(rs) + part
  })
  sizes[0] = Math.max(0, (sizes[0] ?? 0) + toAdd - added)
  return order.map((replicaSet, i) => ({ replicaSet, size: Math.max(0, sizes[i] ?? 0) }))
}

function shareOf(d: Deployment, rs: ReplicaSet): number {
  if (wanted(d) === 0) return -sizeOf(rs)
  const before = Number(rs.metadata.annotations?.[maxAnnotation]) || (d.status?.replicas ?? 0)
  if (before === 0) return 0
  return Math.round((sizeOf(rs) * (wanted(d) + maxSurge(d))) / before) - sizeOf(rs)
}
