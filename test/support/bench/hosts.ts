/** `npm run bench -- --hosts`: from a bare practice host to a Ready node, by the product's own way, and what the agent costs there. */
import { setTimeout as sleep } from 'node:timers/promises'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../hosts/hosts.ts'
import { json, type Connection, type Credentials } from './client.ts'
import { withClients } from './load.ts'

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
export async function measureHosts(credentials: Credentials, use: (withDocker: boolean, figures: HostFigures) => void): Promise<void> {
  const set = await startHosts({
    set: 'bench',
    count: 2,
    withDocker: [true, false],
    onProgress: message => {
      console.log(`  ${message}`)
    },
  })
  try {
    await withClients({ credentials, mark: () => Promise.resolve() }, 'HTTP/1.1', 1, async ([client]) => {
      if (!client) return
      await create(client, '/api/v1/namespaces/kube-system/secrets', {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'infra.quarterdeck.app/ssh',
        metadata: { name: 'bench', namespace: 'kube-system' },
        stringData: { privateKey: set.privateKey },
      })
      for (const [index, host] of set.hosts.entries()) use(index === 0, await measureHost(client, host, set))
    })
  } finally {
    await removeHosts(set.set)
  }
}

async function measureHost(client: Connection, host: PracticeHost, set: HostSet): Promise<HostFigures> {
  const began = performance.now()
  const { name } = host
  await create(client, machinesPath, {
    apiVersion: 'infra.quarterdeck.app/v1alpha1',
    kind: 'Machine',
    metadata: { name },
    spec: { address: host.address, port: host.port, hostKeyFingerprint: host.fingerprint, secretName: set.set },
  })
  const timeline = new Timeline(began)
  while (!(await isReady(client, name))) {
    if (performance.now() - began > LIMIT_MS) throw new Error(`${name} did not get ready: ${(await client.send('GET', `${machinesPath}/${name}`)).text()}`)
    timeline.look((await client.send('GET', `${machinesPath}/${name}`)).text())
    await sleep(50)
  }
  const readyMs = performance.now() - began
  timeline.print()
  await sleep(10_000) // start-up work ends
  const before = await agentCost(host)
  await sleep(IDLE_MS)
  const after = await agentCost(host)
  return { readyMs, agentBytes: after.bytes, agentIdlePercent: ((after.cpuMs - before.cpuMs) / IDLE_MS) * 100 }
}

interface Step {
  readonly name: string
  readonly state: string
}

/** When each step of a machine was first seen running and ended: tells which of them a slow host waits for. */
class Timeline {
  readonly #began: number
  readonly #seen = new Map<string, { from: number; to?: number; state: string }>()
  #phase = ''

  constructor(began: number) {
    this.#began = began
  }

  look(machine: string): void {
    const { status } = JSON.parse(machine) as { status?: { phase?: string; steps?: Step[] } }
    const now = performance.now() - this.#began
    if (status?.phase !== undefined && status.phase !== this.#phase) {
      this.#phase = status.phase
      this.#seen.set(`(${status.phase})`, { from: now, to: now, state: '' })
    }
    for (const step of status?.steps ?? []) {
      if (step.state === 'pending') continue
      const known = this.#seen.get(step.name) ?? { from: now, state: step.state }
      this.#seen.set(step.name, { ...known, state: step.state, ...(step.state === 'running' || known.to !== undefined ? {} : { to: now }) })
    }
  }

  print(): void {
    const seconds = (ms: number | undefined): string => (ms === undefined ? '     …' : (ms / 1000).toFixed(1).padStart(6))
    for (const [name, { from, to, state }] of this.#seen) console.log(`  ${seconds(from)} s …${seconds(to)} s  ${name} ${state}`)
  }
}

async function create(client: Connection, path: string, body: object): Promise<void> {
  const answer = await client.send('POST', path, json(body))
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text().slice(0, 300)}`)
}

async function isReady(client: Connection, name: string): Promise<boolean> {
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
