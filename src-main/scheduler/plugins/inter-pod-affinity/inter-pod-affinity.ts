/** Pod affinity and anti-affinity, of the new pod and of those that run; preferred terms score. */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Pod, PodAffinityTerm } from '../../../api/generated/core-v1.ts'
import { isEmptyLabelSelector, labelSelectorMatches } from '../../../api/selectors.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo, Snapshot } from '../../framework.ts'
import { termsOf } from '../../placement-index.ts'
import type { PlacedTerm, PodCounts, PodQuery, TermKind } from '../../placement-index.ts'

interface Term {
  readonly term: PodAffinityTerm
  /** Pods that match it, by topology. */
  readonly counts: PodCounts
}

/** Weights by topology value, for each topology key that some term names. */
type Weights = Map<string, Map<string, number>>

interface State {
  readonly required: readonly Term[]
  readonly anti: readonly Term[]
  /** Terms of placed pods that do not want this one near. */
  readonly existingAnti: readonly PlacedTerm[]
  readonly weights: Weights
  /** All its required terms mean the pod itself, too. */
  readonly matchesItself: boolean
}

export const interPodAffinity = definePlugin<State>({
  name: 'InterPodAffinity',
  weight: 2,
  prepare,
  skips: (_pod, state) => ({ filter: state.required.length + state.anti.length + state.existingAnti.length === 0, score: state.weights.size === 0 }),
  filter: (_pod, node, state) => {
    if (!state.required.every(({ term, counts }) => satisfied(node, term, counts, state))) return { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true }
    for (const { term, counts } of state.anti) {
      const value = node.node.metadata.labels?.[term.topologyKey]
      if (value !== undefined && (counts.get(value) ?? 0) > 0) return { reasons: ["node(s) didn't match pod anti-affinity rules"] }
    }
    for (const { term, topologies } of state.existingAnti) {
      const value = node.node.metadata.labels?.[term.topologyKey]
      if (value !== undefined && topologies.has(value)) return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] }
    }
    return undefined
  },
  score: (_pod, node, state) => {
    let sum = 0
    for (const [key, weights] of state.weights) {
      const value = node.node.metadata.labels?.[key]
      if (value !== undefined) sum += weights.get(value) ?? 0
    }
    return sum
  },
  normalize: scores => {
    const least = scores.reduce((a, b) => Math.min(a, b), Infinity)
    const range = scores.reduce((a, b) => Math.max(a, b), -Infinity) - least
    return scores.map(s => (range === 0 ? 0 : Math.floor((100 * (s - least)) / range)))
  },
  wakesOn: [
    { kind: pods, on: ['add', 'update', 'delete'] },
    { kind: nodes, on: ['add', 'update'] },
  ],
})

function prepare(pod: Pod, snapshot: Snapshot): State {
  const own = termsOf(pod)
  const counted = (kind: TermKind): Term[] =>
    own.filter(each => each.kind === kind).map(({ term }) => ({ term, counts: snapshot.placed.count(queryOf(term, pod.metadata.namespace ?? '', snapshot)) }))
  const existingAnti: PlacedTerm[] = []
  const weights: Weights = new Map()
  for (const { kind, term, weight } of own) {
    if (kind !== 'preferred' && kind !== 'preferredAnti') continue
    const counts = snapshot.placed.count(queryOf(term, pod.metadata.namespace ?? '', snapshot))
    addWeights(weights, term.topologyKey, counts, kind === 'preferred' ? weight : -weight)
  }
  for (const placed of snapshot.placed.terms) {
    if (!termMatches(placed.term, placed.namespace, pod, snapshot)) continue
    if (placed.kind === 'requiredAnti') existingAnti.push(placed)
    // Upstream's hard affinity weight, 1: pods that require such neighbours draw them.
    else addWeights(weights, placed.term.topologyKey, placed.topologies, placed.kind === 'preferredAnti' ? -placed.weight : placed.weight)
  }
  const required = counted('required')
  const matchesItself = required.every(({ term }) => termMatches(term, pod.metadata.namespace ?? '', pod, snapshot))
  return { required, anti: counted('requiredAnti'), existingAnti, weights, matchesItself }
}

function addWeights(weights: Weights, key: string, topologies: PodCounts, weight: number): void {
  if (weight === 0 || topologies.size === 0) return
  let sums = weights.get(key)
  if (!sums) weights.set(key, (sums = new Map()))
  for (const [value, count] of topologies) sums.set(value, (sums.get(value) ?? 0) + count * weight)
}

function queryOf(term: PodAffinityTerm, namespace: string, snapshot: Snapshot): PodQuery {
  return { namespaces: namespacesOf(term, namespace, snapshot), selector: term.labelSelector, topologyKey: term.topologyKey }
}

/** The namespaces that a term means; undefined: all. */
function namespacesOf(term: PodAffinityTerm, own: string, snapshot: Snapshot): readonly string[] | undefined {
  const named = term.namespaces ?? []
  const { namespaceSelector } = term
  if (!namespaceSelector) return named.length === 0 ? [own] : named
  if (isEmptyLabelSelector(namespaceSelector)) return undefined
  const selected = snapshot.namespaces().filter(namespace => labelSelectorMatches(namespaceSelector, namespace.metadata.labels ?? {}))
  return [...new Set([...named, ...selected.map(namespace => namespace.metadata.name ?? '')])].sort()
}

/** A first pod of a group that wants its own kind near may start anywhere with the topology's label. */
function satisfied(node: NodeInfo, term: PodAffinityTerm, counts: PodCounts, state: State): boolean {
  const value = node.node.metadata.labels?.[term.topologyKey]
  if (value === undefined) return false
  if ((counts.get(value) ?? 0) > 0) return true
  const nobody = state.required.every(other => other.counts.size === 0)
  return nobody && state.matchesItself
}

function termMatches(term: PodAffinityTerm, namespace: string, target: Pod, snapshot: Snapshot): boolean {
  return namespaceMatches(term, namespace, target.metadata.namespace ?? '', snapshot) && labelSelectorMatches(term.labelSelector, target.metadata.labels ?? {})
}

function namespaceMatches(term: PodAffinityTerm, own: string, namespace: string, snapshot: Snapshot): boolean {
  const named = term.namespaces ?? []
  if (named.length === 0 && !term.namespaceSelector) return namespace === own
  return named.includes(namespace) || (term.namespaceSelector !== undefined && labelSelectorMatches(term.namespaceSelector, snapshot.namespace(namespace)?.metadata.labels ?? {}))
}
