/** The node has room for the pod's requests; emptier nodes score higher (least allocated). */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo } from '../../framework.ts'
import { cachedRequests, nonZeroRequests } from '../../node-info.ts'

export const nodeResourcesFit = definePlugin({
  name: 'NodeResourcesFit',
  weight: 1,
  filter: (pod, node) => {
    const reasons: string[] = []
    let unresolvable = true
    if (node.pods.length + 1 > (node.allocatable.get('pods') ?? 0)) {
      reasons.push('Too many pods')
      unresolvable = false
    }
    for (const [name, amount] of cachedRequests(pod)) {
      if (amount === 0) continue
      const allocatable = node.allocatable.get(name) ?? 0
      if (amount <= allocatable - (node.requested.get(name) ?? 0)) continue
      reasons.push(`Insufficient ${name}`)
      // Even an empty node would be too small: nothing to gain by eviction.
      if (amount <= allocatable) unresolvable = false
    }
    return reasons.length > 0 ? { reasons, unresolvable } : undefined
  },
  score: (pod, node) => {
    const more = nonZeroRequests(pod)
    const parts = [free(node, 'cpu', more.cpu), free(node, 'memory', more.memory)].filter(p => p !== undefined)
    return parts.length === 0 ? 0 : Math.floor(parts.reduce((a, b) => a + b, 0) / parts.length)
  },
  wakesOn: [
    { kind: nodes, on: ['add', 'update'] },
    { kind: pods, on: ['delete', 'update'] },
  ],
})

/** Percent of the node's amount that stays free with `more` added. */
function free(node: NodeInfo, name: 'cpu' | 'memory', more: number): number | undefined {
  const capacity = node.allocatable.get(name) ?? 0
  if (capacity === 0) return undefined
  return Math.max(0, Math.floor(((capacity - node.requestedNonZero[name] - more) * 100) / capacity))
}
