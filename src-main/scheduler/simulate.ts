/**
 * Places pods on a copy of the cluster without touching it: what would happen if a node were lost, or a workload grew.
 * Pure and deterministic; the same plugins as the scheduler.
 */
import { isPodTerminal } from '../api/core/v1/pod-questions.ts'
import type { Namespace, Node, Pod, Service } from '../api/generated/core-v1.ts'
import { decide, misfitMessage } from './cycle.ts'
import type { NodeInfo, Plugin, Snapshot } from './framework.ts'
import { nodeInfo, withPod } from './node-info.ts'
import { defaultPlugins } from './plugins.ts'
import { priorityOf } from './preemption.ts'

export interface SimulationInput {
  readonly nodes: readonly Node[]
  /** Pods that are bound to these nodes already; finished ones are ignored. */
  readonly running: readonly Pod[]
  readonly namespaces?: readonly Namespace[]
  readonly services?: readonly Service[]
  readonly plugins?: readonly Plugin[]
}

export interface SimulationResult {
  readonly placed: readonly { readonly pod: Pod; readonly node: string }[]
  /** Pods with no place, and the message that their PodScheduled condition would carry. */
  readonly unplaced: readonly { readonly pod: Pod; readonly message: string }[]
  /** Nodes with what runs on them afterwards. */
  readonly nodes: readonly NodeInfo[]
}

/** Places `pods` (their nodeName is ignored), the most important first, each on the nodes as the earlier ones left them. */
export function simulate(input: SimulationInput, pods: readonly Pod[]): SimulationResult {
  const plugins = input.plugins ?? defaultPlugins
  const infos = new Map(
    input.nodes.map(node => [
      node.metadata.name ?? '',
      nodeInfo(
        node,
        input.running.filter(p => p.spec?.nodeName === node.metadata.name && !isPodTerminal(p)),
      ),
    ]),
  )
  const placed: { pod: Pod; node: string }[] = []
  const unplaced: { pod: Pod; message: string }[] = []
  for (const original of [...pods].sort((a, b) => priorityOf(b) - priorityOf(a))) {
    const pod = withoutNode(original)
    const snapshot = snapshotOf([...infos.values()], input.namespaces ?? [], input.services ?? [])
    const decision = decide(pod, snapshot, plugins, () => 0)
    if ('misfit' in decision) {
      unplaced.push({ pod: original, message: misfitMessage(decision.misfit, infos.size, '') })
      continue
    }
    const info = infos.get(decision.fit.node)
    if (info) infos.set(info.name, withPod(info, bound(pod, info.name)))
    placed.push({ pod: original, node: decision.fit.node })
  }
  return { placed, unplaced, nodes: [...infos.values()] }
}

export function snapshotOf(nodes: readonly NodeInfo[], namespaces: readonly Namespace[], services: readonly Service[]): Snapshot {
  const byName = new Map(namespaces.map(n => [n.metadata.name ?? '', n]))
  return { nodes, namespace: name => byName.get(name), services: namespace => services.filter(s => s.metadata.namespace === namespace) }
}

function withoutNode(pod: Pod): Pod {
  if (!pod.spec) return pod
  const { nodeName: _node, ...spec } = pod.spec
  return { ...pod, spec }
}

/** The pod as it would be once bound. */
export function bound(pod: Pod, node: string): Pod {
  return { ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: node } }
}
