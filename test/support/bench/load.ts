/** How load is put on a server: parallel loops, quantiles, the objects that are written. */
import { expectStatus, json, openConnections, type Connection, type Credentials, type Protocol } from './client.ts'

/** A server, as far as load needs to know it. */
export interface Measurable {
  readonly credentials: Credentials
  /** Its costs are counted from here. */
  mark(): Promise<void>
}

export interface Spread {
  /** Of each call, ms. */
  readonly times: readonly number[]
  readonly seconds: number
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}

/** Runs `work` for indexes 0…count-1 on as many loops as there are connections. */
export async function spread(count: number, connections: readonly Connection[], work: (connection: Connection, index: number) => Promise<unknown>): Promise<Spread> {
  const times: number[] = []
  let next = 0
  const began = performance.now()
  const loop = async (connection: Connection): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const start = performance.now()
      await work(connection, index)
      times.push(performance.now() - start)
    }
  }
  await Promise.all(connections.map(loop))
  return { times, seconds: (performance.now() - began) / 1000 }
}

/** Runs `use` with as many clients, and closes their connections. What it costs to open them is not counted. */
export async function withClients<T>(server: Measurable, protocol: Protocol, clients: number, use: (connections: Connection[]) => Promise<T>): Promise<T> {
  const connections = await openConnections(server.credentials, protocol, clients)
  try {
    await server.mark()
    return await use(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** 1 KiB of data. */
export function configMap(name: string, labels: Record<string, string> = {}): Buffer {
  return json({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', labels }, data: { payload: 'x'.repeat(1024) } })
}

/** As a workload's pod looks once it runs: some 4 kB, as the one that the goal's 39 MB are of. */
function pod(index: number): object {
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } }
  const env = Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `the value of setting ${i} of a container that is configured by its environment` }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${index}`,
      namespace: 'bench',
      labels: { app: `app-${index % 100}`, 'pod-template-hash': '5d4f8c7b9d' },
      annotations: { 'bench.example/note': 'n'.repeat(200) },
    },
    // Bound to a node that does not exist, so that no scheduler has a part in these figures.
    spec: { nodeName: 'bench-node', automountServiceAccountToken: false, containers: [{ name: 'app', image: 'registry.example/app:1', env, resources }] },
  }
}

/** The namespace `bench` with `count` pods. */
export async function makePods(server: Measurable, count: number): Promise<void> {
  await withClients(server, 'HTTP/1.1', 32, async connections => {
    const [first] = connections
    if (!first) return
    await expectStatus(first, 201, 'POST', '/api/v1/namespaces', json({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } }))
    // Where no controller makes it; where one does, it may have been first.
    await first.send('POST', '/api/v1/namespaces/bench/serviceaccounts', json({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'bench' } }))
    await spread(count, connections, (connection, i) => expectStatus(connection, 201, 'POST', '/api/v1/namespaces/bench/pods', json(pod(i))))
  })
}
