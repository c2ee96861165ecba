/** On which nodes a daemon set runs, and which of its pods come and go. Pure. */
import { isPodAvailable, isPodReady, isPodTerminal, tolerationsTolerate } from '../../api/core/v1/pod-questions.ts'
import type { DaemonSet, DaemonSetStatus } from '../../api/generated/apps-v1.ts'
import type { Node, NodeSelectorRequirement, Pod, PodSpec, Toleration } from '../../api/generated/core-v1.ts'
import { intOrPercent } from '../../controller-runtime/int-or-percent.ts'
import { podFromTemplate } from '../../controller-runtime/pod-template.ts'
import { hashOf, revisionHashLabel } from '../../controller-runtime/revisions.ts'

/** Added to every daemon pod, so that broken and cordoned nodes keep theirs. */
const daemonTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]

function tolerationsFor(spec: PodSpec | undefined): Toleration[] {
  const network: Toleration[] = spec?.hostNetwork ? [{ key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' }] : []
  return [...(spec?.tolerations ?? []), ...daemonTolerations, ...network]
}

export interface NodeVerdict {
  readonly run: boolean
  readonly keep: boolean
}

/** `run`: a pod belongs there; `keep`: one that is there may stay. */
export function verdictOf(ds: DaemonSet, node: Node, allows: (spec: PodSpec | undefined, node: Node) => boolean): NodeVerdict {
  const spec = ds.spec.template.spec
  if (spec?.nodeName && spec.nodeName !== node.metadata.name) return { run: false, keep: false }
  if (!allows(spec, node)) return { run: false, keep: false }
  const tolerations = tolerationsFor(spec)
  const untolerated = (effects: readonly string[]): boolean => (node.spec?.taints ?? []).some(t => effects.includes(t.effect) && !tolerationsTolerate(tolerations, t))
  return { run: !untolerated(['NoSchedule', 'NoExecute']), keep: !untolerated(['NoExecute']) }
}

/** The node that a daemon pod is for: bound, or named in its affinity. */
export function targetNode(pod: Pod): string {
  if (pod.spec?.nodeName) return pod.spec.nodeName
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  return terms.flatMap(t => t.matchFields ?? []).find(f => f.key === 'metadata.name')?.values?.[0] ?? ''
}

export function daemonPod(ds: DaemonSet, node: string, hash: string): Pod {
  const pod = podFromTemplate(ds, ds.spec.template)
  const spec = pod.spec ?? { containers: [] }
  const only: NodeSelectorRequirement = { key: 'metadata.name', operator: 'In', values: [node] }
  const present = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  // As upstream: terms keep their expressions, their fields name this node only.
  const nodeSelectorTerms = present.length > 0 ? present.map(t => ({ ...t, matchFields: [only] })) : [{ matchFields: [only] }]
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [revisionHashLabel]: hash, 'pod-template-generation': String(ds.metadata.generation ?? 1) } },
    spec: {
      ...spec,
      tolerations: tolerationsFor(spec),
      affinity: { ...spec.affinity, nodeAffinity: { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    },
  }
}

export interface DaemonPlan {
  readonly create: readonly string[]
  readonly remove: readonly Pod[]
  readonly failed: readonly Pod[]
}

/** `pods`: the set's own, by the node they are for. */
export function planDaemons(ds: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], hash: string, verdict: (node: Node) => NodeVerdict, nowMs: number): DaemonPlan {
  const byNode = Map.groupBy(pods, targetNode)
  const create: string[] = []
  const remove: Pod[] = []
  const failed: Pod[] = []
  for (const node of nodes) {
    const name = node.metadata.name ?? ''
    const { run, keep } = verdict(node)
    const mine = byNode.get(name) ?? []
    const broken = mine.filter(p => p.status?.phase === 'Failed' && !p.metadata.deletionTimestamp)
    const finished = mine.filter(p => p.status?.phase === 'Succeeded' && !p.metadata.deletionTimestamp)
    const alive = mine.filter(p => !isPodTerminal(p) && !p.metadata.deletionTimestamp)
    failed.push(...broken)
    if (!keep) {
      remove.push(...broken, ...finished, ...alive)
      continue
    }
    remove.push(...broken, ...finished, ...[...alive].sort(oldestFirst).slice(1))
    if (run && mine.length === 0) create.push(name)
  }
  const update = ds.spec.updateStrategy?.type === 'OnDelete' ? [] : outdated(ds, nodes, pods, hash, verdict, nowMs)
  return { create, remove: [...remove, ...update.filter(p => !remove.includes(p))], failed }
}

function oldestFirst(a: Pod, b: Pod): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1
}

/** Pods of older templates that may go now: those that are not available anyway, then as many as maxUnavailable allows. */
function outdated(ds: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], hash: string, verdict: (node: Node) => NodeVerdict, nowMs: number): Pod[] {
  const wanted = nodes.filter(n => verdict(n).run).map(n => n.metadata.name ?? '')
  const most = Math.max(1, intOrPercent(ds.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted.length, 'up'))
  const available = (p: Pod): boolean => !p.metadata.deletionTimestamp && isPodAvailable(p, ds.spec.minReadySeconds ?? 0, nowMs)
  const byNode = Map.groupBy(pods, targetNode)
  const unavailable = wanted.filter(name => !(byNode.get(name) ?? []).some(available)).length
  const old = pods.filter(p => hashOf(p) !== hash && !p.metadata.deletionTimestamp && !isPodTerminal(p))
  const broken = old.filter(p => !available(p))
  return [...broken, ...old.filter(available).slice(0, Math.max(0, most - unavailable))]
}

export function daemonStatus(ds: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], hash: string, verdict: (node: Node) => NodeVerdict, nowMs: number): DaemonSetStatus {
  const byNode = Map.groupBy(
    pods.filter(p => !p.metadata.deletionTimestamp),
    targetNode,
  )
  const status: DaemonSetStatus = { desiredNumberScheduled: 0, currentNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0, updatedNumberScheduled: 0, numberAvailable: 0 }
  const up = (field: 'updatedNumberScheduled' | 'numberAvailable'): void => {
    status[field] = (status[field] ?? 0) + 1
  }
  for (const node of nodes) {
    const oldest = [...(byNode.get(node.metadata.name ?? '') ?? [])].sort(oldestFirst)[0]
    if (!verdict(node).run) {
      if (oldest) status.numberMisscheduled++
      continue
    }
    status.desiredNumberScheduled++
    if (!oldest) continue
    status.currentNumberScheduled++
    if (isPodReady(oldest)) status.numberReady++
    if (isPodAvailable(oldest, ds.spec.minReadySeconds ?? 0, nowMs)) up('numberAvailable')
    if (hashOf(oldest) === hash) up('updatedNumberScheduled')
  }
  const unavailable = status.desiredNumberScheduled - (status.numberAvailable ?? 0)
  if (unavailable > 0) status.numberUnavailable = unavailable
  if (status.updatedNumberScheduled === 0) delete status.updatedNumberScheduled
  if (status.numberAvailable === 0) delete status.numberAvailable
  if (ds.metadata.generation !== undefined) status.observedGeneration = ds.metadata.generation
  return status
}
