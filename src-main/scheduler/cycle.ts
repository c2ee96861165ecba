/** One scheduling decision: filter, then score. Pure. */
import type { Pod } from '../api/generated/core-v1.ts'
import type { NodeInfo, Plugin, Refusal, Snapshot } from './framework.ts'

export interface Fit {
  readonly node: string
  /** Weighted sum by node, of the nodes that passed. */
  readonly scores: ReadonlyMap<string, number>
  readonly feasible: number
  /** Nodes that were looked at. */
  readonly examined: number
}

export interface Misfit {
  /** Why each node was refused, and by which plugin. */
  readonly refusals: ReadonlyMap<string, Refusal & { readonly plugin: string }>
  /** Said once instead of for each node: no node was asked. */
  readonly everywhere?: string
}

export type Decision = { readonly fit: Fit } | { readonly misfit: Misfit }

/** Where the search begins and when it has enough; by default it looks at every node. */
export interface Search {
  readonly from: number
  /** Feasible nodes that are worth comparing. */
  readonly enough: number
}

/** Below this many nodes all are compared. */
const minCompared = 100

/** As upstream: of many nodes only a part is compared, half of a hundred down to a twentieth of thousands. */
export function enoughNodes(count: number): number {
  if (count <= minCompared) return count
  const percent = Math.max(5, 50 - Math.floor(count / 125))
  return Math.max(minCompared, Math.floor((count * percent) / 100))
}

/** A plugin that has something to say about a pod, and what it prepared. */
interface Asked {
  readonly plugin: Plugin
  readonly state: unknown
}

/** Plugins with their states, once a pod: those that filter, and those that score. */
export interface Prepared {
  readonly filters: readonly Asked[]
  readonly scorers: readonly Asked[]
  /** The first plugin for which no node will do. */
  readonly refusal?: Refusal & { readonly plugin: string }
}

export function prepareAll(pod: Pod, snapshot: Snapshot, plugins: readonly Plugin[]): Prepared {
  const filters: Asked[] = []
  const scorers: Asked[] = []
  for (const plugin of plugins) {
    const state = plugin.prepare?.(pod, snapshot)
    const refusal = plugin.refuse?.(pod, state)
    if (refusal) return { filters, scorers, refusal: { ...refusal, plugin: plugin.name } }
    const skips = plugin.skips?.(pod, state)
    if (plugin.filter && !skips?.filter) filters.push({ plugin, state })
    if (plugin.score && !skips?.score) scorers.push({ plugin, state })
  }
  return { filters, scorers }
}

/** `pick` chooses among nodes of the highest score: an index below `count`. */
export function decide(pod: Pod, snapshot: Snapshot, plugins: readonly Plugin[], pick: (count: number) => number, search?: Search): Decision {
  const { nodes } = snapshot
  const prepared = prepareAll(pod, snapshot, plugins)
  const { refusal: everywhere } = prepared
  if (everywhere) return { misfit: { refusals: new Map(nodes.map(node => [node.name, everywhere])), everywhere: everywhere.reasons.join(', ') } }
  const feasible: NodeInfo[] = []
  const refusals = new Map<string, Refusal & { plugin: string }>()
  const enough = search?.enough ?? nodes.length
  let examined = 0
  for (; examined < nodes.length && feasible.length < enough; examined++) {
    const node = nodes[((search?.from ?? 0) + examined) % nodes.length] as NodeInfo
    const refusal = refusalOf(pod, node, prepared)
    if (refusal) refusals.set(node.name, refusal)
    else feasible.push(node)
  }
  if (feasible.length === 0) return { misfit: { refusals } }
  const scores = scoreAll(pod, feasible, prepared)
  const top = bestOf(scores)
  const chosen = feasible[top[pick(top.length)] ?? top[0] ?? 0]?.name ?? ''
  return {
    fit: {
      node: chosen,
      get scores() {
        return new Map(feasible.map((node, i) => [node.name, scores[i] ?? 0]))
      },
      feasible: feasible.length,
      examined,
    },
  }
}

/** The first plugin's refusal of a node; undefined when all agree. */
export function refusalOf(pod: Pod, node: NodeInfo, { filters, refusal: everywhere }: Prepared): (Refusal & { plugin: string }) | undefined {
  if (everywhere) return everywhere
  for (const { plugin, state } of filters) {
    const refusal = plugin.filter?.(pod, node, state)
    if (refusal) return { ...refusal, plugin: plugin.name }
  }
  return undefined
}

function scoreAll(pod: Pod, feasible: readonly NodeInfo[], { scorers }: Prepared): number[] {
  const totals = new Array<number>(feasible.length).fill(0)
  if (feasible.length === 1) return totals
  for (const { plugin, state } of scorers) {
    const raw = feasible.map(node => plugin.score?.(pod, node, state) ?? 0)
    const scores = plugin.normalize ? plugin.normalize(raw, feasible, state) : raw
    const weight = plugin.weight ?? 1
    for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + (scores[i] ?? 0) * weight
  }
  return totals
}

/** Indexes of the highest. */
function bestOf(scores: readonly number[]): number[] {
  let best = Number.NEGATIVE_INFINITY
  let top: number[] = []
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number
    if (score > best) {
      best = score
      top = [i]
    } else if (score === best) top.push(i)
  }
  return top
}

/** `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.` and what preemption found. */
export function misfitMessage(misfit: Misfit, nodeCount: number, postFilter: string): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods'
  if (misfit.everywhere !== undefined) return `0/${nodeCount} nodes are available: ${misfit.everywhere}.${postFilter ? ` ${postFilter}` : ''}`
  return `0/${nodeCount} nodes are available:${histogram([...misfit.refusals.values()].flatMap(r => r.reasons))}${postFilter ? ` ${postFilter}` : ''}`
}

/** ` 1 Insufficient cpu, 2 Too many pods.` sorted by bytes; empty for no reasons. */
export function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return parts.length === 0 ? '' : ` ${parts.join(', ')}.`
}
