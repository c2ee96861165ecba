/**
 * `npm run bench [-- --alone] [--quick] [--only REGEXP] [--hosts]`: speed and memory of the headless control plane through
 * its TLS port, side by side with a real kube-apiserver and etcd in one run, and a table with ratio and goal. Writes
 * docs/bench.md. Nothing fails: figures are for people to compare.
 *
 *   --alone         without the real one, which needs Go and, the first time, some minutes to build
 *   --quick         a tenth of the requests; docs/bench.md stays as it is
 *   --only REGEXP   only measurements with such a title (what they read must have been made: give those too); as --quick
 *   --hosts         also from a bare practice host to a Ready node
 *   --scale         instead: scheduler and controllers on simulated nodes (scale.ts)
 *   --profile DIR   writes a V8 profile of the control plane into DIR when it ends; with --alone
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureHosts } from './hosts.ts'
import { pause, quantile } from './load.ts'
import { measurements, type Goal, type Measurement } from './measurements.ts'
import { Report } from './report.ts'
import { measureScale } from './scale.ts'
import { buildKubernetes, startKubernetes } from './servers/kubernetes.ts'
import type { MeasuredServer } from './servers/measured-server.ts'
import { startQuarterdeck } from './servers/quarterdeck.ts'

const docs = fileURLToPath(new URL('../../../docs/bench.md', import.meta.url))
const { values: asked } = parseArgs({
  options: {
    alone: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    hosts: { type: 'boolean', default: false },
    profile: { type: 'string' },
    scale: { type: 'boolean', default: false },
  },
})

/** Work of a start ends. */
const SETTLE_MS = 10_000
/** Over which idle processor time is counted. */
const IDLE_MS = 10_000
const STARTS = 3

const half: Goal = { ratio: 0.5, is: 'at most' }
const report = new Report()

type Begin = (dataDir?: string) => Promise<MeasuredServer>

const quarterdeck: Begin = dataDir => startQuarterdeck(dataDir === undefined ? {} : { dataDir })

/** Medians of some starts with new data, and of as many on what the last of them left behind. */
async function starts(begin: Begin): Promise<{ readyMs: number; cpuMs: number }[]> {
  const medians = []
  let left: string | undefined
  for (const onItsData of [false, true]) {
    const servers: MeasuredServer[] = []
    for (let i = 0; i < STARTS; i++) {
      const server = await begin(onItsData ? left : undefined)
      servers.push(server)
      const isLast = i === STARTS - 1
      if (!onItsData && isLast) left = server.dataDir
      await server.stop(onItsData ? !isLast : isLast)
    }
    medians.push({
      readyMs: quantile(
        servers.map(server => server.readyMs),
        0.5,
      ),
      cpuMs: quantile(
        servers.map(server => server.readyCpuMs),
        0.5,
      ),
    })
  }
  return medians
}

async function measureStart(withOther: boolean): Promise<void> {
  // A first start bundles the sources as they are now, and leaves V8's code cache behind; users pay that once a version.
  const first = await startQuarterdeck()
  await pause(SETTLE_MS + 2_000)
  await first.stop()
  const ours = await starts(quarterdeck)
  const others = withOther ? await starts(startKubernetes) : []
  for (const [i, name] of ['start to API ready, new data (we make our keys, too)', 'start to API ready, on its own data'].entries()) {
    const [mine, other] = [ours[i], others[i]]
    report.add({
      name,
      value: mine?.readyMs ?? 0,
      unit: 'ms',
      bound: { value: 1000, is: 'at most' },
      goal: { ratio: 0.2, is: 'at most' },
      ...(other ? { other: other.readyMs } : {}),
      cpuMs: [mine?.cpuMs, other?.cpuMs],
    })
  }
}

function memory(name: string, servers: readonly MeasuredServer[], bound?: number): void {
  const [ours, other] = servers.map(server => server.residentBytes() / 2 ** 20)
  report.add({
    name,
    value: ours ?? 0,
    unit: 'MiB',
    goal: half,
    ...(other === undefined ? {} : { other }),
    ...(bound === undefined ? {} : { bound: { value: bound, is: 'at most' } }),
  })
}

async function measureIdle(servers: readonly MeasuredServer[]): Promise<void> {
  await pause(SETTLE_MS)
  memory('resident memory, idle', servers, 250)
  for (const server of servers) await server.mark()
  await pause(IDLE_MS)
  const [ours, other] = (await Promise.all(servers.map(server => server.cost()))).map(({ cpuMs }) => (cpuMs / IDLE_MS) * 100)
  report.add({ name: 'processor, idle, of one core', value: ours ?? 0, unit: '%', bound: { value: 2, is: 'at most' }, ...(other === undefined ? {} : { other }) })
}

/** One measurement on each server in turn: what else the machine does hits both. */
async function measure(measurement: Measurement, servers: readonly MeasuredServer[]): Promise<void> {
  const results = []
  for (const server of servers) {
    await server.mark()
    const values = await measurement.run(server)
    const { cpuMs, heldMs } = await server.cost()
    results.push({ values, cpuMs: cpuMs / measurement.requests, heldMs })
  }
  const [ours, other] = results
  ours?.values.forEach((value, i) => {
    const there = other?.values[i]?.value
    const costs = i > 0 ? {} : { cpuMs: [ours.cpuMs, other?.cpuMs], ...(ours.heldMs === undefined ? {} : { heldMs: ours.heldMs }) }
    report.add({ ...value, ...(there === undefined ? {} : { other: there }), ...costs })
  })
}

async function hosts(server: MeasuredServer): Promise<void> {
  await measureHosts(server.credentials, (withDocker, { readyMs, agentBytes, agentIdlePercent }) => {
    report.add({
      name: `bare host to Ready, ${withDocker ? 'Docker present' : 'Docker installed on the way'}`,
      value: readyMs / 1000,
      unit: 's',
      bound: { value: withDocker ? 20 : 90, is: 'at most' },
    })
    report.add({ name: '  resident memory of its agent', value: agentBytes / 2 ** 20, unit: 'MiB', bound: { value: 90, is: 'at most' } })
    report.add({ name: '  processor of its agent, idle, of one core', value: agentIdlePercent, unit: '%', bound: { value: 2, is: 'at most' } })
  })
}

async function main(): Promise<void> {
  const withOther = !asked.alone && buildKubernetes()
  if (!asked.alone && !withOther) console.log('Go is not installed: no comparison with the real kube-apiserver')
  const only = asked.only === undefined ? undefined : new RegExp(asked.only)
  const isWhole = !asked.quick && !only && asked.profile === undefined
  report.begin()
  if (!only) await measureStart(withOther)
  const ours = await startQuarterdeck(asked.profile === undefined ? {} : { nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${asked.profile}`] })
  const servers = withOther ? [ours, await startKubernetes()] : [ours]
  try {
    if (!only) await measureIdle(servers)
    if (asked.hosts) await hosts(ours)
    for (const measurement of measurements(asked.quick ? 0.1 : 1)) if (!only || only.test(measurement.title)) await measure(measurement, servers)
    memory('resident memory after all that', servers)
    await pause(SETTLE_MS)
    memory('  ten seconds later', servers)
  } finally {
    for (const server of servers) await server.stop(server === ours)
  }
  if (!only) {
    const again = await startQuarterdeck({ dataDir: ours.dataDir })
    report.add({ name: 'start to API ready, on the data of this run', value: again.readyMs, unit: 'ms', bound: { value: 1000, is: 'at most' }, cpuMs: [again.readyCpuMs] })
    await again.stop()
  }
  if (isWhole && withOther)
    report.write(
      docs,
      servers.map(server => server.name),
    )
}

if (asked.scale) await measureScale({ only: asked.only === undefined ? undefined : new RegExp(asked.only), quick: asked.quick, profile: asked.profile })
else await main()
