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

export function nonZeroRequests(pod: Pod): { cpu: number; memory: number } {
  const requests = cachedRequests(pod)
  const containers = (pod.spec?.containers ?? []).length
  const silent = (name: string): number => (pod.spec?.containers ?? []).filter(c => c.resources?.requests?.[name] === undefined).length
  if (containers === 0) return { cpu: 0, memory: 0 }
  return {
    cpu: (requests.get('cpu') ?? 0) + silent('cpu') * defaultCpuMilli,
    memory: (requests.get('memory') ?? 0) + silent('memory') * defaultMemoryBytes,
  }
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const requested: ResourceAmounts = new Map()
  const requestedNonZero = { cpu: 0, memory: 0 }
  for (const pod of pods) {
    for (const [name, amount] of cachedRequests(pod)) requested.set(name, (requested.get(name) ?? 0) + amount)
    const more = nonZeroRequests(pod)
    requestedNonZero.cpu += more.cpu
    requestedNonZero.memory += more.memory
  }
  return { name: node.metadata.name ?? '', node, pods, allocatable: resourceAmounts(node.status?.allocatable), requested, requestedNonZero }
}

export function withPod(info: NodeInfo, pod: Pod): NodeInfo {
  return nodeInfo(info.node, [...info.pods, pod])
}

export function withoutPods(info: NodeInfo, gone: ReadonlySet<Pod>): NodeInfo {
  return nodeInfo(
    info.node,
    info.pods.filter(p => !gone.has(p)),
  )
}
