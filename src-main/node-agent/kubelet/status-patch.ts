/** The smallest strategic merge patch that brings a pod's status in the API to what the node knows, or undefined. Pure. */
import type { Pod, PodStatus } from '../../api/generated/core-v1.ts'

/** Fields that the kubelet owns: absent in the new status means removed. */
const ownFields = [
  'phase',
  'reason',
  'message',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'startTime',
  'containerStatuses',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
  'qosClass',
  'observedGeneration',
] as const

export function statusPatch(pod: Pod, next: PodStatus): unknown {
  const before: Partial<PodStatus> = pod.status ?? {}
  const status: Record<string, unknown> = {}
  for (const field of ownFields) {
    if (same(before[field], next[field])) continue
    const value = next[field]
    // Addresses merge by their value: the old ones have to go.
    if ((field === 'podIPs' || field === 'hostIPs') && Array.isArray(value)) status[field] = [{ $patch: 'replace' }, ...(value as unknown[])]
    else status[field] = value ?? null
  }
  const conditions = (next.conditions ?? []).filter(
    condition =>
      !same(
        before.conditions?.find(c => c.type === condition.type),
        condition,
      ),
  )
  if (conditions.length > 0) {
    // Merged by type; a reason or message that is gone has to be said.
    status['conditions'] = conditions.map(c => ({ reason: null, message: null, ...c }))
  }
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid: pod.metadata.uid }, status }
}

/** Equal as JSON: order of keys and undefined or null members do not count. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? undefined) === (b ?? undefined)
  if (typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return false
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) if (!same(left[key], right[key])) return false
  return true
}
