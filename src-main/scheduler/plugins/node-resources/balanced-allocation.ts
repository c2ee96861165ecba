/** Prefers nodes on which CPU and memory are used to a like degree. */
import { definePlugin } from '../../framework.ts'
import type { NodeInfo } from '../../framework.ts'
import { cachedRequests } from '../../node-info.ts'

export const nodeResourcesBalancedAllocation = definePlugin<{ readonly cpu: number; readonly memory: number }>({
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  prepare: pod => {
    const requests = cachedRequests(pod)
    return { cpu: requests.get('cpu') ?? 0, memory: requests.get('memory') ?? 0 }
  },
  // A pod that asks for nothing unbalances nothing.
  skips: (_pod, { cpu, memory }) => ({ score: cpu === 0 && memory === 0 }),
  score: (_pod, node, requests) => {
    const cpu = fraction(node, 'cpu', requests.cpu)
    const memory = fraction(node, 'memory', requests.memory)
    const spread = cpu === undefined || memory === undefined ? 0 : Math.abs(cpu - memory) / 2
    return Math.floor((1 - spread) * 100)
  },
})

/** Of the node's amount that is used with `more` added; undefined where it has none. */
function fraction(node: NodeInfo, name: string, more: number): number | undefined {
  const capacity = node.allocatable.get(name) ?? 0
  return capacity === 0 ? undefined : Math.min(1, ((node.requested.get(name) ?? 0) + more) / capacity)
}
