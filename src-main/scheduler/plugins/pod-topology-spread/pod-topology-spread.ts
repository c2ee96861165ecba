/** Spreads pods over topologies: hard constraints filter, soft ones (and the default ones for services' pods) score. */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { untoleratedTaint } from '../../../api/core/v1/pod-questions.ts'
import type { Pod, TopologySpreadConstraint } from '../../../api/generated/core-v1.ts'
import { labelSelectorMatches } from '../../../api/selectors.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo, Snapshot } from '../../framework.ts'
import { withMatchLabelKeys } from '../../match-label-keys.ts'
import type { PodQuery } from '../../placement-index.ts'
import { podAllowsNode } from '../../../api/core/v1/node-selector.ts'

const reason = "node(s) didn't match pod topology spread constraints"

interface Counted {
  readonly constraint: TopologySpreadConstraint
  /** Matching pods by topology value, of the nodes that count. */
  readonly counts: ReadonlyMap<string, number>
  /** Of the topology with the fewest. */
  readonly least: number
  readonly self: number
  /** The more topologies there are, the less one more pod in one of them matters. */
  readonly weight: number
}

interface State {
  readonly hard: readonly Counted[]
  readonly soft: readonly Counted[]
  readonly defaults: boolean
}

export const podTopologySpread = definePlugin<State>({
  name: 'PodTopologySpread',
  weight: 2,
  prepare,
  skips: (_pod, state) => ({ filter: state.hard.length === 0, score: state.soft.length === 0 }),
  filter: (_pod, node, state) => {
    for (const { constraint, counts, least, self } of state.hard) {
      const value = node.node.metadata.labels?.[constraint.topologyKey]
      if (value === undefined) return { reasons: [`${reason} (missing required label)`], unresolvable: true }
      if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return { reasons: [reason] }
    }
    return undefined
  },
  score: (_pod, node, state) => {
    let sum = 0
    for (const { constraint, counts, weight } of state.soft) {
      const value = node.node.metadata.labels?.[constraint.topologyKey]
      if (value === undefined) {
        if (!state.defaults) return -1
        continue
      }
      sum += (counts.get(value) ?? 0) * weight + (constraint.maxSkew - 1)
    }
    return Math.round(sum)
  },
  normalize: scores => {
    const usable = scores.filter(s => s >= 0)
    const least = usable.reduce((a, b) => Math.min(a, b), Infinity)
    const most = usable.reduce((a, b) => Math.max(a, b), -Infinity)
    return scores.map(s => (s < 0 ? 0 : most === 0 ? 100 : Math.floor((100 * (most + least - s)) / most)))
  },
  wakesOn: [
    { kind: pods, on: ['add', 'update', 'delete'] },
    { kind: nodes, on: ['add', 'update', 'delete'] },
  ],
})

function prepare(pod: Pod, snapshot: Snapshot): State {
  const declared = (pod.spec?.topologySpreadConstraints ?? []).map(c => withMatchLabelKeys(c, pod))
  const defaults = declared.length === 0
  const constraints = defaults ? defaultConstraints(pod, snapshot) : declared
  const counted = constraints.map(c => count(c, pod, snapshot, constraints))
  return {
    hard: counted.filter(c => c.constraint.whenUnsatisfiable === 'DoNotSchedule'),
    soft: counted.filter(c => c.constraint.whenUnsatisfiable !== 'DoNotSchedule'),
    defaults,
  }
}

/** Upstream's system defaults, for pods that a service selects or that a controller made: over hosts and zones, softly. */
function defaultConstraints(pod: Pod, snapshot: Snapshot): TopologySpreadConstraint[] {
  const labels = pod.metadata.labels ?? {}
  const matchLabels: Record<string, string> = {}
  for (const service of snapshot.services(pod.metadata.namespace ?? '')) {
    const selector = Object.entries(service.spec?.selector ?? {})
    if (selector.length > 0 && selector.every(([k, v]) => labels[k] === v)) Object.assign(matchLabels, service.spec?.selector)
  }
  // A replica set's own selector is its template's hash and labels; the pod's labels stand for it.
  const owned = (pod.metadata.ownerReferences ?? []).some(o => o.controller && ['ReplicaSet', 'StatefulSet', 'ReplicationController'].includes(o.kind))
  if (owned) Object.assign(matchLabels, labels)
  if (Object.keys(matchLabels).length === 0) return []
  const soft = (topologyKey: string, maxSkew: number): TopologySpreadConstraint => ({ topologyKey, maxSkew, whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels } })
  return [soft('kubernetes.io/hostname', 3), soft('topology.kubernetes.io/zone', 5)]
}

function count(constraint: TopologySpreadConstraint, pod: Pod, snapshot: Snapshot, all: readonly TopologySpreadConstraint[]): Counted {
  const { topologyKey, labelSelector: selector, minDomains } = constraint
  const query: PodQuery = { namespaces: [pod.metadata.namespace ?? ''], selector, topologyKey, livingOnly: true }
  const everyNode = countsEveryNode(constraint, pod, snapshot, all)
  const counts = everyNode ? snapshot.placed.count(query) : countSome(constraint, query, pod, snapshot, all)
  const domains = everyNode ? snapshot.placed.domains(topologyKey) : counts
  let least = Infinity
  for (const value of domains.keys()) least = Math.min(least, counts.get(value) ?? 0)
  if (domains.size === 0 || (minDomains !== undefined && domains.size < minDomains)) least = 0
  return { constraint, counts, least, self: labelSelectorMatches(selector, pod.metadata.labels ?? {}) ? 1 : 0, weight: Math.log(domains.size + 2) }
}

/** The common case, in which the index knows the answer: no policy leaves a node out. */
function countsEveryNode(constraint: TopologySpreadConstraint, pod: Pod, snapshot: Snapshot, all: readonly TopologySpreadConstraint[]): boolean {
  if (constraint.nodeTaintsPolicy === 'Honor') return false
  if (constraint.nodeAffinityPolicy !== 'Ignore' && selectsNodes(pod)) return false
  if (constraint.whenUnsatisfiable !== 'DoNotSchedule') return true
  const others = all.filter(other => other.whenUnsatisfiable === 'DoNotSchedule' && other.topologyKey !== constraint.topologyKey)
  return others.every(({ topologyKey }) => {
    let labelled = 0
    for (const count of snapshot.placed.domains(topologyKey).values()) labelled += count
    return labelled === snapshot.nodes.length
  })
}

function selectsNodes(pod: Pod): boolean {
  return Object.keys(pod.spec?.nodeSelector ?? {}).length > 0 || pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined
}

/** By topology, of the nodes that count; topologies without pods with 0. */
function countSome(constraint: TopologySpreadConstraint, query: PodQuery, pod: Pod, snapshot: Snapshot, all: readonly TopologySpreadConstraint[]): Map<string, number> {
  const byNode = snapshot.placed.count({ ...query, topologyKey: '' })
  const hardKeys = all.filter(c => c.whenUnsatisfiable === 'DoNotSchedule').map(c => c.topologyKey)
  const counts = new Map<string, number>()
  for (const node of snapshot.nodes) {
    const value = node.node.metadata.labels?.[constraint.topologyKey]
    if (value === undefined || !isCounted(constraint, pod, node, hardKeys)) continue
    counts.set(value, (counts.get(value) ?? 0) + (byNode.get(node.name) ?? 0))
  }
  return counts
}

/** Whether a node's pods and topology count: by the constraint's policies on node affinity (default honoured) and taints (default ignored). */
function isCounted(constraint: TopologySpreadConstraint, pod: Pod, node: NodeInfo, hardKeys: readonly string[]): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !podAllowsNode(pod, node.node)) return false
  if (constraint.nodeTaintsPolicy === 'Honor' && untoleratedTaint(node.node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute'])) return false
  return constraint.whenUnsatisfiable !== 'DoNotSchedule' || hardKeys.every(key => node.node.metadata.labels?.[key] !== undefined)
}
