/** Figures of the process, the program and the store for /metrics. */
import type { AnyResource } from '../api/resource.ts'
import { storagePrefix } from '../api/resource.ts'
import type { Auditor } from '../apiserver/audit/audit.ts'
import type { Metric } from '../apiserver/health/metrics.ts'
import { gitVersion, kubernetesVersion } from '../apiserver/discovery/discovery.ts'
import type { Store } from '../store/store.ts'

/** Where upstream names the cluster of its etcd. */
const storageCluster = 'etcd-0'

export function processMetrics(nowMs: number): Metric[] {
  const memory = process.memoryUsage()
  const cpu = process.cpuUsage()
  const [major = '', minor = ''] = kubernetesVersion.slice(1).split('.')
  const platform = `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`
  return [
    { name: 'process_resident_memory_bytes', help: 'Resident memory size in bytes.', type: 'gauge', samples: [{ value: memory.rss }] },
    { name: 'nodejs_heap_size_used_bytes', help: 'Process heap size used from Node.js in bytes.', type: 'gauge', samples: [{ value: memory.heapUsed }] },
    { name: 'process_cpu_seconds_total', help: 'Total user and system CPU time spent in seconds.', type: 'counter', samples: [{ value: (cpu.user + cpu.system) / 1e6 }] },
    { name: 'process_start_time_seconds', help: 'Start time of the process since unix epoch in seconds.', type: 'gauge', samples: [{ value: nowMs / 1_000 - process.uptime() }] },
    { name: 'kubernetes_build_info', help: 'The version that is running.', type: 'gauge', samples: [{ labels: { major, minor, git_version: gitVersion, platform }, value: 1 }] },
  ]
}

export async function storeMetrics(store: Store, resources: readonly AnyResource[]): Promise<Metric[]> {
  const { keys, bytesOnDisk, syncP50Ms, syncP99Ms } = store.stats()
  const kinds = resources.filter(r => r.storage !== 'virtual' && !r.conversion)
  const counts = await Promise.all(kinds.map(async r => ({ r, count: await store.count(storagePrefix(r)) })))
  return [
    { name: 'quarterdeck_store_keys', help: 'Objects in the store.', type: 'gauge', samples: [{ value: keys }] },
    {
      name: 'apiserver_storage_size_bytes',
      help: 'Size of the storage database file physically allocated in bytes.',
      type: 'gauge',
      samples: [{ labels: { storage_cluster_id: storageCluster }, value: bytesOnDisk }],
    },
    {
      name: 'apiserver_storage_objects',
      help: 'Stored objects by kind.',
      type: 'gauge',
      samples: counts.map(({ r, count }) => ({ labels: { resource: r.group === '' ? r.plural : `${r.plural}.${r.group}` }, value: count })),
    },
    {
      name: 'apiserver_resource_objects',
      help: 'Stored objects by group and resource.',
      type: 'gauge',
      samples: counts.map(({ r, count }) => ({ labels: { group: r.group, resource: r.plural }, value: count })),
    },
    {
      name: 'quarterdeck_store_sync_milliseconds',
      help: 'Duration of the last group commits.',
      type: 'gauge',
      samples: [
        { labels: { quantile: '0.5' }, value: syncP50Ms },
        { labels: { quantile: '0.99' }, value: syncP99Ms },
      ],
    },
  ]
}

export function auditMetrics(auditor: Auditor | undefined): Metric[] {
  if (!auditor) return []
  const levels = [...auditor.counts]
  return [
    { name: 'apiserver_audit_level_total', help: 'Audited requests by level.', type: 'counter', samples: levels.map(([level, value]) => ({ labels: { level }, value })) },
    { name: 'apiserver_audit_event_total', help: 'Audited requests.', type: 'counter', samples: [{ value: levels.reduce((sum, [, value]) => sum + value, 0) }] },
  ]
}
