import type { Pod } from '../../api/core/v1/pod.ts'
import { podRequests } from '../../api/core/v1/pod-questions.ts'
import { keyOf } from '../../api/meta.ts'
import { simulate } from '../../scheduler/simulate.ts'
import { amountsOf, type NodeLoad } from '../cluster-load.ts'
import { bytes, cores, defineWarning, plural, type WarningFinding } from '../warning.ts'

/** Pods at or above this priority are Kubernetes' own system classes: losing one is critical. */
const highPriority = 1_000_000_000
const namedPods = 20

function controllerOf(pod: Pod): string | undefined {
  const owner = pod.metadata.ownerReferences?.find(o => o.controller === true)
  return owner ? `${pod.metadata.namespace ?? ''}/${owner.kind}/${owner.name}` : undefined
}

/** Pods of the node that would have to run elsewhere: not those of DaemonSets, nor those that the node itself declares. */
function movable(load: NodeLoad): Pod[] {
  return load.pods.filter(p => !p.metadata.ownerReferences?.some(o => o.kind === 'DaemonSet' || o.kind === 'Node') && p.metadata.deletionTimestamp === undefined)
}

/** C1: for each node, the cluster without it, and its pods placed again by the real scheduler in order of priority. */
export const nodeLoss = defineWarning({
  id: 'C1',
  find({ load }) {
    if (load.length < 2) return []
    const placed = load.flatMap(l => l.pods)
    const homes = new Map<string, Set<string>>()
    for (const { node, pods } of load) {
      for (const pod of pods) {
        const owner = controllerOf(pod)
        if (owner) homes.set(owner, (homes.get(owner) ?? new Set()).add(node.metadata.name ?? ''))
      }
    }
    return load.flatMap(lost => (lost.usage.ready ? lossOf(lost, load, placed, homes) : []))
  },
})

function lossOf(lost: NodeLoad, load: readonly NodeLoad[], placed: readonly Pod[], homes: ReadonlyMap<string, ReadonlySet<string>>): WarningFinding[] {
  const toPlace = movable(lost)
  if (toPlace.length === 0) return []
  const name = lost.usage.name
  const survivors = { nodes: load.filter(l => l !== lost).map(l => l.node), running: placed.filter(p => p.spec?.nodeName !== name) }
  const result = simulate(survivors, toPlace)
  if (result.unplaced.length === 0) return []
  const homeless = result.unplaced.map(u => u.pod)
  const amounts = homeless.map(p => amountsOf(podRequests(p)))
  const missing = { cpu: amounts.reduce((sum, a) => sum + a.cpuMillicores, 0), memory: amounts.reduce((sum, a) => sum + a.memoryBytes, 0) }
  const important = homeless.filter(p => (p.spec?.priority ?? 0) >= highPriority).length
  const wholeWorkloads = new Set(homeless.map(controllerOf).filter(owner => owner !== undefined && homes.get(owner)?.size === 1 && homes.get(owner)?.has(name))).size
  const critical = important > 0 || wholeWorkloads > 0
  const worse = [
    important > 0 ? `${plural(important, 'system pod')} among them` : '',
    wholeWorkloads > 0 ? `${plural(wholeWorkloads, 'workload')} with no pod elsewhere` : '',
  ].filter(Boolean)
  return [
    {
      severity: critical ? 'critical' : 'warning',
      title: `If node ${name} fails, ${plural(homeless.length, 'pod')} cannot run`,
      message: `${homeless.length} of its ${plural(toPlace.length, 'pod')} fit on no other node; they request ${cores(missing.cpu)} CPU and ${bytes(missing.memory)} memory${worse.length > 0 ? `; ${worse.join(', ')}` : ''}.`,
      advice: 'Add a node with at least that much free, or lower the requests of these workloads.',
      subjects: [{ kind: 'Node', name }, ...homeless.slice(0, namedPods).map(p => ({ kind: 'Pod', namespace: p.metadata.namespace ?? '', name: p.metadata.name ?? keyOf(p) }))],
    },
  ]
}
