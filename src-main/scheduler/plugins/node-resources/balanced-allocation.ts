/** Prefers nodes on which CPU and memory are used to a like degree. */
import { definePlugin } from '../../framework.ts'
import { cachedRequests } from '../../node-info.ts'

export const nodeResourcesBalancedAllocation = definePlugin({
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score: (pod, node) => {
    const requests = cachedRequests(pod)
    // A pod that asks for nothing unbalances nothing.
    if ((requests.get('cpu') ?? 0) === 0 && (requests.get('memory') ?? 0) === 0) return 0
    const fractions = ['cpu', 'memory'].flatMap(name => {
      const capacity = node.allocatable.get(name) ?? 0
      return capacity === 0 ? [] : [Math.min(1, ((node.requested.get(name) ?? 0) + (requests.get(name) ?? 0)) / capacity)]
    })
    const spread = fractions.length === 2 ? Math.abs((fractions[0] ?? 0) - (fractions[1] ?? 0)) / 2 : 0
    return Math.floor((1 - spread) * 100)
  },
})
