/** Finds pods of lower priority whose removal would let a pod run. Pure; simpler than upstream's: budgets are respected as a preference. */
import type { Pod } from '../api/generated/core-v1.ts'
import type { PodDisruptionBudget } from '../api/generated/policy-v1.ts'
import { labelSelectorMatches } from '../api/selectors.ts'
import { histogram, prepareAll, refusalOf } from './cycle.ts'
import type { Misfit } from './cycle.ts'
import type { NodeInfo, Plugin, Snapshot } from './framework.ts'
import { withoutPods } from './node-info.ts'
import { withoutPlaced } from './placement-index.ts'

export interface Preemption {
  readonly node: string
  readonly victims: readonly Pod[]
}
export type PreemptionResult = { readonly preemption: Preemption } | { readonly message: string }

export const priorityOf = (pod: Pod): number => pod.spec?.priority ?? 0

export function preempt(pod: Pod, snapshot: Snapshot, plugins: readonly Plugin[], misfit: Misfit, budgets: readonly PodDisruptionBudget[]): PreemptionResult {
  if (pod.spec?.preemptionPolicy === 'Never') return { message: 'preemption: not eligible due to preemptionPolicy=Never.' }
  const reasons: string[] = []
  const candidates: (Preemption & { violations: number })[] = []
  for (const node of snapshot.nodes) {
    if (misfit.refusals.get(node.name)?.unresolvable) {
      reasons.push('Preemption is not helpful for scheduling')
      continue
    }
    const victims = victimsOn(pod, node, snapshot, plugins)
    if (!victims) reasons.push('No preemption victims found for incoming pod')
    else if (typeof victims === 'string') reasons.push(victims)
    else candidates.push({ node: node.name, victims, violations: violationsOf(victims, budgets) })
  }
  const best = candidates.sort(compare)[0]
  if (best) return { preemption: { node: best.node, victims: best.victims } }
  return { message: `preemption: 0/${snapshot.nodes.length} nodes are available:${histogram(reasons)}` }
}

/** The fewest, least important pods that must go; undefined when there is nobody of lower priority; a reason when it would not help. */
function victimsOn(pod: Pod, node: NodeInfo, snapshot: Snapshot, plugins: readonly Plugin[]): Pod[] | string | undefined {
  const lower = node.pods.filter(p => priorityOf(p) < priorityOf(pod))
  if (lower.length === 0) return undefined
  const fits = (gone: ReadonlySet<Pod>): string | undefined => {
    const left = withoutPods(node, gone)
    const after: Snapshot = { ...snapshot, nodes: snapshot.nodes.map(n => (n.name === node.name ? left : n)), placed: withoutPlaced(snapshot.placed, node.node, gone) }
    return refusalOf(pod, left, prepareAll(pod, after, plugins))?.reasons[0]
  }
  const gone = new Set(lower)
  const refusal = fits(gone)
  if (refusal !== undefined) return refusal
  // The most important first: each that can stay, stays.
  for (const candidate of [...lower].sort((a, b) => priorityOf(b) - priorityOf(a))) {
    gone.delete(candidate)
    if (fits(gone) !== undefined) gone.add(candidate)
  }
  return [...gone]
}

function violationsOf(victims: readonly Pod[], budgets: readonly PodDisruptionBudget[]): number {
  const left = new Map(budgets.map(b => [b, b.status?.disruptionsAllowed ?? 0]))
  let violations = 0
  for (const victim of victims) {
    for (const budget of budgets) {
      if (budget.metadata.namespace !== victim.metadata.namespace || !budget.spec?.selector || !labelSelectorMatches(budget.spec.selector, victim.metadata.labels ?? {})) continue
      const allowed = (left.get(budget) ?? 0) - 1
      left.set(budget, allowed)
      if (allowed < 0) violations++
    }
  }
  return violations
}

/** Fewest budget violations, then the lowest highest priority, the smallest sum, the fewest victims. */
function compare(a: Preemption & { violations: number }, b: Preemption & { violations: number }): number {
  const highest = (p: Preemption): number => Math.max(...p.victims.map(priorityOf))
  const sum = (p: Preemption): number => p.victims.reduce((n, v) => n + priorityOf(v) + 2 ** 31, 0)
  return a.violations - b.violations || highest(a) - highest(b) || sum(a) - sum(b) || a.victims.length - b.victims.length
}
