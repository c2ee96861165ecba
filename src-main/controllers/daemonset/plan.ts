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

interface View {
  readonly ds: DaemonSet
  readonly nodes: readonly Node[]
  readonly byNode: ReadonlyMap<string, readonly Pod[]>
  readonly hash: string
  readonly verdict: (node: Node) => NodeVerdict
  readonly nowMs: number
}

/** `pods`: the set's own, by the node they are for. */
export function planDaemons(ds: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], hash: string, verdict: (node: Node) => NodeVerdict, nowMs: number): DaemonPlan {
  const view: View = { ds, nodes, byNode: Map.groupBy(pods, targetNode), hash, verdict, nowMs }
  const surge = surgeOf(view)
  const create: string[] = []
  const remove: Pod[] = []
  const failed: Pod[] = []
  for (const node of nodes) {
    const name = node.metadata.name ?? ''
    const { run, keep } = verdict(node)
    const mine = view.byNode.get(name) ?? []
    const broken = mine.filter(p => p.status?.phase === 'Failed' && !p.metadata.deletionTimestamp)
    const finished = mine.filter(p => p.status?.phase === 'Succeeded' && !p.metadata.deletionTimestamp)
    const alive = mine.filter(isAlive)
    failed.push(...broken)
    if (!keep) {
      remove.push(...broken, ...finished, ...alive)
      continue
    }
    remove.push(...broken, ...finished, ...(surge > 0 ? surplusOfTwo(view, alive) : [...alive].sort(oldestFirst).slice(1)))
    // A surging set does not wait for what is on its way out.
    if (run && (surge > 0 ? alive.length + broken.length + finished.length === 0 : mine.length === 0)) create.push(name)
  }
  if (ds.spec.updateStrategy?.type === 'OnDelete') return { create, remove, failed }
  const update = surge > 0 ? surged(view, surge) : { create: [], remove: outdated(view) }
  return { create: [...create, ...update.create.filter(name => !create.includes(name))], remove: [...remove, ...update.remove.filter(p => !remove.includes(p))], failed }
}

const isAlive = (pod: Pod): boolean => !isPodTerminal(pod) && !pod.metadata.deletionTimestamp
const isAvailable = ({ ds, nowMs }: View, pod: Pod): boolean => !pod.metadata.deletionTimestamp && isPodAvailable(pod, ds.spec.minReadySeconds ?? 0, nowMs)

function wantedNodes({ nodes, verdict }: View): string[] {
  return nodes.filter(n => verdict(n).run).map(n => n.metadata.name ?? '')
}

function surgeOf(view: View): number {
  const { type, rollingUpdate } = view.ds.spec.updateStrategy ?? {}
  return type === 'OnDelete' ? 0 : intOrPercent(rollingUpdate?.maxSurge ?? 0, wantedNodes(view).length, 'up')
}

/** Two may stand beside each other, the oldest of the new template and the oldest of an older one, until the new one is available or the old one is not ready. */
function surplusOfTwo(view: View, alive: readonly Pod[]): Pod[] {
  const sorted = [...alive].sort(oldestFirst)
  const [fresh, ...moreFresh] = sorted.filter(p => hashOf(p) === view.hash)
  const [old, ...moreOld] = sorted.filter(p => hashOf(p) !== view.hash)
  const isReplaced = fresh && old && (!isPodReady(old) || isAvailable(view, fresh))
  return [...moreFresh, ...moreOld, ...(isReplaced ? [old] : [])]
}

function oldestFirst(a: Pod, b: Pod): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1
}

/** Pods of older templates that may go now: those that are not available anyway, then as many as maxUnavailable allows. */
function outdated(view: View): Pod[] {
  const { ds, byNode, hash } = view
  const wanted = wantedNodes(view)
  const most = Math.max(1, intOrPercent(ds.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted.length, 'up'))
  const unavailable = wanted.filter(name => !(byNode.get(name) ?? []).some(p => isAvailable(view, p))).length
  const old = [...byNode.values()].flat().filter(p => hashOf(p) !== hash && isAlive(p))
  const [available, broken] = [old.filter(p => isAvailable(view, p)), old.filter(p => !isAvailable(view, p))]
  return [...broken, ...available.slice(0, Math.max(0, most - unavailable))]
}

/** With maxSurge: new pods beside old ones. Where an old one is unavailable, at once; elsewhere as many as surge allows. */
function surged(view: View, surge: number): { create: string[]; remove: Pod[] } {
  const { nodes, byNode, hash, verdict } = view
  const remove: Pod[] = []
  const atOnce: string[] = []
  const candidates: string[] = []
  const leaving: Pod[] = []
  let surging = 0
  let available = 0
  for (const node of nodes) {
    const name = node.metadata.name ?? ''
    const alive = (byNode.get(name) ?? []).filter(isAlive)
    const fresh = alive.filter(p => hashOf(p) === hash)
    const old = alive.filter(p => hashOf(p) !== hash)
    if (fresh.length > 1 || old.length > 1) {
      surging++
      continue
    }
    const [oldPod] = old
    const [freshPod] = fresh
    const counted = oldPod ?? freshPod
    if (counted && isAvailable(view, counted)) available++
    if (!oldPod) continue
    if (freshPod) {
      if (isAvailable(view, freshPod)) remove.push(oldPod)
      else surging++
    } else if (!verdict(node).run) (isAvailable(view, oldPod) ? leaving : remove).push(oldPod)
    else (isAvailable(view, oldPod) ? candidates : atOnce).push(name)
  }
  // Where it no longer belongs, an available pod stays until enough others are.
  remove.push(...leaving.slice(0, Math.max(0, available - wantedNodes(view).length)))
  return { create: [...atOnce, ...candidates.slice(0, Math.max(0, surge - surging))], remove }
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
