/**
 * Pure questions about pods that scheduler, kubelet, controllers and window share, answered as Kubernetes answers them
 * (component-helpers/resource, api/v1/pod, kubectl's STATUS text). Nothing here alters a pod.
 */
import type { Container, ContainerStatus, Node, Pod, PodCondition, PodSpec, Taint, Toleration } from '../../generated/core-v1.ts'
import { milliValue, parseQuantity, value } from '../../quantity.ts'
import { parseTime } from '../../time.ts'

export const podReasonNodeLost = 'NodeLost'
export const podReasonSchedulingGated = 'SchedulingGated'

/** Amounts by resource name: cpu in millicores, all others in units (bytes, pieces). */
export type ResourceAmounts = Map<string, number>

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find(c => c.type === type)
}

/** Ready condition is True: the pod may get traffic. */
export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True'
}

/** Ready for at least minReadySeconds at `now` (milliseconds). */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  const ready = podCondition(pod, 'Ready')
  if (ready?.status !== 'True') return false
  if (minReadySeconds <= 0) return true
  return ready.lastTransitionTime !== undefined && parseTime(ready.lastTransitionTime) + minReadySeconds * 1000 <= now
}

/** Succeeded or Failed: its containers never run again. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Not terminal and not being deleted: it counts as a replica. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined
}

/** Made from a file on the node; the API only mirrors it. */
export function isMirrorPod(pod: Pod): boolean {
  return Object.hasOwn(pod.metadata.annotations ?? {}, 'kubernetes.io/config.mirror')
}

export function isDaemonPod(pod: Pod): boolean {
  return (pod.metadata.ownerReferences ?? []).some(o => o.controller === true && o.kind === 'DaemonSet')
}

/** Init container with restartPolicy Always: it runs beside the pod's containers. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

/** A resource list as amounts. Quantities that cannot be read count as 0. */
export function resourceAmounts(list: Readonly<Record<string, string>> | undefined): ResourceAmounts {
  const amounts: ResourceAmounts = new Map()
  for (const [name, text] of Object.entries(list ?? {})) amounts.set(name, amountOf(name, text))
  return amounts
}

function amountOf(name: string, text: string): number {
  try {
    const quantity = parseQuantity(text)
    return name === 'cpu' ? milliValue(quantity) : value(quantity)
  } catch {
    return 0
  }
}

function add(into: ResourceAmounts, more: ResourceAmounts): void {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0) + amount)
}

function raise(into: ResourceAmounts, other: ResourceAmounts): void {
  for (const [name, amount] of other) into.set(name, Math.max(into.get(name) ?? 0, amount))
}

const podLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')

/** What the pod needs of a node: containers, the largest step of its init containers beside running sidecars, pod-level requests, overhead. */
export function podRequests(pod: Pod): ResourceAmounts {
  return podAmounts(pod.spec, 'requests')
}

/** The most the pod may use, with the same rules; a resource that some container leaves unlimited is still the sum of the others. */
export function podLimits(pod: Pod): ResourceAmounts {
  return podAmounts(pod.spec, 'limits')
}

function podAmounts(spec: PodSpec | undefined, which: 'requests' | 'limits'): ResourceAmounts {
  const total: ResourceAmounts = new Map()
  const sidecars: ResourceAmounts = new Map()
  const initPeak: ResourceAmounts = new Map()
  for (const container of spec?.containers ?? []) add(total, resourceAmounts(container.resources?.[which]))
  for (const container of spec?.initContainers ?? []) {
    const own = resourceAmounts(container.resources?.[which])
    if (isSidecar(container)) {
      add(total, own)
      add(sidecars, own)
      raise(initPeak, sidecars)
    } else {
      add(own, sidecars)
      raise(initPeak, own)
    }
  }
  raise(total, initPeak)
  for (const [name, amount] of resourceAmounts(spec?.resources?.[which])) if (podLevelResource(name)) total.set(name, amount)
  for (const [name, amount] of resourceAmounts(spec?.overhead)) {
    // Overhead widens a limit only where there is one.
    if (which === 'requests' || total.has(name)) total.set(name, (total.get(name) ?? 0) + amount)
  }
  return total
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** Quality of service: from pod-level resources when there are any, else from all containers' cpu and memory. */
export function podQosClass(pod: Pod): QosClass {
  const spec = pod.spec
  if (spec?.resources !== undefined && (hasCompute(spec.resources.requests) || hasCompute(spec.resources.limits))) {
    return qosOf(computeOnly(spec.resources.requests), computeOnly(spec.resources.limits), isGuaranteedOne(spec.resources.limits))
  }
  const requests: ResourceAmounts = new Map()
  const limits: ResourceAmounts = new Map()
  let guaranteed = true
  for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
    add(requests, computeOnly(container.resources?.requests))
    add(limits, computeOnly(container.resources?.limits))
    if (!isGuaranteedOne(container.resources?.limits)) guaranteed = false
  }
  return qosOf(requests, limits, guaranteed)
}

function computeOnly(list: Readonly<Record<string, string>> | undefined): ResourceAmounts {
  return new Map([...resourceAmounts(list)].filter(([name, amount]) => (name === 'cpu' || name === 'memory') && amount > 0))
}

function hasCompute(list: Readonly<Record<string, string>> | undefined): boolean {
  return computeOnly(list).size > 0
}

function isGuaranteedOne(limits: Readonly<Record<string, string>> | undefined): boolean {
  return computeOnly(limits).size === 2
}

function qosOf(requests: ResourceAmounts, limits: ResourceAmounts, allLimited: boolean): QosClass {
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  const equal = requests.size === limits.size && [...requests].every(([name, amount]) => limits.get(name) === amount)
  return allLimited && equal ? 'Guaranteed' : 'Burstable'
}

export interface PodStatusText {
  /** kubectl's STATUS. */
  readonly reason: string
  readonly ready: number
  readonly total: number
  readonly restarts: number
  /** Milliseconds of the last restart; undefined when there was none. */
  readonly lastRestartAt: number | undefined
}

interface Tally {
  reason: string
  ready: number
  restarts: number
  lastRestartAt: number | undefined
}

function noteRestart(tally: Tally, status: ContainerStatus): void {
  tally.restarts += status.restartCount ?? 0
  const finishedAt = status.lastState?.terminated?.finishedAt
  if (finishedAt === undefined) return
  const at = parseTime(finishedAt)
  if (!Number.isNaN(at) && (tally.lastRestartAt === undefined || at > tally.lastRestartAt)) tally.lastRestartAt = at
}

function exitText(terminated: { reason?: string; signal?: number; exitCode?: number }): string {
  if (terminated.reason) return terminated.reason
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`
}

/** STATUS, READY and RESTARTS as kubectl shows them. */
export function podStatusText(pod: Pod): PodStatusText {
  const inits = pod.spec?.initContainers ?? []
  const total = (pod.spec?.containers?.length ?? 0) + inits.filter(isSidecar).length
  const tally: Tally = { reason: pod.status?.reason || pod.status?.phase || '', ready: 0, restarts: 0, lastRestartAt: undefined }
  if ((pod.status?.conditions ?? []).some(c => c.type === 'PodScheduled' && c.reason === podReasonSchedulingGated)) tally.reason = podReasonSchedulingGated
  const sidecars: Tally = { reason: '', ready: 0, restarts: 0, lastRestartAt: undefined }
  const initializing = tallyInits(pod, inits, tally, sidecars)
  if (!initializing || podCondition(pod, 'Initialized')?.status === 'True') {
    tally.restarts = sidecars.restarts
    tally.lastRestartAt = sidecars.lastRestartAt
    tallyContainers(pod, tally)
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status?.reason === podReasonNodeLost) tally.reason = 'Unknown'
    else if (!isPodTerminal(pod)) tally.reason = 'Terminating'
  }
  return { reason: tally.reason, ready: tally.ready, total, restarts: tally.restarts, lastRestartAt: tally.lastRestartAt }
}

function tallyInits(pod: Pod, inits: readonly Container[], tally: Tally, sidecars: Tally): boolean {
  const statuses = pod.status?.initContainerStatuses ?? []
  for (const [i, status] of statuses.entries()) {
    const sidecar = inits.some(c => c.name === status.name && isSidecar(c))
    noteRestart(tally, status)
    if (sidecar) noteRestart(sidecars, status)
    const terminated = status.state?.terminated
    const waiting = status.state?.waiting
    if (terminated !== undefined && (terminated.exitCode ?? 0) === 0) continue
    if (sidecar && status.started === true) {
      if (status.ready) tally.ready++
      continue
    }
    if (terminated !== undefined) tally.reason = `Init:${exitText(terminated)}`
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') tally.reason = `Init:${waiting.reason}`
    else tally.reason = `Init:${i}/${inits.length}`
    return true
  }
  return false
}

function tallyContainers(pod: Pod, tally: Tally): void {
  let running = false
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    noteRestart(tally, status)
    if (status.state?.waiting?.reason) tally.reason = status.state.waiting.reason
    else if (status.state?.terminated !== undefined) tally.reason = exitText(status.state.terminated)
    else if (status.ready && status.state?.running !== undefined) {
      running = true
      tally.ready++
    }
  }
  if (tally.reason === 'Completed' && running) tally.reason = isPodReady(pod) ? 'Running' : 'NotReady'
}

/** kubectl's STATUS alone. */
export function podStatusReason(pod: Pod): string {
  return podStatusText(pod).reason
}

export function nodeReady(node: Node): boolean {
  return node.status?.conditions?.find(c => c.type === 'Ready')?.status === 'True'
}

/** Whether one toleration covers a taint. */
export function tolerationTolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  if (toleration.operator === 'Exists') return true
  if (!toleration.key) return false
  return (toleration.operator === undefined || toleration.operator === '' || toleration.operator === 'Equal') && (toleration.value ?? '') === (taint.value ?? '')
}

/** Whether any toleration covers the taint. */
export function tolerationsTolerate(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return (tolerations ?? []).some(t => tolerationTolerates(t, taint))
}

/** The first taint of these effects that is not tolerated. */
export function untoleratedTaint(taints: readonly Taint[] | undefined, tolerations: readonly Toleration[] | undefined, effects: readonly string[]): Taint | undefined {
  return (taints ?? []).find(taint => effects.includes(taint.effect) && !tolerationsTolerate(tolerations, taint))
}
