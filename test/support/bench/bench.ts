/**
 * `npm run bench [-- --hosts]`: speed and memory of the headless control plane through its TLS port, on this machine, in
 * one run; with `--hosts` also the way from a bare practice host to a Ready node. Prints the machine and how busy others
 * keep it, then a line a figure with its goal. Nothing fails: figures are for people to compare.
 * A raw append + fdatasync loop runs beside the durable creates, so that the disk's share can be seen.
 */
import { open, rm } from 'node:fs/promises'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { benchClient, readKubeconfig, type BenchClient } from './api-client.ts'
import { measureHosts } from './hosts.ts'
import { startServer, type BenchServer } from './server.ts'

interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal?: string
}
const figures: Figure[] = []

function report(name: string, value: number, unit: string, goal?: string): void {
  figures.push({ name, value, unit, ...(goal === undefined ? {} : { goal }) })
  console.log(`${name.padEnd(58)} ${value.toFixed(value < 10 ? 2 : 0).padStart(9)} ${unit.padEnd(6)} ${goal === undefined ? '' : `goal ${goal}`}`)
}

function quantile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}

function configMap(name: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { payload: 'x'.repeat(1024) } }
}

function pod(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, namespace: 'bench', labels: { app: `app-${index % 100}` } },
    // A node name that does not exist keeps the scheduler out of this figure.
    spec: { nodeName: 'bench-node', containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '100m', memory: '64Mi' } } }] },
  }
}

/** Runs `work` for indexes 0…count-1 on `workers` parallel loops; resolves with each call's milliseconds. */
async function spread(count: number, workers: number, work: (index: number) => Promise<void>): Promise<{ times: number[]; seconds: number }> {
  const times: number[] = []
  let next = 0
  const began = performance.now()
  const loop = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const start = performance.now()
      await work(index)
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: workers }, loop))
  return { times, seconds: (performance.now() - began) / 1000 }
}

async function expectStatus(client: BenchClient, wanted: number, ...args: Parameters<BenchClient['send']>): Promise<void> {
  const answer = await client.send(...args)
  if (answer.status !== wanted) throw new Error(`${args[0]} ${args[1]}: ${answer.status} ${answer.text().slice(0, 300)}`)
}

async function rawSyncs(count: number): Promise<number> {
  const file = join(tmpdir(), `quarterdeck-bench-sync-${process.pid}`)
  const handle = await open(file, 'w')
  const record = Buffer.alloc(2048, 1)
  const began = performance.now()
  for (let i = 0; i < count; i++) {
    await handle.write(record)
    await handle.datasync()
  }
  const seconds = (performance.now() - began) / 1000
  await handle.close()
  await rm(file)
  return count / seconds
}

async function creates(client: BenchClient): Promise<void> {
  report('raw append + fdatasync of 2 KiB, one at a time', await rawSyncs(500), '/s')
  for (const [workers, count] of [
    [1, 500],
    [16, 4000],
    [64, 8000],
  ] as const) {
    const { times, seconds } = await spread(count, workers, i => expectStatus(client, 201, 'POST', '/api/v1/namespaces/default/configmaps', configMap(`c-${workers}-${i}`)))
    report(`durable creates of 1 KiB, ${workers} client${workers === 1 ? '' : 's'}`, count / seconds, '/s')
    report(`  p99 of them`, quantile(times, 0.99), 'ms')
  }
}

async function reads(client: BenchClient): Promise<void> {
  const { times } = await spread(3000, 1, i => expectStatus(client, 200, 'GET', `/api/v1/namespaces/default/configmaps/c-1-${i % 500}`))
  report('GET, one client: p50', quantile(times, 0.5), 'ms')
  report('GET, one client: p99', quantile(times, 0.99), 'ms')
  const many = await spread(10_000, 16, i => expectStatus(client, 200, 'GET', `/api/v1/namespaces/default/configmaps/c-1-${i % 500}`))
  report('GET, 16 clients', 10_000 / many.seconds, '/s')
}

async function lists(client: BenchClient): Promise<void> {
  await expectStatus(client, 201, 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } })
  await pause(1000) // the default service account of the new namespace
  await spread(10_000, 32, i => expectStatus(client, 201, 'POST', '/api/v1/namespaces/bench/pods', pod(i)))
  const whole: number[] = []
  let bytes = 0
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    bytes = (await client.send('GET', '/api/v1/namespaces/bench/pods')).bytes
    whole.push(performance.now() - start)
  }
  report(`LIST of 10,000 pods (${(bytes / 1e6).toFixed(1)} MB), median`, quantile(whole, 0.5), 'ms')
  const page = await spread(10, 1, () => expectStatus(client, 200, 'GET', '/api/v1/namespaces/bench/pods?limit=500'))
  report('LIST, a page of 500, median', quantile(page.times, 0.5), 'ms')
  const none = await spread(10, 1, () => expectStatus(client, 200, 'GET', '/api/v1/namespaces/bench/pods?labelSelector=app%3Dnone'))
  report('LIST of 10,000 by a label that none has, median', quantile(none.times, 0.5), 'ms')
}

async function watchFanOut(client: BenchClient): Promise<void> {
  const watchers = 100
  const delays: number[] = []
  const sent = new Map<string, number>()
  const stops = await Promise.all(
    Array.from({ length: watchers }, () =>
      client.watch('/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0&labelSelector=fan%3Dout', line => {
        const start = sent.get(/"name":"(fan-\d+)"/.exec(line)?.[1] ?? '')
        if (start !== undefined) delays.push(performance.now() - start)
      }),
    ),
  )
  for (let i = 0; i < 50; i++) {
    const name = `fan-${i}`
    sent.set(name, performance.now())
    await expectStatus(client, 201, 'POST', '/api/v1/namespaces/default/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default', labels: { fan: 'out' } },
    })
    await pause(20)
  }
  await pause(500)
  for (const stop of stops) stop()
  report(`a write seen by ${watchers} watchers (${delays.length} deliveries), median`, quantile(delays, 0.5), 'ms')
  report('  p99 of them', quantile(delays, 0.99), 'ms')
}

async function idle(server: BenchServer): Promise<void> {
  await pause(5000)
  report('resident memory, idle', server.residentBytes() / 2 ** 20, 'MiB', '≤ 250')
  const before = server.cpuMs()
  await pause(10_000)
  report('processor, idle, of one core', (server.cpuMs() - before) / 100, '%', '≤ 2')
}

async function hosts(client: BenchClient): Promise<void> {
  await measureHosts(client, (withDocker, { readyMs, agentBytes, agentIdlePercent }) => {
    report(`bare host to Ready, ${withDocker ? 'Docker present' : 'Docker installed on the way'}`, readyMs / 1000, 's', withDocker ? '≤ 20' : '≤ 90')
    report('  resident memory of its agent', agentBytes / 2 ** 20, 'MiB', '≤ 90')
    report('  processor of its agent, idle, of one core', agentIdlePercent, '%', '≤ 2')
  })
}

async function main(): Promise<void> {
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`)
  console.log(
    `load before the run: ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')} on ${cpus().length} processors`,
  )
  // A first start bundles the sources as they are now, and leaves V8's code cache behind; users pay that once a version.
  await (await startServer()).stop()
  const server = await startServer()
  report('start to API ready, new data', server.readyMs, 'ms', '≤ 1000')
  report('  processor time of it', server.readyCpuMs, 'ms')
  await idle(server)
  const client = benchClient(readKubeconfig(server.kubeconfig), 64)
  try {
    if (process.argv.includes('--hosts')) await hosts(client)
    await creates(client)
    await reads(client)
    await lists(client)
    await watchFanOut(client)
    report('resident memory after all that', server.residentBytes() / 2 ** 20, 'MiB')
  } finally {
    client.close()
    await server.stop(true)
  }
  const again = await startServer(server.dataDir)
  report('start to API ready, on 22,000 objects', again.readyMs, 'ms', '≤ 1000')
  report('  processor time of it', again.readyCpuMs, 'ms')
  console.log(
    `load after the run: ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')}`,
  )
  await again.stop()
}

await main()
