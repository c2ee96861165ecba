/**
 * Metrics from the first minute with nothing to install: samples of every node, their history, the balance of the nodes
 * and the capacity warnings, for the window and for metrics.k8s.io. Reads nodes and pods through informers; its figures
 * are in memory and begin anew with the control plane.
 */
import { BridgeError } from '../api/bridge.ts'
import type { BridgeHandlers, MonitoringSnapshot, PodUsage, SeriesAnswer } from '../api/bridge.ts'
import type { Client } from '../client/client.ts'
import type { Env } from '../base/env.ts'
import type { InformerFactory } from '../controller-runtime/controller.ts'
import { Lifetime } from '../base/lifetime.ts'
import { nodes as nodeResource } from '../api/core/v1/node.ts'
import { isPodTerminal, pods as podResource } from '../api/core/v1/pod.ts'
import { Series } from './history.ts'
import { loadOfNodes, staleAfterMs, type LatestSample } from './cluster-load.ts'
import { balanceOf } from './balance.ts'
import { WarningBook } from './warnings.ts'
import { placementOf } from './placement.ts'
import { metricsStorages, type Measured, type ReadOnlyStorage } from './metrics-api.ts'
import { sampleEveryMs, sampleRound } from './sampler.ts'
import type { NodeSample } from './summary.ts'

export interface MonitoringOptions {
  readonly env: Env
  readonly client: Client
  readonly informers: InformerFactory
}

export interface Monitoring {
  start(): void
  stop(): Promise<void>
  /** What is known now. The warnings are those of the last evaluation, at most `warnEveryMs` old. */
  snapshot(): MonitoringSnapshot
  /** Series for a graph; empty where nothing was ever sampled. */
  series(of: { node: string; namespace?: string; pod?: string; minutes: number }): SeriesAnswer
  /** metrics.k8s.io, by resourceKey. */
  readonly storages: ReadonlyMap<string, ReadOnlyStorage>
  /** The bridge's methods about monitoring. */
  readonly handlers: Pick<BridgeHandlers, 'monitoring.snapshot' | 'monitoring.series' | 'monitoring.placement'>
}

const snapshotEveryMs = 1_000
const warnEveryMs = 15_000

export function createMonitoring({ env, client, informers }: MonitoringOptions): Monitoring {
  const life = new Lifetime()
  const nodes = informers.informer(nodeResource)
  const pods = informers.informer(podResource)
  const latest = new Map<string, LatestSample>()
  const history = new Map<string, Series>()
  const book = new WarningBook()
  let warnings: MonitoringSnapshot['warnings'] = []
  let version = 0

  function seriesOf(key: string): Series {
    let series = history.get(key)
    if (!series) history.set(key, (series = new Series()))
    return series
  }

  function take(name: string, sample: NodeSample): void {
    const previous = latest.get(name)?.sample
    latest.set(name, { sample, ...ratesBetween(previous, sample) })
    seriesOf(name).add(sample)
    for (const pod of sample.pods) seriesOf(`${name}/${pod.namespace}/${pod.name}`).add(pod)
    version++
  }

  function forgetTheGone(): void {
    for (const name of latest.keys()) if (!nodes.get(name)) latest.delete(name)
    for (const key of history.keys()) {
      const [node = '', namespace, pod] = key.split('/')
      if (!nodes.get(node) || (pod !== undefined && !pods.get(`${namespace ?? ''}/${pod}`))) history.delete(key)
    }
  }

  function load(): ReturnType<typeof loadOfNodes> {
    return loadOfNodes(nodes.list(), pods.list(), latest, env.clock.now())
  }

  function evaluate(): void {
    const pending = pods.list().filter(p => !p.spec?.nodeName && !isPodTerminal(p))
    warnings = book.evaluate({ load: load(), pending, now: env.clock.now() })
    version++
  }

  async function every(intervalMs: number, what: string, run: () => Promise<void> | void): Promise<void> {
    while (!life.signal.aborted) {
      try {
        await run()
      } catch (fault) {
        env.log.log('error', `${what} failed`, { fault })
      }
      try {
        await env.clock.sleep(intervalMs, life.signal)
      } catch {
        return
      }
    }
  }

  function freshPods(): PodUsage[] {
    const now = env.clock.now()
    return [...latest.values()]
      .filter(l => now - l.sample.at <= staleAfterMs)
      .flatMap(l =>
        l.sample.pods.map(p => ({
          namespace: p.namespace,
          name: p.name,
          sampledAt: p.at,
          usage: { cpuMillicores: p.cpuMillicores, memoryBytes: p.memoryBytes },
          containers: p.containers.map(c => ({ name: c.name, usage: { cpuMillicores: c.cpuMillicores, memoryBytes: c.memoryBytes } })),
        })),
      )
  }

  function snapshot(): MonitoringSnapshot {
    const loads = load()
    return { at: env.clock.now(), nodes: loads.map(l => l.usage), pods: freshPods(), warnings, balance: balanceOf(loads) }
  }

  function series(of: { node: string; namespace?: string; pod?: string; minutes: number }): SeriesAnswer {
    const key = of.pod === undefined ? of.node : `${of.node}/${of.namespace ?? ''}/${of.pod}`
    const samples = history.get(key)?.since(env.clock.now() - of.minutes * 60_000) ?? []
    return { times: samples.map(s => s.at), cpuMillicores: samples.map(s => s.cpuMillicores), memoryBytes: samples.map(s => s.memoryBytes) }
  }

  async function* snapshots(signal: AbortSignal): AsyncGenerator<MonitoringSnapshot> {
    let shown = -1
    while (!signal.aborted && !life.signal.aborted) {
      if (version !== shown) {
        shown = version
        yield snapshot()
      }
      try {
        await env.clock.sleep(snapshotEveryMs, signal)
      } catch {
        return
      }
    }
  }

  const measured = {
    nodes(): Measured[] {
      const now = env.clock.now()
      return [...latest]
        .filter(([, l]) => now - l.sample.at <= staleAfterMs)
        .map(([name, { sample }]) => ({ name, labels: nodes.get(name)?.metadata.labels ?? {}, at: sample.at, own: sample, containers: [] }))
    },
    pods(namespace: string): Measured[] {
      return freshPods()
        .filter(p => namespace === '' || p.namespace === namespace)
        .map(p => ({
          namespace: p.namespace,
          name: p.name,
          at: p.sampledAt,
          own: p.usage,
          labels: pods.get(`${p.namespace}/${p.name}`)?.metadata.labels ?? {},
          containers: p.containers.map(c => ({ name: c.name, ...c.usage })),
        }))
    },
  }

  return {
    start() {
      for (const informer of [nodes, pods])
        life.add(
          informer.addHandlers({
            onAdd: () => {
              version++
            },
            onUpdate: () => {
              version++
            },
            onDelete: () => {
              version++
            },
          }),
        )
      void Promise.all([nodes.synced, pods.synced]).then(() => {
        void every(sampleEveryMs, 'sampling the nodes', async () => {
          forgetTheGone()
          await sampleRound(
            client,
            env,
            // A node that offers no port (a simulated one) has nobody who could answer.
            nodes.list().flatMap(n => (n.status?.daemonEndpoints?.kubeletEndpoint?.Port === 0 ? [] : [n.metadata.name ?? ''])),
            take,
          )
        })
        void every(warnEveryMs, 'looking for capacity warnings', evaluate)
      })
    },
    stop: () => life.stop(),
    snapshot,
    series,
    storages: metricsStorages(measured),
    handlers: {
      'monitoring.snapshot': (_input, _up, signal) => snapshots(signal),
      'monitoring.series': input => Promise.resolve(series(input)),
      'monitoring.placement': async input => {
        const pod = pods.get(`${input.namespace}/${input.pod}`)
        if (!pod) throw new BridgeError('not-found', `there is no pod ${input.namespace}/${input.pod}`)
        return placementOf(nodes.list(), pods.list(), pod)
      },
    },
  }
}

/** Bytes a second between two samples; nothing where a counter went back (a reboot). */
function ratesBetween(before: NodeSample | undefined, now: NodeSample): { receivedBytesPerSecond?: number; sentBytesPerSecond?: number } {
  const seconds = before ? (now.at - before.at) / 1000 : 0
  if (!before?.network || !now.network || seconds <= 0) return {}
  const received = now.network.receivedBytes - before.network.receivedBytes
  const sent = now.network.sentBytes - before.network.sentBytes
  return received < 0 || sent < 0 ? {} : { receivedBytesPerSecond: received / seconds, sentBytesPerSecond: sent / seconds }
}
