/**
 * What plugins ask about pods that are placed, kept up to date instead of counted anew for each pod: how many pods of a
 * selector stand in each topology, and which affinity terms of placed pods are in force where. A question that was
 * asked once is followed from then on; the least recently asked ones are forgotten.
 */
import type { Node, Pod, PodAffinityTerm } from '../api/generated/core-v1.ts'
import type { LabelSelector } from '../api/meta.ts'
import { labelSelectorMatches } from '../api/selectors.ts'
import { withMatchLabelKeys } from './match-label-keys.ts'

/** Pods of some namespaces by a selector, counted by the value of a label of their nodes. */
export interface PodQuery {
  /** Undefined: all. */
  readonly namespaces: readonly string[] | undefined
  readonly selector: LabelSelector | undefined
  /** `''` stands for the node itself, by its name. */
  readonly topologyKey: string
  /** Pods that are being deleted do not count. */
  readonly livingOnly?: boolean
}

/** Pods by topology value; values without pods are absent. */
export type PodCounts = ReadonlyMap<string, number>

export type TermKind = 'required' | 'requiredAnti' | 'preferred' | 'preferredAnti'

/** The same term of any number of placed pods. */
export interface PlacedTerm {
  readonly kind: TermKind
  readonly term: PodAffinityTerm
  /** Namespace of its pods, which the term means where it names none. */
  readonly namespace: string
  /** 1 for required ones. */
  readonly weight: number
  /** How many of its pods stand in each topology. */
  readonly topologies: PodCounts
}

/** Questions that are followed: a few for each workload that is being placed. */
const maxFollowed = 256

interface Followed {
  readonly query: PodQuery
  readonly counts: Map<string, number>
}

interface MutableTerm extends PlacedTerm {
  readonly topologies: Map<string, number>
}

function valueOf(node: Node, topologyKey: string): string | undefined {
  return topologyKey === '' ? node.metadata.name : node.metadata.labels?.[topologyKey]
}

export function queryMatches(query: PodQuery, pod: Pod): boolean {
  if (query.livingOnly && pod.metadata.deletionTimestamp) return false
  if (query.namespaces && !query.namespaces.includes(pod.metadata.namespace ?? '')) return false
  return labelSelectorMatches(query.selector, pod.metadata.labels)
}

function shift(counts: Map<string, number>, value: string, by: number): void {
  const next = (counts.get(value) ?? 0) + by
  if (next === 0) counts.delete(value)
  else counts.set(value, next)
}

interface Own {
  readonly kind: TermKind
  readonly term: PodAffinityTerm
  readonly weight: number
}

function termId({ kind, term, weight }: Own, namespace: string): string {
  return JSON.stringify([kind, weight, namespace, term])
}

/** Terms of a pod as they are in force, with the labels that they take over from it. */
export function termsOf(pod: Pod): Own[] {
  const affinity = pod.spec?.affinity
  if (!affinity?.podAffinity && !affinity?.podAntiAffinity) return []
  const own = (kind: TermKind, term: PodAffinityTerm, weight: number): Own => ({ kind, term: withMatchLabelKeys(term, pod), weight })
  return [
    ...(affinity.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term => own('required', term, 1)),
    ...(affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term => own('requiredAnti', term, 1)),
    ...(affinity.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) => own('preferred', podAffinityTerm, weight)),
    ...(affinity.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) => own('preferredAnti', podAffinityTerm, weight)),
  ]
}

/** Where pods stand, as the index goes through them when a question is new. */
export type Placements = Iterable<{ readonly node: Node; readonly pods: Iterable<Pod> }>

export class PlacementIndex {
  readonly #all: () => Placements
  readonly #followed = new Map<string, Followed>()
  readonly #terms = new Map<string, MutableTerm>()
  readonly #domains = new Map<string, Map<string, number>>()

  /** `all` gives the placements as they are now; the index reads them for new questions only. */
  constructor(all: () => Placements) {
    this.#all = all
  }

  /** The terms of placed pods that are in force somewhere. */
  get terms(): Iterable<PlacedTerm> {
    return this.#terms.values()
  }

  /** Nodes by value of a label. */
  domains(topologyKey: string): PodCounts {
    let domains = this.#domains.get(topologyKey)
    if (!domains) {
      this.#domains.set(topologyKey, (domains = new Map()))
      for (const { node } of this.#all()) {
        const value = valueOf(node, topologyKey)
        if (value !== undefined) shift(domains, value, 1)
      }
    }
    return domains
  }

  count(query: PodQuery): PodCounts {
    const id = JSON.stringify([query.topologyKey, query.namespaces, query.selector, query.livingOnly])
    let followed = this.#followed.get(id)
    if (followed) this.#followed.delete(id)
    else followed = { query, counts: this.#countAll(query) }
    // The one that was asked for last stands last.
    this.#followed.set(id, followed)
    if (this.#followed.size > maxFollowed) this.#followed.delete(this.#followed.keys().next().value ?? '')
    return followed.counts
  }

  place(pod: Pod, node: Node | undefined): void {
    this.#shift(pod, node, 1)
  }

  remove(pod: Pod, node: Node | undefined): void {
    this.#shift(pod, node, -1)
  }

  /** A node came, went, or changed its labels, with these pods on it. */
  moveNode(previous: Node | undefined, next: Node | undefined, pods: Iterable<Pod>): void {
    for (const pod of pods) {
      this.#shift(pod, previous, -1)
      this.#shift(pod, next, 1)
    }
    for (const [key, domains] of this.#domains) {
      const from = previous && valueOf(previous, key)
      const to = next && valueOf(next, key)
      if (from !== undefined) shift(domains, from, -1)
      if (to !== undefined) shift(domains, to, 1)
    }
  }

  #countAll(query: PodQuery): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { node, pods } of this.#all()) {
      const value = valueOf(node, query.topologyKey)
      if (value === undefined) continue
      for (const pod of pods) if (queryMatches(query, pod)) shift(counts, value, 1)
    }
    return counts
  }

  #shift(pod: Pod, node: Node | undefined, by: number): void {
    if (!node) return
    for (const { query, counts } of this.#followed.values()) {
      const value = valueOf(node, query.topologyKey)
      if (value !== undefined && queryMatches(query, pod)) shift(counts, value, by)
    }
    for (const { kind, term, weight } of termsOf(pod)) this.#shiftTerm(kind, term, weight, pod.metadata.namespace ?? '', valueOf(node, term.topologyKey), by)
  }

  #shiftTerm(kind: TermKind, term: PodAffinityTerm, weight: number, namespace: string, value: string | undefined, by: number): void {
    if (value === undefined) return
    const id = termId({ kind, term, weight }, namespace)
    let placed = this.#terms.get(id)
    if (!placed) {
      if (by < 0) return
      this.#terms.set(id, (placed = { kind, term, weight, namespace, topologies: new Map() }))
    }
    shift(placed.topologies, value, by)
    if (placed.topologies.size === 0) this.#terms.delete(id)
  }
}

export type PlacedView = Pick<PlacementIndex, 'count' | 'domains' | 'terms'>

/** The index as it would be without some pods of one node. */
export function withoutPlaced(placed: PlacedView, node: Node, gone: ReadonlySet<Pod>): PlacedView {
  if (gone.size === 0) return placed
  return {
    domains: key => placed.domains(key),
    count(query) {
      const counts = placed.count(query)
      const value = valueOf(node, query.topologyKey)
      const fewer = value === undefined ? 0 : [...gone].filter(pod => queryMatches(query, pod)).length
      if (value === undefined || fewer === 0) return counts
      const left = new Map(counts)
      shift(left, value, -fewer)
      return left
    },
    get terms() {
      return termsWithout(placed.terms, node, gone)
    },
  }
}

function* termsWithout(terms: Iterable<PlacedTerm>, node: Node, gone: ReadonlySet<Pod>): Generator<PlacedTerm> {
  const ended = new Map<string, number>()
  for (const pod of gone) for (const own of termsOf(pod)) shift(ended, termId(own, pod.metadata.namespace ?? ''), 1)
  for (const placed of terms) {
    const fewer = ended.size === 0 ? 0 : (ended.get(termId(placed, placed.namespace)) ?? 0)
    const value = valueOf(node, placed.term.topologyKey)
    if (fewer === 0 || value === undefined) {
      yield placed
      continue
    }
    const topologies = new Map(placed.topologies)
    shift(topologies, value, -fewer)
    if (topologies.size > 0) yield { ...placed, topologies }
  }
}
