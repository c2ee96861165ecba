/** One scheduling decision: filter, then score. Pure. */
import type { Pod } from '../api/generated/core-v1.ts'
import type { NodeInfo, Plugin, Refusal, Snapshot } from './framework.ts'

export interface Fit {
  readonly node: string
  /** Weighted sum by node, of the nodes that passed. */
  readonly scores: ReadonlyMap<string, number>
  readonly feasible: number
}

export interface Misfit {
  /** Why each node was refused, and by which plugin. */
  readonly refusals: ReadonlyMap<string, Refusal & { readonly plugin: string }>
}

export type Decision = { readonly fit: Fit } | { readonly misfit: Misfit }

/** `pick` chooses among nodes of the highest score: an index below `count`. */
export function decide(pod: Pod, snapshot: Snapshot, plugins: readonly Plugin[], pick: (count: number) => number): Decision {
  const states = plugins.map(p => p.prepare?.(pod, snapshot))
  const feasible: NodeInfo[] = []
  const refusals = new Map<string, Refusal & { plugin: string }>()
  for (const node of snapshot.nodes) {
    const refusal = refusalOf(pod, node, plugins, states)
    if (refusal) refusals.set(node.name, refusal)
    else feasible.push(node)
  }
  if (feasible.length === 0) return { misfit: { refusals } }
  const scores = scoreAll(pod, feasible, plugins, states)
  const best = Math.max(...scores.values())
  const top = [...scores].filter(([, s]) => s === best).map(([name]) => name)
  return { fit: { node: top[pick(top.length)] ?? top[0] ?? '', scores, feasible: feasible.length } }
}

/** The first plugin's refusal of a node; undefined when all agree. */
export function refusalOf(pod: Pod, node: NodeInfo, plugins: readonly Plugin[], states: readonly unknown[]): (Refusal & { plugin: string }) | undefined {
  for (const [i, plugin] of plugins.entries()) {
    const refusal = plugin.filter?.(pod, node, states[i])
    if (refusal) return { ...refusal, plugin: plugin.name }
  }
  return undefined
}

function scoreAll(pod: Pod, feasible: readonly NodeInfo[], plugins: readonly Plugin[], states: readonly unknown[]): Map<string, number> {
  const totals = new Map(feasible.map(n => [n.name, 0]))
  if (feasible.length === 1) return totals
  for (const [i, plugin] of plugins.entries()) {
    if (!plugin.score) continue
    const raw = feasible.map(node => plugin.score?.(pod, node, states[i]) ?? 0)
    const scores = plugin.normalize ? plugin.normalize(raw, feasible, states[i]) : raw
    for (const [j, node] of feasible.entries()) totals.set(node.name, (totals.get(node.name) ?? 0) + (scores[j] ?? 0) * (plugin.weight ?? 1))
  }
  return totals
}

/** `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.` and what preemption found. */
export function misfitMessage(misfit: Misfit, nodeCount: number, postFilter: string): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods'
  return `0/${nodeCount} nodes are available:${histogram([...misfit.refusals.values()].flatMap(r => r.reasons))}${postFilter ? ` ${postFilter}` : ''}`
}

/** ` 1 Insufficient cpu, 2 Too many pods.` sorted by bytes; empty for no reasons. */
export function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return parts.length === 0 ? '' : ` ${parts.join(', ')}.`
}
