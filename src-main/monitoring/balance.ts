/** How evenly the requests lie on the nodes (PRODUCT C8): B = 100·(1 − 2·max σ), spread = max − min in percent points. Pure. */
import type { Balance } from '../api/bridge.ts'
import { poolOf, type NodeLoad } from './cluster-load.ts'

/** requests ÷ allocatable; 0 where nothing can be allocated. */
export function fraction(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0
}

export function standardDeviation(values: readonly number[]): number {
  if (values.length === 0) return 0
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
}

export function balanceOf(load: readonly NodeLoad[]): Balance {
  const pools = new Map<string, string[]>()
  for (const { node, usage } of load) {
    const pool = poolOf(node)
    pools.set(pool, [...(pools.get(pool) ?? []), usage.name])
  }
  // Nodes that take no new pods are out of the comparison: they are meant to be emptier.
  const open = load.filter(l => l.usage.ready && !l.usage.unschedulable)
  const cpu = open.map(l => fraction(l.usage.requests.cpuMillicores, l.usage.allocatable.cpuMillicores))
  const memory = open.map(l => fraction(l.usage.requests.memoryBytes, l.usage.allocatable.memoryBytes))
  const spread = (values: readonly number[]): number => (values.length === 0 ? 0 : Math.round(100 * (Math.max(...values) - Math.min(...values))))
  const score = Math.max(0, Math.round(100 * (1 - 2 * Math.max(standardDeviation(cpu), standardDeviation(memory)))))
  return {
    ...(open.length >= 2 ? { score } : {}),
    spread: { cpu: spread(cpu), memory: spread(memory) },
    pools: [...pools].map(([name, nodes]) => ({ name, nodes })),
  }
}
