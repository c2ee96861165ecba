/** Spreads pods over topologies: hard constraints filter, soft ones (and the default ones for services' pods) score. */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { untoleratedTaint } from '../../../api/core/v1/pod-questions.ts'
import type { Pod, TopologySpreadConstraint } from '../../../api/generated/core-v1.ts'
import type { LabelSelector } from '../../../api/meta.ts'
import { labelSelectorMatches } from '../../../api/selectors.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo, Snapshot } from '../../framework.ts'
import { withMatchLabelKeys } from '../../match-label-keys.ts'
import { podAllowsNode } from '../../../api/core/v1/node-selector.ts'

const reason = "node(s) didn't match pod topology spread constraints"

interface Counted {
  readonly constraint: TopologySpreadConstraint
  /** Matching pods by topology value, of the nodes that count. */
  readonly counts: ReadonlyMap<string, number>
  readonly least: number
  readonly self: number
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
    for (const { constraint, counts } of state.soft) {
      const value = node.node.metadata.labels?.[constraint.topologyKey]
      if (value === undefined) {
        if (!state.defaults) return -1
        continue
      }
      // The more topologies there are, the less one more pod in this one matters.
      sum += (counts.get(value) ?? 0) * Math.log(counts.size + 2) + (constraint.maxSkew - 1)
    }
    return Math.round(sum)
  },
  normalize: (scores, _nodes, state) => {
    if (state.soft.length === 0) return scores.map(() => 0)
    const usable = scores.filter(s => s >= 0)
    const least = Math.min(...usable)
    const most = Math.max(...usable)
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
  const counts = new Map<string, number>()
  const selector = constraint.labelSelector
  for (const node of snapshot.nodes) {
    const value = node.node.metadata.labels?.[constraint.topologyKey]
    if (value === undefined || !isCounted(constraint, pod, node, all)) continue
    counts.set(value, (counts.get(value) ?? 0) + matching(node, pod, selector))
  }
  const fewDomains = constraint.minDomains !== undefined && counts.size < constraint.minDomains
  const least = fewDomains || counts.size === 0 ? 0 : Math.min(...counts.values())
  return { constraint, counts, least, self: labelSelectorMatches(selector, pod.metadata.labels ?? {}) ? 1 : 0 }
}

/** Whether a node's pods and topology count: by the constraint's policies on node affinity (default honoured) and taints (default ignored). */
function isCounted(constraint: TopologySpreadConstraint, pod: Pod, node: NodeInfo, all: readonly TopologySpreadConstraint[]): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !podAllowsNode(pod, node.node)) return false
  if (constraint.nodeTaintsPolicy === 'Honor' && untoleratedTaint(node.node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute'])) return false
  const hardKeys = all.filter(c => c.whenUnsatisfiable === 'DoNotSchedule').map(c => c.topologyKey)
  return constraint.whenUnsatisfiable !== 'DoNotSchedule' || hardKeys.every(key => node.node.metadata.labels?.[key] !== undefined)
}

function matching(node: NodeInfo, pod: Pod, selector: LabelSelector | undefined): number {
  if (!selector) return 0
  return node.pods.filter(p => p.metadata.namespace === pod.metadata.namespace && !p.metadata.deletionTimestamp && labelSelectorMatches(selector, p.metadata.labels ?? {})).length
}
