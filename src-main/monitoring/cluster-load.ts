/**
 * What the cluster's nodes carry, as plain numbers: the input of balance and warnings. Pure.
 * CPU in millicores, memory in bytes.
 */
import type { NodeUsage } from '../api/bridge.ts'
import type { Node } from '../api/core/v1/node.ts'
import type { Pod } from '../api/core/v1/pod.ts'
import type { NodeSample } from './summary.ts'
import { isPodTerminal, nodeReady, podLimits, podRequests, resourceAmounts, type ResourceAmounts } from '../api/core/v1/pod-questions.ts'

export interface NodeLoad {
  readonly node: Node
  /** Pods bound to it that still hold resources. */
  readonly pods: readonly Pod[]
  readonly usage: NodeUsage
}

export interface LatestSample {
  readonly sample: NodeSample
  readonly receivedBytesPerSecond?: number
  readonly sentBytesPerSecond?: number
}

/** A sample older than this is not shown as live. */
export const staleAfterMs = 60_000

/** The three amounts that balance and warnings look at. */
export function amountsOf(amounts: ResourceAmounts): { cpuMillicores: number; memoryBytes: number; pods: number } {
  return { cpuMillicores: amounts.get('cpu') ?? 0, memoryBytes: amounts.get('memory') ?? 0, pods: amounts.get('pods') ?? 0 }
}

function sum(pods: readonly Pod[], of: (pod: Pod) => ResourceAmounts): { cpuMillicores: number; memoryBytes: number } {
  let cpuMillicores = 0
  let memoryBytes = 0
  for (const pod of pods) {
    const amounts = amountsOf(of(pod))
    cpuMillicores += amounts.cpuMillicores
    memoryBytes += amounts.memoryBytes
  }
  return { cpuMillicores, memoryBytes }
}

/** One entry a node, by name. Pods that ended hold nothing. */
export function loadOfNodes(nodes: readonly Node[], pods: readonly Pod[], samples: ReadonlyMap<string, LatestSample>, now: number): NodeLoad[] {
  const byNode = new Map<string, Pod[]>()
  for (const pod of pods) {
    const name = pod.spec?.nodeName
    if (!name || isPodTerminal(pod)) continue
    const entry = byNode.get(name)
    if (entry) entry.push(pod)
    else byNode.set(name, [pod])
  }
  const sorted = [...nodes].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
  return sorted.map(node => {
    const name = node.metadata.name ?? ''
    const own = byNode.get(name) ?? []
    return { node, pods: own, usage: usageOf(node, own, samples.get(name), now) }
  })
}

function usageOf(node: Node, pods: readonly Pod[], latest: LatestSample | undefined, now: number): NodeUsage {
  const sample = latest && now - latest.sample.at <= staleAfterMs ? latest.sample : undefined
  const rates =
    sample && latest?.receivedBytesPerSecond !== undefined && latest.sentBytesPerSecond !== undefined
      ? { network: { receivedBytesPerSecond: latest.receivedBytesPerSecond, sentBytesPerSecond: latest.sentBytesPerSecond } }
      : {}
  return {
    name: node.metadata.name ?? '',
    ready: nodeReady(node),
    unschedulable: node.spec?.unschedulable === true,
    allocatable: amountsOf(resourceAmounts(node.status?.allocatable)),
    requests: sum(pods, podRequests),
    limits: sum(pods, podLimits),
    pods: pods.length,
    ...(sample ? { usage: { cpuMillicores: sample.cpuMillicores, memoryBytes: sample.memoryBytes }, sampledAt: sample.at } : {}),
    ...(sample?.disk ? { disk: sample.disk } : {}),
    ...rates,
  }
}

/** Nodes with the same taints and the same role labels take the same pods: a pool. */
export function poolOf(node: Node): string {
  const taints = (node.spec?.taints ?? []).filter(t => !t.key.startsWith('node.kubernetes.io/')).map(t => `${t.key}=${t.value ?? ''}:${t.effect}`)
  const roles = Object.keys(node.metadata.labels ?? {}).filter(l => l.startsWith('node-role.kubernetes.io/'))
  const name = [...roles.map(r => r.slice('node-role.kubernetes.io/'.length)), ...taints].sort().join(' ')
  return name === '' ? 'default' : name
}
