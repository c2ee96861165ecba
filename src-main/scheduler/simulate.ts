/**
 * Places pods on a copy of the cluster without touching it: what would happen if a node were lost, or a workload grew.
 * Pure and deterministic; the same plugins as the scheduler.
 */
import type { Namespace, Node, Pod, Service } from '../api/generated/core-v1.ts'
import { SchedulerCache } from './cache.ts'
import { decide, misfitMessage } from './cycle.ts'
import type { NodeInfo, Plugin, Snapshot } from './framework.ts'
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
  const cache = new SchedulerCache()
  for (const node of input.nodes) cache.setNode(node)
  const known = new Set(input.nodes.map(node => node.metadata.name))
  for (const pod of input.running) if (known.has(pod.spec?.nodeName)) cache.setPod(pod)
  const snapshot = snapshotOf(cache, input.namespaces ?? [], input.services ?? [])
  const placed: { pod: Pod; node: string }[] = []
  const unplaced: { pod: Pod; message: string }[] = []
  for (const original of [...pods].sort((a, b) => priorityOf(b) - priorityOf(a))) {
    const pod = withoutNode(original)
    const decision = decide(pod, { ...snapshot, nodes: cache.nodes() }, plugins, () => 0)
    if ('misfit' in decision) {
      unplaced.push({ pod: original, message: misfitMessage(decision.misfit, cache.nodes().length, '') })
      continue
    }
    cache.assume(pod, decision.fit.node)
    placed.push({ pod: original, node: decision.fit.node })
  }
  return { placed, unplaced, nodes: [...cache.nodes()] }
}

/** What plugins see of a cache, as long as it is not altered. */
export function snapshotOf(cache: SchedulerCache, namespaces: readonly Namespace[], services: readonly Service[]): Snapshot {
  const byName = new Map(namespaces.map(n => [n.metadata.name ?? '', n]))
  return {
    nodes: cache.nodes(),
    placed: cache.index,
    imageHolders: name => cache.imageHolders(name),
    namespace: name => byName.get(name),
    namespaces: () => namespaces,
    services: namespace => services.filter(s => s.metadata.namespace === namespace),
  }
}

function withoutNode(pod: Pod): Pod {
  if (!pod.spec) return pod
  const { nodeName: _node, ...spec } = pod.spec
  return { ...pod, spec }
}
