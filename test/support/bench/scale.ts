/**
 * `npm run bench -- --scale [--only REGEXP] [--quick]`: the scheduler and the controllers on simulated nodes, through the
 * real API and the durable store. Prints pods a second, and the processor time of the control plane for each pod, which
 * does not depend on what else the machine does. With --quick a fifth of the nodes and a tenth of the pods.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectStatus, json, type Connection } from './client.ts'
import { http1Watch } from './http1.ts'
import { pause, spread, withClients } from './load.ts'
import { newDataDir, type MeasuredServer } from './servers/measured-server.ts'
import { podOf, workloads, type Workload } from './scale-workloads.ts'
import { startQuarterdeck } from './servers/quarterdeck.ts'
import { machine } from './report.ts'

const POLL_MS = 100
const CLIENTS = 16

export interface ScaleOptions {
  readonly only: RegExp | undefined
  readonly quick: boolean
  readonly profile: string | undefined
}

/** Counts pods of the namespace as they are bound. */
async function countBound(server: MeasuredServer): Promise<{ reached(count: number): Promise<void>; stop(): void }> {
  let bound = 0
  let rest = ''
  let wanted = Infinity
  let onReached = (): void => {}
  const stop = await http1Watch(server.credentials, '/api/v1/namespaces/scale/pods?watch=true&fieldSelector=spec.nodeName%21%3D', bytes => {
    // Each event begins its line with its type; the type may be cut in two.
    const text = rest + bytes.toString('latin1')
    for (let at = text.indexOf('{"type":"ADDED"'); at >= 0; at = text.indexOf('{"type":"ADDED"', at + 1)) bound++
    rest = text.slice(-14)
    if (bound >= wanted) onReached()
  })
  return {
    stop,
    reached: count =>
      new Promise(resolve => {
        wanted = count
        onReached = resolve
        if (bound >= count) resolve()
      }),
  }
}

async function create(connections: readonly Connection[], workload: Workload, prefix: string, count: number): Promise<void> {
  await spread(count, connections, (connection, i) => expectStatus(connection, 201, 'POST', '/api/v1/namespaces/scale/pods', json(podOf(workload, `${prefix}-${i}`))))
}

function smaller(workload: Workload, { quick }: ScaleOptions): Workload {
  if (!quick) return workload
  return { ...workload, nodes: Math.round(workload.nodes / 5), initPods: Math.round(workload.initPods / 10), pods: Math.round(workload.pods / 10) }
}

/** New nodes are tainted until the lifecycle controller has seen that they are ready. */
async function openNodes(connection: Connection, count: number): Promise<void> {
  for (;;) {
    const answer = await expectStatus(connection, 200, 'GET', '/api/v1/nodes')
    const { items } = JSON.parse(answer.text()) as { items: { spec?: { taints?: unknown[] } }[] }
    if (items.filter(node => (node.spec?.taints ?? []).length === 0).length >= count) return
    await pause(500)
  }
}

async function withNodes<T>(nodes: number, zones: number, options: ScaleOptions, use: (server: MeasuredServer, connections: Connection[]) => Promise<T>): Promise<T> {
  const dataDir = newDataDir()
  const settings = join(dataDir, 'simulation.yaml')
  writeFileSync(settings, `nodes: { zones: ${zones} }\n`)
  const server = await startQuarterdeck({
    dataDir,
    args: ['--simulated-nodes', String(nodes), '--simulation', settings],
    nodeArgs: options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`],
  })
  try {
    return await withClients(server, 'HTTP/1.1', CLIENTS, async connections => {
      const [first] = connections
      if (!first) throw new Error('no connection')
      await expectStatus(first, 201, 'POST', '/api/v1/namespaces', json({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'scale' } }))
      await pause(1_000) // its default service account
      await openNodes(first, nodes)
      return await use(server, connections)
    })
  } finally {
    await server.stop()
  }
}

async function measureWorkload(given: Workload, options: ScaleOptions): Promise<void> {
  const workload = smaller(given, options)
  await withNodes(workload.nodes, workload.zones, options, async (server, connections) => {
    const bound = await countBound(server)
    await create(connections, workload, 'init', workload.initPods)
    await bound.reached(workload.initPods)
    await pause(500)
    await server.mark()
    const began = performance.now()
    await Promise.all([create(connections, workload, 'pod', workload.pods), bound.reached(workload.initPods + workload.pods)])
    const seconds = (performance.now() - began) / 1000
    const { cpuMs, heldMs } = await server.cost()
    bound.stop()
    print(
      `${given.name}: ${workload.pods} pods on ${workload.nodes} nodes`,
      workload.pods / seconds,
      'pods/s',
      `≥ ${workload.threshold}`,
      cpuMs / workload.pods,
      heldMs,
      server.residentBytes(),
    )
  })
}

/** A Deployment from 0 until all its pods are ready. */
async function measureDeployment(options: ScaleOptions): Promise<void> {
  const [nodes, replicas] = options.quick ? [200, 200] : [1_000, 1_000]
  await withNodes(nodes, 3, options, async (server, [connection]) => {
    if (!connection) return
    const path = '/apis/apps/v1/namespaces/scale/deployments'
    const labels = { app: 'scaled' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] } }
    await expectStatus(
      connection,
      201,
      'POST',
      path,
      json({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'scaled' }, spec: { replicas: 0, selector: { matchLabels: labels }, template } }),
    )
    await pause(1_000)
    await server.mark()
    const began = performance.now()
    await expectStatus(connection, 200, 'PATCH', `${path}/scaled`, json({ spec: { replicas } }), 'application/merge-patch+json')
    for (;;) {
      const answer = await expectStatus(connection, 200, 'GET', `${path}/scaled`)
      if ((JSON.parse(answer.text()) as { status?: { readyReplicas?: number } }).status?.readyReplicas === replicas) break
      await pause(POLL_MS)
    }
    const seconds = (performance.now() - began) / 1000
    const { cpuMs, heldMs } = await server.cost()
    print(`Deployment 0 → ${replicas} ready on ${nodes} nodes`, seconds, 's', '≤ 4.1', cpuMs / replicas, heldMs, server.residentBytes())
  })
}

function print(name: string, value: number, unit: string, goal: string, cpuMs: number, heldMs: number | undefined, bytes: number): void {
  const cells = [
    name.padEnd(66),
    `${value.toFixed(1)} ${unit}`.padStart(14),
    goal.padStart(8),
    `${cpuMs.toFixed(2)} ms cpu a pod`.padStart(20),
    `loop ${heldMs?.toFixed(0) ?? ''} ms`.padStart(13),
    `${(bytes / 2 ** 20).toFixed(0)} MiB`.padStart(10),
  ]
  console.log(cells.join(' '))
}

export async function measureScale(options: ScaleOptions): Promise<void> {
  console.log(machine())
  if (!options.only || options.only.test('deployment')) await measureDeployment(options)
  for (const workload of workloads) if (!options.only || options.only.test(workload.name)) await measureWorkload(workload, options)
}
