/**
 * Which pods of a workload go first when it shrinks: unassigned before assigned, pending before running, not ready
 * before ready, lower deletion cost, crowded nodes, ready for a shorter time (by powers of two), more restarts, newer.
 */
import type { Pod } from '../api/generated/core-v1.ts'
import { parseTime } from '../api/time.ts'
import { isPodReady, podCondition } from '../api/core/v1/pod-questions.ts'

const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

/** The first `count` pods to delete. `related` are the active pods that share nodes with them (those of sibling replica sets too). */
export function podsToDelete(pods: readonly Pod[], related: readonly Pod[], count: number, nowMs: number): Pod[] {
  if (count >= pods.length) return [...pods]
  const crowd = new Map<string, number>()
  for (const pod of related) if (pod.spec?.nodeName) crowd.set(pod.spec.nodeName, (crowd.get(pod.spec.nodeName) ?? 0) + 1)
  return [...pods].sort((a, b) => order(a, b, crowd, nowMs)).slice(0, Math.max(0, count))
}

function order(a: Pod, b: Pod, crowd: ReadonlyMap<string, number>, nowMs: number): number {
  const steps: (() => number)[] = [
    () => Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName)),
    () => (phases[a.status?.phase ?? 'Pending'] ?? 1) - (phases[b.status?.phase ?? 'Pending'] ?? 1),
    () => Number(isPodReady(a)) - Number(isPodReady(b)),
    () => deletionCost(a) - deletionCost(b),
    () => (crowd.get(b.spec?.nodeName ?? '') ?? 0) - (crowd.get(a.spec?.nodeName ?? '') ?? 0),
    () => ageBucket(readySince(a), nowMs) - ageBucket(readySince(b), nowMs),
    () => restartsOf(b) - restartsOf(a),
    () => ageBucket(created(a), nowMs) - ageBucket(created(b), nowMs),
    () => ((a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1),
  ]
  for (const step of steps) {
    const difference = step()
    if (difference !== 0) return difference
  }
  return 0
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? ''
  return /^(0|[+-]?[1-9]\d{0,9})$/.test(text) ? Number(text) : 0
}

function readySince(pod: Pod): number | undefined {
  const since = podCondition(pod, 'Ready')?.lastTransitionTime
  return isPodReady(pod) && since ? parseTime(since) : undefined
}

function created(pod: Pod): number | undefined {
  return pod.metadata.creationTimestamp ? parseTime(pod.metadata.creationTimestamp) : undefined
}

/** Powers of two of the age in seconds, so that pods of about the same age count as equal; 0 = unknown. */
function ageBucket(sinceMs: number | undefined, nowMs: number): number {
  if (sinceMs === undefined) return 0
  return Math.floor(Math.log2(Math.max(1, (nowMs - sinceMs) / 1000))) + 1
}

function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((most, c) => Math.max(most, c.restartCount), 0)
}
