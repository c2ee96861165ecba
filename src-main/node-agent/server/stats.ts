/** The kubelet's Summary (v1alpha1) and its resource metrics, from the last samples. */
import { uptime } from 'node:os'
import type { Pod } from '../../api/generated/core-v1.ts'
import { formatTime } from '../../api/time.ts'
import type { Usage } from './cgroup-files.ts'
import type { RequestScope } from './request-scope.ts'
import type { ContainerSample, NetworkSample, NodeSample } from './samples.ts'

export function summary(scope: RequestScope): unknown {
  const node = scope.stats.node()
  const fs = node ? diskStats(node) : undefined
  return {
    node: {
      nodeName: scope.config.nodeName,
      startTime: formatTime(scope.env.clock.now() - uptime() * 1000),
      ...(node
        ? {
            cpu: cpuStats(node),
            memory: memoryStats(node, totalMemory(scope)),
            network: networkStats(node.atMs, node.network),
            fs,
            runtime: { imageFs: fs, containerFs: fs },
            rlimit: { time: formatTime(node.atMs), curproc: node.usage.pids },
          }
        : {}),
    },
    pods: scope.kubelet
      .pods()
      .map(pod => podStats(scope, pod, node))
      .filter(stats => stats !== undefined),
  }
}

function totalMemory(scope: RequestScope): number {
  const text = scope.node()?.status?.capacity?.['memory']
  return text?.endsWith('Ki') ? Number(text.slice(0, -2)) * 1024 : 0
}

function podStats(scope: RequestScope, pod: Pod, node: NodeSample | undefined): unknown {
  const samples = scope.stats.containers().filter(sample => sample.container.podUID === pod.metadata.uid)
  if (samples.length === 0) return undefined
  const apps = samples.filter(sample => sample.container.type === 'container')
  const total = (pick: (sample: ContainerSample) => number): number => samples.reduce((sum, sample) => sum + pick(sample), 0)
  const time = formatTime(samples[0]?.atMs ?? 0)
  const network = samples.find(sample => sample.network)?.network
  const fs = node ? { rootfs: { ...diskStats(node), usedBytes: 0 }, logs: { ...diskStats(node), usedBytes: 0 } } : {}
  return {
    podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
    startTime: pod.status?.startTime ?? null,
    containers: apps.map(sample => ({
      name: sample.container.name,
      startTime: formatTime(sample.container.startedAtMs),
      cpu: cpuStats(sample),
      memory: memoryStats(sample, 0),
      ...fs,
      throttling: { periods: sample.usage.periods, throttledPeriods: sample.usage.throttledPeriods },
    })),
    cpu: { time, usageNanoCores: total(s => s.cpuNanoCores), usageCoreNanoSeconds: total(s => s.usage.cpuNanos) },
    memory: { time, usageBytes: total(s => s.usage.memoryUsageBytes), workingSetBytes: total(s => s.usage.memoryWorkingSetBytes), rssBytes: total(s => s.usage.memoryRssBytes) },
    process_stats: { process_count: total(s => s.usage.pids) },
    ...(network ? { network: networkStats(samples[0]?.atMs ?? 0, network) } : {}),
  }
}

function cpuStats(sample: { atMs: number; cpuNanoCores: number; usage: Usage }): unknown {
  return { time: formatTime(sample.atMs), usageNanoCores: sample.cpuNanoCores, usageCoreNanoSeconds: sample.usage.cpuNanos }
}

function memoryStats(sample: { atMs: number; usage: Usage }, totalBytes: number): unknown {
  const { usage } = sample
  return {
    time: formatTime(sample.atMs),
    ...(totalBytes > 0 ? { availableBytes: Math.max(0, totalBytes - usage.memoryWorkingSetBytes) } : {}),
    usageBytes: usage.memoryUsageBytes,
    workingSetBytes: usage.memoryWorkingSetBytes,
    rssBytes: usage.memoryRssBytes,
  }
}

function diskStats(node: NodeSample): Record<string, unknown> {
  const { disk } = node
  return {
    time: formatTime(node.atMs),
    availableBytes: disk.availableBytes,
    capacityBytes: disk.capacityBytes,
    usedBytes: disk.usedBytes,
    inodes: disk.inodes,
    inodesFree: disk.inodesFree,
    inodesUsed: disk.inodes - disk.inodesFree,
  }
}

function networkStats(atMs: number, interfaces: readonly NetworkSample[]): unknown {
  const main = interfaces.find(i => i.name === 'eth0') ?? interfaces[0]
  return { time: formatTime(atMs), ...main, interfaces }
}

/** Prometheus text with the names of the kubelet's /metrics/resource. */
export function resourceMetrics(scope: RequestScope): string {
  const lines: string[] = []
  const head = (name: string, type: string, help: string): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
  }
  const node = scope.stats.node()
  const apps = scope.stats.containers().filter(sample => sample.container.type === 'container')
  const labels = (sample: ContainerSample): string => `{container="${sample.container.name}",namespace="${sample.container.podNamespace}",pod="${sample.container.podName}"}`
  head('container_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the container in core-seconds')
  for (const sample of apps) lines.push(`container_cpu_usage_seconds_total${labels(sample)} ${sample.usage.cpuNanos / 1e9} ${Math.round(sample.atMs)}`)
  head('container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes')
  for (const sample of apps) lines.push(`container_memory_working_set_bytes${labels(sample)} ${sample.usage.memoryWorkingSetBytes} ${Math.round(sample.atMs)}`)
  if (node) {
    head('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds')
    lines.push(`node_cpu_usage_seconds_total ${node.usage.cpuNanos / 1e9} ${Math.round(node.atMs)}`)
    head('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes')
    lines.push(`node_memory_working_set_bytes ${node.usage.memoryWorkingSetBytes} ${Math.round(node.atMs)}`)
  }
  head('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise')
  lines.push(`resource_scrape_error ${node ? 0 : 1}`)
  return `${lines.join('\n')}\n`
}
