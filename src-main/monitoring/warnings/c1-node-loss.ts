import type { Pod } from '../../api/core/v1/pod.ts'
import { podRequests, resourceAmounts } from '../../api/core/v1/pod-questions.ts'
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

/** Pods that are placed anew in one look, the fullest nodes first; beyond a few dozen nodes those are the ones whose loss could hurt. */
const maxPlacements = 300

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
    const doubtful = load.filter(lost => lost.usage.ready && movable(lost).length > 0 && !hasRoomElsewhere(lost, load))
    let placements = 0
    const looked = doubtful
      .sort((a, b) => b.pods.length - a.pods.length)
      .filter((lost, index) => {
        placements += movable(lost).length
        return index === 0 || placements <= maxPlacements
      })
    return looked.flatMap(lost => lossOf(lost, load, placed, homes))
  },
})

interface Room {
  readonly cpu: number
  readonly memory: number
}

/** Room on open nodes, the most first; kept for as long as the same load is looked at. */
const roomsOf = new WeakMap<readonly NodeLoad[], Map<NodeLoad, Room>>()

function rooms(load: readonly NodeLoad[]): Map<NodeLoad, Room> {
  let found = roomsOf.get(load)
  if (found) return found
  found = new Map()
  for (const each of load) {
    const { node, pods, usage } = each
    if (!usage.ready || usage.unschedulable || (node.spec?.taints ?? []).length > 0) continue
    const allocatable = resourceAmounts(node.status?.allocatable)
    if (pods.length >= (allocatable.get('pods') ?? 0)) continue
    const used = pods.map(pod => amountsOf(podRequests(pod)))
    const cpu = (allocatable.get('cpu') ?? 0) - used.reduce((sum, one) => sum + one.cpuMillicores, 0)
    const memory = (allocatable.get('memory') ?? 0) - used.reduce((sum, one) => sum + one.memoryBytes, 0)
    found.set(each, { cpu, memory })
  }
  roomsOf.set(load, found)
  return found
}

/** True when it is certain without a try: as many other nodes as there are pods have room for the largest of them, and no pod is particular about its node. */
function hasRoomElsewhere(lost: NodeLoad, load: readonly NodeLoad[]): boolean {
  const pods = movable(lost)
  if (!pods.every(isUndemanding)) return false
  const needs = pods.map(pod => amountsOf(podRequests(pod)))
  const cpu = needs.reduce((most, one) => Math.max(most, one.cpuMillicores), 0)
  const memory = needs.reduce((most, one) => Math.max(most, one.memoryBytes), 0)
  let count = 0
  for (const [other, room] of rooms(load)) {
    if (other !== lost && room.cpu >= cpu && room.memory >= memory && ++count >= pods.length) return true
  }
  return false
}

/** Any open node with enough processor and memory would do. */
function isUndemanding({ spec }: Pod): boolean {
  if (spec?.affinity || (spec?.topologySpreadConstraints ?? []).length > 0 || Object.keys(spec?.nodeSelector ?? {}).length > 0) return false
  if ((spec?.volumes ?? []).some(volume => volume.persistentVolumeClaim ?? volume.ephemeral ?? volume.csi)) return false
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
  const simple = new Set(['cpu', 'memory'])
  return containers.every(({ ports, resources }) => (ports ?? []).every(port => !port.hostPort) && Object.keys(resources?.requests ?? {}).every(name => simple.has(name)))
}

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
