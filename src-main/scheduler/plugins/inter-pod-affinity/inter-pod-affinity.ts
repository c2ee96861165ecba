/** Pod affinity and anti-affinity, of the new pod and of those that run; preferred terms score. */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Pod, PodAffinityTerm } from '../../../api/generated/core-v1.ts'
import { labelSelectorMatches } from '../../../api/selectors.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo, Snapshot } from '../../framework.ts'
import { withMatchLabelKeys } from '../../match-label-keys.ts'

/** `key=value` of a topology → count or weight. */
type Topologies = Map<string, number>

interface State {
  readonly required: readonly PodAffinityTerm[]
  readonly anti: readonly PodAffinityTerm[]
  /** For each required term, pods per topology that match it. */
  readonly affinityCounts: readonly Topologies[]
  readonly antiCounts: readonly Topologies[]
  /** Topologies in which running pods do not want this one. */
  readonly existingAnti: ReadonlySet<string>
  readonly weights: Topologies
}

const required = (pod: Pod): PodAffinityTerm[] => pod.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
const requiredAnti = (pod: Pod): PodAffinityTerm[] => pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []

export const interPodAffinity = definePlugin<State>({
  name: 'InterPodAffinity',
  weight: 2,
  prepare,
  filter: (pod, node, state) => {
    if (!state.required.every((term, i) => satisfied(pod, node, term, state.affinityCounts[i] ?? new Map(), state)))
      return { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true }
    for (const [i, term] of state.anti.entries()) {
      const topology = topologyOf(node, term.topologyKey)
      if (topology !== undefined && (state.antiCounts[i]?.get(topology) ?? 0) > 0) return { reasons: ["node(s) didn't match pod anti-affinity rules"] }
    }
    for (const key of Object.entries(node.node.metadata.labels ?? {}))
      if (state.existingAnti.has(key.join('='))) return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] }
    return undefined
  },
  score: (_pod, node, state) => {
    let sum = 0
    for (const key of Object.entries(node.node.metadata.labels ?? {})) sum += state.weights.get(key.join('=')) ?? 0
    return sum
  },
  normalize: scores => {
    const least = Math.min(...scores)
    const range = Math.max(...scores) - least
    return scores.map(s => (range === 0 ? 0 : Math.floor((100 * (s - least)) / range)))
  },
  wakesOn: [
    { kind: pods, on: ['add', 'update', 'delete'] },
    { kind: nodes, on: ['add', 'update'] },
  ],
})

function prepare(pod: Pod, snapshot: Snapshot): State {
  const own = required(pod).map(t => withMatchLabelKeys(t, pod))
  const anti = requiredAnti(pod).map(t => withMatchLabelKeys(t, pod))
  const affinityCounts = own.map(term => countMatches(term, pod, snapshot))
  const antiCounts = anti.map(term => countMatches(term, pod, snapshot))
  const existingAnti = new Set<string>()
  const weights: Topologies = new Map()
  for (const node of snapshot.nodes) {
    for (const other of node.pods) {
      if (!other.spec?.affinity && !pod.spec?.affinity) continue
      for (const term of requiredAnti(other)) {
        const topology = topologyOf(node, term.topologyKey)
        if (topology !== undefined && termMatches(withMatchLabelKeys(term, other), other, pod, snapshot)) existingAnti.add(topology)
      }
      addWeights(weights, node, pod, other, snapshot)
    }
  }
  return { required: own, anti, affinityCounts, antiCounts, existingAnti, weights }
}

/** A first pod of a group that wants its own kind near may start anywhere with the topology's label. */
function satisfied(pod: Pod, node: NodeInfo, term: PodAffinityTerm, counts: Topologies, state: State): boolean {
  const topology = topologyOf(node, term.topologyKey)
  if (topology === undefined) return false
  if ((counts.get(topology) ?? 0) > 0) return true
  const nobody = state.affinityCounts.every(c => c.size === 0)
  return nobody && state.required.every(t => selfMatches(t, pod))
}

function selfMatches(term: PodAffinityTerm, pod: Pod): boolean {
  const namespaces = term.namespaces ?? []
  const here = (namespaces.length === 0 && !term.namespaceSelector) || namespaces.includes(pod.metadata.namespace ?? '')
  return here && labelSelectorMatches(term.labelSelector, pod.metadata.labels ?? {})
}

function countMatches(term: PodAffinityTerm, owner: Pod, snapshot: Snapshot): Topologies {
  const counts: Topologies = new Map()
  for (const node of snapshot.nodes) {
    const topology = topologyOf(node, term.topologyKey)
    if (topology === undefined) continue
    for (const other of node.pods) if (termMatches(term, owner, other, snapshot)) counts.set(topology, (counts.get(topology) ?? 0) + 1)
  }
  return counts
}

function addWeights(weights: Topologies, node: NodeInfo, pod: Pod, other: Pod, snapshot: Snapshot): void {
  const add = (term: PodAffinityTerm, owner: Pod, target: Pod, weight: number): void => {
    const topology = topologyOf(node, term.topologyKey)
    if (topology !== undefined && weight !== 0 && termMatches(withMatchLabelKeys(term, owner), owner, target, snapshot))
      weights.set(topology, (weights.get(topology) ?? 0) + weight)
  }
  for (const [owner, target] of [
    [pod, other],
    [other, pod],
  ] as const) {
    for (const t of owner.spec?.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) add(t.podAffinityTerm, owner, target, t.weight)
    for (const t of owner.spec?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) add(t.podAffinityTerm, owner, target, -t.weight)
  }
  // Upstream's hard affinity weight: pods that require such neighbours draw them.
  for (const t of required(other)) add(t, other, pod, 1)
}

function termMatches(term: PodAffinityTerm, owner: Pod, target: Pod, snapshot: Snapshot): boolean {
  return namespaceMatches(term, owner, target.metadata.namespace ?? '', snapshot) && labelSelectorMatches(term.labelSelector, target.metadata.labels ?? {})
}

function namespaceMatches(term: PodAffinityTerm, owner: Pod, namespace: string, snapshot: Snapshot): boolean {
  const named = term.namespaces ?? []
  if (named.length === 0 && !term.namespaceSelector) return namespace === owner.metadata.namespace
  return named.includes(namespace) || (term.namespaceSelector !== undefined && labelSelectorMatches(term.namespaceSelector, snapshot.namespace(namespace)?.metadata.labels ?? {}))
}

function topologyOf(node: NodeInfo, key: string): string | undefined {
  const value = node.node.metadata.labels?.[key]
  return value === undefined ? undefined : `${key}=${value}`
}
