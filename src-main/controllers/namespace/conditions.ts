/** Conditions of a namespace that is being deleted; texts are Kubernetes'. Pure. */
import type { NamespaceCondition } from '../../api/generated/core-v1.ts'
import { formatTime } from '../../api/time.ts'

export interface Remaining {
  /** `pods.` or `deployments.apps` → number of objects left. */
  readonly counts: ReadonlyMap<string, number>
  /** Finalizer → number of objects that carry it. */
  readonly finalizers: ReadonlyMap<string, number>
  readonly deletionFaults: readonly string[]
  readonly discoveryFault?: string
}

export function deletionConditions(present: readonly NamespaceCondition[], remaining: Remaining, nowMs: number): NamespaceCondition[] {
  const list = (map: ReadonlyMap<string, number>, text: (key: string, count: number) => string): string =>
    [...map]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, n]) => text(k, n))
      .join(', ')
  const wanted: NamespaceCondition[] = [
    remaining.discoveryFault
      ? condition('NamespaceDeletionDiscoveryFailure', 'True', 'DiscoveryFailed', remaining.discoveryFault)
      : condition('NamespaceDeletionDiscoveryFailure', 'False', 'ResourcesDiscovered', 'All resources successfully discovered'),
    condition('NamespaceDeletionGroupVersionParsingFailure', 'False', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'),
    remaining.deletionFaults.length > 0
      ? condition(
          'NamespaceDeletionContentFailure',
          'True',
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${remaining.deletionFaults.length} remaining: ${remaining.deletionFaults.join(', ')}`,
        )
      : condition('NamespaceDeletionContentFailure', 'False', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'),
    remaining.counts.size > 0
      ? condition(
          'NamespaceContentRemaining',
          'True',
          'SomeResourcesRemain',
          `Some resources are remaining: ${list(remaining.counts, (k, n) => `${k} has ${n} resource instances`)}`,
        )
      : condition('NamespaceContentRemaining', 'False', 'ContentRemoved', 'All content successfully removed'),
    remaining.finalizers.size > 0
      ? condition(
          'NamespaceFinalizersRemaining',
          'True',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${list(remaining.finalizers, (k, n) => `${k} in ${n} resource instances`)}`,
        )
      : condition('NamespaceFinalizersRemaining', 'False', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'),
  ]
  return wanted.map(next => {
    const before = present.find(c => c.type === next.type)
    if (before && before.status === next.status && before.reason === next.reason && before.message === next.message) return before
    return { ...next, lastTransitionTime: before?.status === next.status && before.lastTransitionTime ? before.lastTransitionTime : formatTime(nowMs) }
  })
}

function condition(type: string, status: string, reason: string, message: string): NamespaceCondition {
  return { type, status, reason, message }
}
