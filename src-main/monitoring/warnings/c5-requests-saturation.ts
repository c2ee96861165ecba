import { poolOf, type NodeLoad } from '../cluster-load.ts'
import { fraction } from '../balance.ts'
import { bytes, cores, defineWarning, percent, type WarningFinding } from '../warning.ts'

const warnAt = 0.8
const criticalAt = 0.95

/** C5: sum of requests ÷ sum of allocatable of a pool, for the fuller of CPU and memory. Nodes that take no new pods do not count. */
export const requestsSaturation = defineWarning({
  id: 'C5',
  find({ load }) {
    const pools = new Map<string, NodeLoad[]>()
    for (const entry of load) {
      if (!entry.usage.ready || entry.usage.unschedulable) continue
      const pool = poolOf(entry.node)
      pools.set(pool, [...(pools.get(pool) ?? []), entry])
    }
    return [...pools].flatMap(([pool, nodes]) => saturation(pool, nodes))
  },
})

function saturation(pool: string, nodes: readonly NodeLoad[]): WarningFinding[] {
  const total = (of: (l: NodeLoad) => number): number => nodes.reduce((sum, l) => sum + of(l), 0)
  const cpu = { requested: total(l => l.usage.requests.cpuMillicores), whole: total(l => l.usage.allocatable.cpuMillicores) }
  const memory = { requested: total(l => l.usage.requests.memoryBytes), whole: total(l => l.usage.allocatable.memoryBytes) }
  const cpuPart = fraction(cpu.requested, cpu.whole)
  const memoryPart = fraction(memory.requested, memory.whole)
  const worst = Math.max(cpuPart, memoryPart)
  if (worst < warnAt) return []
  const ofCpu = cpuPart >= memoryPart
  const figures = ofCpu ? `${cores(cpu.requested)} of ${cores(cpu.whole)} CPU` : `${bytes(memory.requested)} of ${bytes(memory.whole)} memory`
  const free = ofCpu ? `${cores(Math.max(0, cpu.whole - cpu.requested))} CPU` : `${bytes(Math.max(0, memory.whole - memory.requested))} memory`
  return [
    {
      severity: worst >= criticalAt ? 'critical' : 'warning',
      title: `${pool === 'default' ? 'The cluster' : `Pool ${pool}`} is nearly full`,
      message: `Pods request ${figures} (${percent(worst)}); ${free} is left for new pods.`,
      advice: 'Add a node, or lower requests that are far above what is used.',
      subjects: nodes.map(l => ({ kind: 'Node', name: l.usage.name })),
    },
  ]
}
