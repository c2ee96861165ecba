/** Why a pod has no node: each node's refusal by the scheduler's own plugins, and how much is missing there. Pure. */
import type { PlacementAnswer } from '../api/bridge.ts'
import { isPodTerminal, podRequests } from '../api/core/v1/pod-questions.ts'
import type { Node } from '../api/core/v1/node.ts'
import type { Pod } from '../api/core/v1/pod.ts'
import { SchedulerCache } from '../scheduler/cache.ts'
import { decide } from '../scheduler/cycle.ts'
import type { NodeInfo } from '../scheduler/framework.ts'
import { defaultPlugins } from '../scheduler/plugins.ts'
import { snapshotOf } from '../scheduler/simulate.ts'

/** More nodes than this are counted, not listed. */
const maxNodes = 200

/** Nodes that would take the pod have no refusal. Where one would, the answer says only that. */
export function placementOf(nodes: readonly Node[], pods: readonly Pod[], pod: Pod): PlacementAnswer {
  const cache = new SchedulerCache()
  for (const node of nodes) cache.setNode(node)
  const known = new Set(nodes.map(node => node.metadata.name))
  for (const other of pods) if (other.metadata.uid !== pod.metadata.uid && known.has(other.spec?.nodeName) && !isPodTerminal(other)) cache.setPod(other)
  const decision = decide(pod, snapshotOf(cache, [], []), defaultPlugins, () => 0)
  if ('fit' in decision) return { fits: decision.fit.node, nodes: [], more: 0 }
  const wanted = podRequests(pod)
  const refused = cache.nodes().map(info => {
    const refusal = decision.misfit.refusals.get(info.name)
    return { name: info.name, plugin: refusal?.plugin ?? '', reasons: [...(refusal?.reasons ?? [])], missing: missingOn(info, wanted) }
  })
  const sorted = refused.sort((a, b) => a.reasons.length - b.reasons.length || (a.name < b.name ? -1 : 1))
  return { nodes: sorted.slice(0, maxNodes), more: Math.max(0, sorted.length - maxNodes) }
}

function missingOn(info: NodeInfo, wanted: ReadonlyMap<string, number>): { resource: string; amount: number }[] {
  return [...wanted].flatMap(([resource, amount]) => {
    const missing = amount - ((info.allocatable.get(resource) ?? 0) - (info.requested.get(resource) ?? 0))
    return amount > 0 && missing > 0 ? [{ resource, amount: missing }] : []
  })
}
