/** NodeInfo and snapshots of plain objects. Pure. */
import { podRequests, resourceAmounts } from '../api/core/v1/pod-questions.ts'
import type { ResourceAmounts } from '../api/core/v1/pod-questions.ts'
import type { Node, Pod } from '../api/generated/core-v1.ts'
import type { NodeInfo } from './framework.ts'

/** As upstream: a container without requests counts so much when nodes are compared. */
const defaultCpuMilli = 100
const defaultMemoryBytes = 200 * 1024 * 1024

// Requests of a pod never change without a new object (frozen, shared): computed once each.
const requestsOf = new WeakMap<Pod, ResourceAmounts>()

export function cachedRequests(pod: Pod): ResourceAmounts {
  let found = requestsOf.get(pod)
  if (!found) {
    found = podRequests(pod)
    requestsOf.set(pod, found)
  }
  return found
}

const nonZeroOf = new WeakMap<Pod, { cpu: number; memory: number }>()

/** Requests of cpu and memory, with what a container that asks for nothing counts. Computed once a pod. */
export function nonZeroRequests(pod: Pod): { readonly cpu: number; readonly memory: number } {
  let found = nonZeroOf.get(pod)
  if (!found) nonZeroOf.set(pod, (found = computeNonZero(pod)))
  return found
}

function computeNonZero(pod: Pod): { cpu: number; memory: number } {
  const requests = cachedRequests(pod)
  const containers = pod.spec?.containers ?? []
  if (containers.length === 0) return { cpu: 0, memory: 0 }
  const silent = (name: string): number => containers.filter(c => c.resources?.requests?.[name] === undefined).length
  return {
    cpu: (requests.get('cpu') ?? 0) + silent('cpu') * defaultCpuMilli,
    memory: (requests.get('memory') ?? 0) + silent('memory') * defaultMemoryBytes,
  }
}

// A node's status is replaced, never altered: read once each.
const allocatableOf = new WeakMap<object, ResourceAmounts>()

function cachedAllocatable(node: Node): ResourceAmounts {
  const list = node.status?.allocatable
  if (!list) return new Map()
  let found = allocatableOf.get(list)
  if (!found) allocatableOf.set(list, (found = resourceAmounts(list)))
  return found
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const requested: ResourceAmounts = new Map()
  const requestedNonZero = { cpu: 0, memory: 0 }
  for (const pod of pods) addTo(requested, requestedNonZero, pod, 1)
  return { name: node.metadata.name ?? '', node, pods, allocatable: cachedAllocatable(node), requested, requestedNonZero }
}

/** The requests follow a pod that comes (1) or goes (-1): sums of whole numbers, so nothing is lost on the way. */
function addTo(requested: ResourceAmounts, nonZero: { cpu: number; memory: number }, pod: Pod, sign: 1 | -1): void {
  for (const [name, amount] of cachedRequests(pod)) requested.set(name, (requested.get(name) ?? 0) + sign * amount)
  const more = nonZeroRequests(pod)
  nonZero.cpu += sign * more.cpu
  nonZero.memory += sign * more.memory
}

export function withPod(info: NodeInfo, pod: Pod): NodeInfo {
  const requested = new Map(info.requested)
  const requestedNonZero = { ...info.requestedNonZero }
  addTo(requested, requestedNonZero, pod, 1)
  return { ...info, pods: [...info.pods, pod], requested, requestedNonZero }
}

export function withoutPods(info: NodeInfo, gone: ReadonlySet<Pod>): NodeInfo {
  const requested = new Map(info.requested)
  const requestedNonZero = { ...info.requestedNonZero }
  const pods = info.pods.filter(pod => !gone.has(pod))
  for (const pod of info.pods) if (gone.has(pod)) addTo(requested, requestedNonZero, pod, -1)
  return { ...info, pods, requested, requestedNonZero }
}
