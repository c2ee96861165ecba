/** Samples what containers and the node use, every ten seconds, and keeps the last figures with the rates between two. */
import { readFile, statfs } from 'node:fs/promises'
import type { Env } from '../../base/env.ts'
import type { ContainerRuntime, RuntimeContainer } from '../container-runtime/runtime.ts'
import { nodeUsage, processUsage } from './cgroup-files.ts'
import type { Usage } from './cgroup-files.ts'
import type { ContainerSample, DiskSample, NetworkSample, NodeSample, StatsSource } from './samples.ts'

const periodMs = 10_000

export interface StatsCollectorOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly stateDir: string
}

export class StatsCollector implements StatsSource {
  readonly #options: StatsCollectorOptions
  readonly #containers = new Map<string, ContainerSample>()
  #node: NodeSample | undefined

  constructor(options: StatsCollectorOptions) {
    this.#options = options
  }

  containers(): readonly ContainerSample[] {
    return [...this.#containers.values()]
  }
  node(): NodeSample | undefined {
    return this.#node
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    while (!signal.aborted) {
      try {
        await this.#sample()
      } catch (fault) {
        env.log.log('debug', 'no figures now', { fault: String(fault) })
      }
      await env.clock.sleep(periodMs, signal).catch(() => {})
    }
  }

  async #sample(): Promise<void> {
    const { env, runtime, stateDir } = this.#options
    const atMs = env.clock.now()
    const monotonicMs = env.clock.awakeMs()
    const usage = await nodeUsage()
    const fs = await statfs(stateDir).catch(() => statfs('/'))
    const disk: DiskSample = {
      capacityBytes: fs.blocks * fs.bsize,
      availableBytes: fs.bavail * fs.bsize,
      usedBytes: (fs.blocks - fs.bfree) * fs.bsize,
      inodes: fs.files,
      inodesFree: fs.ffree,
    }
    this.#node = { atMs, monotonicMs, usage, cpuNanoCores: rate(this.#node, usage, monotonicMs), disk, network: await networkOf('self') }
    const running = (await runtime.list()).filter(container => container.phase === 'running' && container.pid > 0)
    const present = new Set<string>()
    for (const container of running) {
      const sample = await this.#container(container, atMs, monotonicMs)
      if (!sample) continue
      present.add(container.id)
      this.#containers.set(container.id, sample)
    }
    for (const id of this.#containers.keys()) if (!present.has(id)) this.#containers.delete(id)
  }

  async #container(container: RuntimeContainer, atMs: number, monotonicMs: number): Promise<ContainerSample | undefined> {
    const usage = await processUsage(container.pid)
    if (!usage) return undefined
    const before = this.#containers.get(container.id)
    const network = container.type === 'sandbox' && container.address !== '' ? await networkOf(String(container.pid)) : undefined
    return { container, atMs, monotonicMs, usage, cpuNanoCores: rate(before, usage, monotonicMs), ...(network ? { network } : {}) }
  }
}

function rate(before: { readonly monotonicMs: number; readonly usage: Usage } | undefined, usage: Usage, monotonicMs: number): number {
  if (!before || monotonicMs <= before.monotonicMs) return 0
  return Math.max(0, Math.round(((usage.cpuNanos - before.usage.cpuNanos) / (monotonicMs - before.monotonicMs)) * 1000))
}

async function networkOf(process: string): Promise<NetworkSample[]> {
  const text = await readFile(`/proc/${process}/net/dev`, 'utf8').catch(() => '')
  return parseNetwork(text)
}

/** Lines of /proc/net/dev, without loopback and our own veth ends. Pure. */
export function parseNetwork(text: string): NetworkSample[] {
  const out: NetworkSample[] = []
  for (const line of text.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line)
    const name = match?.[1] ?? ''
    if (!match || name === 'lo' || name.startsWith('veth')) continue
    const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = (match[2] ?? '').trim().split(/\s+/).map(Number)
    out.push({ name, rxBytes, rxErrors, txBytes, txErrors })
  }
  return out
}
