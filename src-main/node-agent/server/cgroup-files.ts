/** CPU and memory of a process's control group, version 1 and 2. */
import { readFile } from 'node:fs/promises'

const root = '/sys/fs/cgroup'

export interface Usage {
  /** Nanoseconds of CPU since the start. */
  readonly cpuNanos: number
  readonly memoryUsageBytes: number
  /** Without file pages that the kernel can take back at once: what eviction looks at. */
  readonly memoryWorkingSetBytes: number
  readonly memoryRssBytes: number
  readonly pids: number
  /** CPU throttling: periods seen and throttled. */
  readonly periods: number
  readonly throttledPeriods: number
}

/** Directories by controller of `/proc/<pid>/cgroup`; version 2 has one under the key ''. Pure. */
export function parseCgroups(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line)
    if (!match) continue
    for (const controller of (match[1] ?? '').split(',')) out.set(controller, match[2] ?? '')
  }
  return out
}

/** Value of `key` in lines `key value`. Pure. */
export function field(text: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** Undefined where the process is gone. */
export async function processUsage(pid: number): Promise<Usage | undefined> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const groups = parseCgroups(text)
  const unified = await read(`${root}/cgroup.controllers`)
  return unified === '' ? usageV1(groups) : usageV2(`${root}${groups.get('') ?? ''}`)
}

/** Whole machine: the root group, or /proc where the root has no figures. */
export async function nodeUsage(clockTicksPerSecond = 100): Promise<Usage> {
  const stat = await read('/proc/stat')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu\s+(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number)
  const memory = await read('/proc/meminfo')
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0) * 1024
  const used = kib('MemTotal') - kib('MemFree')
  const load = await read('/proc/loadavg')
  return {
    cpuNanos: ((user + nice + system + irq + softirq) / clockTicksPerSecond) * 1e9,
    memoryUsageBytes: used,
    memoryWorkingSetBytes: Math.max(0, used - kib('Inactive(file)')),
    memoryRssBytes: kib('AnonPages'),
    pids: Number(load.split(' ')[3]?.split('/')[1] ?? 0),
    periods: 0,
    throttledPeriods: 0,
  }
}

async function usageV1(groups: ReadonlyMap<string, string>): Promise<Usage | undefined> {
  const at = (controller: string, file: string): Promise<string> => read(`${root}/${controller}${groups.get(controller) ?? ''}/${file}`)
  const [cpu, cpuStat, usage, stat, pids] = await Promise.all([
    at('cpuacct', 'cpuacct.usage'),
    at('cpu', 'cpu.stat'),
    at('memory', 'memory.usage_in_bytes'),
    at('memory', 'memory.stat'),
    at('pids', 'pids.current'),
  ])
  if (cpu === '' && usage === '') return undefined
  return {
    cpuNanos: Number(cpu),
    memoryUsageBytes: Number(usage),
    memoryWorkingSetBytes: Math.max(0, Number(usage) - field(stat, 'total_inactive_file')),
    memoryRssBytes: field(stat, 'total_rss'),
    pids: Number(pids),
    periods: field(cpuStat, 'nr_periods'),
    throttledPeriods: field(cpuStat, 'nr_throttled'),
  }
}

async function usageV2(directory: string): Promise<Usage | undefined> {
  const [cpu, current, stat, pids] = await Promise.all(['cpu.stat', 'memory.current', 'memory.stat', 'pids.current'].map(file => read(`${directory}/${file}`)))
  if (!cpu || stat === undefined) return undefined
  return {
    cpuNanos: field(cpu, 'usage_usec') * 1000,
    memoryUsageBytes: Number(current),
    memoryWorkingSetBytes: Math.max(0, Number(current) - field(stat, 'inactive_file')),
    memoryRssBytes: field(stat, 'anon'),
    pids: Number(pids),
    periods: field(cpu, 'nr_periods'),
    throttledPeriods: field(cpu, 'nr_throttled'),
  }
}

async function read(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim()
}
