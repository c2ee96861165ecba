/** matchLabelKeys of affinity terms and spread constraints: the pod's own values of these labels narrow the selector. Pure. */
import type { Pod } from '../api/generated/core-v1.ts'
import type { LabelSelector } from '../api/meta.ts'

interface Term {
  labelSelector?: LabelSelector
  matchLabelKeys?: string[]
  mismatchLabelKeys?: string[]
}

/** The API server merges these on create for pods made there; simulated pods come without. Adding them twice does no harm. */
export function withMatchLabelKeys<T extends Term>(term: T, pod: Pod): T {
  const labels = pod.metadata.labels ?? {}
  const requirements = [
    ...(term.matchLabelKeys ?? []).filter(k => labels[k] !== undefined).map(key => ({ key, operator: 'In', values: [labels[key] ?? ''] })),
    ...(term.mismatchLabelKeys ?? []).filter(k => labels[k] !== undefined).map(key => ({ key, operator: 'NotIn', values: [labels[key] ?? ''] })),
  ]
  if (requirements.length === 0 || !term.labelSelector) return term
  return { ...term, labelSelector: { ...term.labelSelector, matchExpressions: [...(term.labelSelector.matchExpressions ?? []), ...requirements] } }
}
