/** `npm run bench -- --hosts`: from a bare practice host to a Ready node, by the product's own way, and what the agent costs there. */
import { setTimeout as sleep } from 'node:timers/promises'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../hosts/hosts.ts'
import type { BenchClient } from './api-client.ts'

const machinesPath = '/apis/infra.quarterdeck.app/v1alpha1/machines'
/** After this a host is not coming any more. */
const LIMIT_MS = 600_000
/** Over which idle processor time is counted. */
const IDLE_MS = 30_000

export interface HostFigures {
  readonly readyMs: number
  readonly agentBytes: number
  /** Of one core, per cent. */ readonly agentIdlePercent: number
}

/** Makes two hosts, one with Docker; runs `use` with each while it is there; removes both. */
export async function measureHosts(client: BenchClient, use: (withDocker: boolean, figures: HostFigures) => void): Promise<void> {
  const set = await startHosts({
    set: 'bench',
    count: 2,
    withDocker: [true, false],
    onProgress: message => {
      console.log(`  ${message}`)
    },
  })
  try {
    await create(client, '/api/v1/namespaces/kube-system/secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'infra.quarterdeck.app/ssh',
      metadata: { name: 'bench', namespace: 'kube-system' },
      stringData: { privateKey: set.privateKey },
    })
    for (const [index, host] of set.hosts.entries()) use(index === 0, await measureHost(client, host, set))
  } finally {
    await removeHosts(set.set)
  }
}

async function measureHost(client: BenchClient, host: PracticeHost, set: HostSet): Promise<HostFigures> {
  const began = performance.now()
  const { name } = host
  await create(client, machinesPath, {
    apiVersion: 'infra.quarterdeck.app/v1alpha1',
    kind: 'Machine',
    metadata: { name },
    spec: { address: host.address, port: host.port, hostKeyFingerprint: host.fingerprint, secretName: set.set },
  })
  while (!(await isReady(client, name))) {
    if (performance.now() - began > LIMIT_MS) throw new Error(`${name} did not get ready: ${(await client.send('GET', `${machinesPath}/${name}`)).text()}`)
    await sleep(50)
  }
  const readyMs = performance.now() - began
  await sleep(10_000) // start-up work ends
  const before = await agentCost(host)
  await sleep(IDLE_MS)
  const after = await agentCost(host)
  return { readyMs, agentBytes: after.bytes, agentIdlePercent: ((after.cpuMs - before.cpuMs) / IDLE_MS) * 100 }
}

async function create(client: BenchClient, path: string, body: unknown): Promise<void> {
  const answer = await client.send('POST', path, body)
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text().slice(0, 300)}`)
}

async function isReady(client: BenchClient, name: string): Promise<boolean> {
  const answer = await client.send('GET', `/api/v1/nodes/${name}`)
  if (answer.status !== 200) return false
  const node = JSON.parse(answer.text()) as { status?: { conditions?: { type: string; status: string }[] } }
  return (node.status?.conditions ?? []).some(condition => condition.type === 'Ready' && condition.status === 'True')
}

/** The agent is the main process of its unit; clock ticks are hundredths of a second on every Linux we meet. */
async function agentCost(host: PracticeHost): Promise<{ bytes: number; cpuMs: number }> {
  const text = await inHost(host, 'pid=$(systemctl show -P MainPID quarterdeck-agent); grep VmRSS /proc/$pid/status; cut -d" " -f14,15 /proc/$pid/stat')
  const [memory = '', ticks = ''] = text.trim().split('\n')
  return { bytes: Number(/(\d+) kB/.exec(memory)?.[1]) * 1024, cpuMs: ticks.split(' ').reduce((sum, one) => sum + Number(one) * 10, 0) }
}
