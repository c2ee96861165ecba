/** The node has room for the pod's requests; emptier nodes score higher (least allocated). */
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { definePlugin } from '../../framework.ts'
import type { NodeInfo } from '../../framework.ts'
import { cachedRequests, nonZeroRequests } from '../../node-info.ts'

interface State {
  readonly names: readonly string[]
  readonly amounts: readonly number[]
  readonly nonZero: { readonly cpu: number; readonly memory: number }
}

export const nodeResourcesFit = definePlugin<State>({
  name: 'NodeResourcesFit',
  weight: 1,
  prepare: pod => {
    const wanted = [...cachedRequests(pod)].filter(([, amount]) => amount !== 0)
    return { names: wanted.map(([name]) => name), amounts: wanted.map(([, amount]) => amount), nonZero: nonZeroRequests(pod) }
  },
  filter: (_pod, node, { names, amounts }) => {
    // Most nodes have room: they cost no list.
    let reasons: string[] | undefined
    let unresolvable = true
    if (node.pods.length + 1 > (node.allocatable.get('pods') ?? 0)) {
      reasons = ['Too many pods']
      unresolvable = false
    }
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string
      const amount = amounts[i] as number
      const allocatable = node.allocatable.get(name) ?? 0
      if (amount <= allocatable - (node.requested.get(name) ?? 0)) continue
      ;(reasons ??= []).push(`Insufficient ${name}`)
      // Even an empty node would be too small: nothing to gain by eviction.
      if (amount <= allocatable) unresolvable = false
    }
    return reasons ? { reasons, unresolvable } : undefined
  },
  score: (_pod, node, { nonZero }) => {
    const cpu = free(node, 'cpu', nonZero.cpu)
    const memory = free(node, 'memory', nonZero.memory)
    if (cpu === undefined || memory === undefined) return cpu ?? memory ?? 0
    return Math.floor((cpu + memory) / 2)
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
