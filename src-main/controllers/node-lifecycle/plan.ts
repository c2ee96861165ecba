/** Taints and conditions that follow from a node's state. Pure; names and texts are Kubernetes'. */
import type { Node, NodeCondition, Taint } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { formatTime } from '../../api/time.ts'

export const notReadyTaint = 'node.kubernetes.io/not-ready'
export const unreachableTaint = 'node.kubernetes.io/unreachable'

/** Condition type → status → key of its NoSchedule taint. */
const conditionTaints: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
}
const unschedulableTaint = 'node.kubernetes.io/unschedulable'
const managedNoSchedule: ReadonlySet<string> = new Set([...Object.values(conditionTaints).flatMap(byStatus => Object.values(byStatus)), unschedulableTaint])
const managedNoExecute: ReadonlySet<string> = new Set([notReadyTaint, unreachableTaint])

export type Readiness = 'True' | 'False' | 'Unknown'

export function readinessOf(node: Node): Readiness {
  const status = node.status?.conditions?.find(c => c.type === 'Ready')?.status
  return status === 'True' || status === 'False' ? status : 'Unknown'
}

/**
 * The taints that a node should have. `evict`: NoExecute taints may be set now (false while so many nodes are silent
 * that the fault is likelier ours); those already set then stay. Undefined when nothing changes.
 */
export function wantedTaints(node: Node, evict: 'yes' | 'keep' | 'no', nowMs: number): Taint[] | undefined {
  const present = node.spec?.taints ?? []
  const foreign = present.filter(t => !(t.effect === 'NoSchedule' && managedNoSchedule.has(t.key)) && !(t.effect === 'NoExecute' && managedNoExecute.has(t.key)))
  const keep = (key: string, effect: Taint['effect']): Taint | undefined => present.find(t => t.key === key && t.effect === effect)
  const noSchedule = noScheduleKeys(node).map(
    key => keep(key, 'NoSchedule') ?? { key, effect: 'NoSchedule' as const, ...(conditionTimed(key) ? { timeAdded: formatTime(nowMs) } : {}) },
  )
  const wanted = [...foreign, ...noSchedule, ...noExecute(node, evict, keep, nowMs)]
  const id = (t: Taint): string => `${t.key}:${t.effect}:${t.value ?? ''}`
  return deepEqual(wanted.map(id).sort(), present.map(id).sort()) ? undefined : wanted
}

function conditionTimed(key: string): boolean {
  return key !== unschedulableTaint
}

function noScheduleKeys(node: Node): string[] {
  const keys = (node.status?.conditions ?? []).flatMap(c => conditionTaints[c.type]?.[c.status] ?? [])
  if (!node.status?.conditions?.some(c => c.type === 'Ready')) keys.push(notReadyTaint)
  if (node.spec?.unschedulable) keys.push(unschedulableTaint)
  return [...new Set(keys)]
}

function noExecute(node: Node, evict: 'yes' | 'keep' | 'no', keep: (key: string, effect: Taint['effect']) => Taint | undefined, nowMs: number): Taint[] {
  const readiness = readinessOf(node)
  // A node that never said anything is starting: silentConditions speaks for it after the startup grace.
  if (readiness === 'True' || evict === 'no' || !node.status?.conditions?.some(c => c.type === 'Ready')) return []
  const key = readiness === 'False' ? notReadyTaint : unreachableTaint
  const present = keep(key, 'NoExecute')
  if (present) return [present]
  // Silence that became a "no", or the other way round: the older taint is exchanged even when no new ones may be set.
  const other = keep(key === notReadyTaint ? unreachableTaint : notReadyTaint, 'NoExecute')
  return evict === 'yes' || other ? [{ key, effect: 'NoExecute', timeAdded: formatTime(nowMs) }] : []
}

const observed = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const

/** Conditions of a node whose agent fell silent. Undefined when they say so already. */
export function silentConditions(node: Node, nowMs: number): NodeCondition[] | undefined {
  const present = node.status?.conditions ?? []
  const now = formatTime(nowMs)
  const known = present.map((c): NodeCondition => {
    if (!observed.includes(c.type as 'Ready') || c.status === 'Unknown') return c
    return { ...c, status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.', lastTransitionTime: now }
  })
  const missing = observed
    .filter(type => !present.some(c => c.type === type))
    .map((type): NodeCondition => ({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: node.metadata.creationTimestamp ?? now,
      lastTransitionTime: now,
    }))
  const next = [...known, ...missing]
  return deepEqual(next, present) ? undefined : next
}

export type ZoneState = 'Initial' | 'Normal' | 'FullDisruption' | 'PartialDisruption'

/** As upstream: more than 55 % silent (and more than two) is a disruption; all silent a full one. */
export function zoneState(ready: number, notReady: number): ZoneState {
  if (ready === 0 && notReady > 0) return 'FullDisruption'
  if (notReady > 2 && notReady / (ready + notReady) >= 0.55) return 'PartialDisruption'
  return 'Normal'
}

export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {}
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`
}
