/**
 * A simulated host and its agent. The host runs containers, whatever happens to agent and control plane; the agent is a
 * process that can die and come back. It speaks to the API as the real one does: as system:node:<name>, with an informer
 * of its own pods, a lease, status updates and deletions with a grace period of 0.
 */
import { leases, nodes, pods } from '../../src-main/api/resources.ts'
import type { Node, Pod } from '../../src-main/api/generated/core-v1.ts'
import { isNotFound } from '../../src-main/api/status-error.ts'
import { formatMicroTime, formatTime } from '../../src-main/api/time.ts'
import type { Random } from '../../src-main/base/env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import type { Client } from '../../src-main/client/client.ts'
import type { Informer } from '../../src-main/client/informer.ts'
import { createInformer } from '../../src-main/client/informers.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import type { Journal } from './journal.ts'
import type { Network } from './network.ts'
import { simProcess } from './process.ts'
import type { SimProcess } from './process.ts'

export interface Container {
  readonly uid: string
  readonly namespace: string
  readonly podName: string
  readonly image: string
  readonly ip: string
  /** Owner kind and name of a StatefulSet's pod. */
  readonly isOrdinal: boolean
  readonly readyAtMs: number
  readonly endsAtMs: number | undefined
  exitCode: number | undefined
  dyingUntilMs: number | undefined
  restarts: number
}

const leaseMs = 10_000
const syncMs = 500

export class SimHost {
  readonly name: string
  readonly containers = new Map<string, Container>()
  readonly #env: VirtualEnv
  readonly #random: Random
  readonly #network: Network
  readonly #journal: Journal
  readonly #number: number
  agent: SimProcess
  #addresses = 2
  /** Awake time since which the control plane could not hear this host, through the host's or the network's fault. */
  silentSinceMs: number | undefined

  constructor(options: { env: VirtualEnv; random: Random; network: Network; journal: Journal; number: number }) {
    this.#env = options.env
    this.#random = options.random
    this.#network = options.network
    this.#journal = options.journal
    this.#number = options.number
    this.name = `node-${options.number}`
    this.agent = simProcess(options.env, this.name, 0)
    this.agent.kill()
  }

  startAgent(): void {
    if (this.agent.alive) return
    this.agent = simProcess(this.#env, this.name, Math.floor(this.#random.next() * 2 ** 32))
    const user = { name: `system:node:${this.name}`, groups: ['system:nodes', 'system:authenticated'] }
    void new Agent(this, this.agent, createClient(this.#network.transport(this.agent, user)), this.#journal).run()
  }

  killAgent(): void {
    this.agent.kill()
  }

  /** A power cut of the host: agent and containers are gone. */
  reboot(): void {
    this.agent.kill()
    this.containers.clear()
  }

  start(pod: Pod): Container {
    const nowMs = this.#env.clock.awakeMs()
    const image = pod.spec?.containers[0]?.image ?? ''
    const container: Container = {
      uid: pod.metadata.uid ?? '',
      namespace: pod.metadata.namespace ?? '',
      podName: pod.metadata.name ?? '',
      image,
      ip: this.#nextAddress(),
      isOrdinal: pod.metadata.ownerReferences?.some(o => o.kind === 'StatefulSet') ?? false,
      readyAtMs: image.includes('bad') ? Infinity : nowMs + 300 + 1500 * this.#random.next(),
      endsAtMs: image.includes('exit-') ? nowMs + 1000 + 4000 * this.#random.next() : undefined,
      exitCode: undefined,
      dyingUntilMs: undefined,
      restarts: 0,
    }
    this.containers.set(container.uid, container)
    this.#journal.add(`${this.name} starts ${container.namespace}/${container.podName} ${container.uid.slice(0, 8)}`)
    return container
  }

  #nextAddress(): string {
    const at = this.#addresses++
    return `10.${100 + this.#number}.${at >> 8}.${at & 255}`
  }

  /** Asks a container to end; true once it has. */
  end(container: Container): boolean {
    const nowMs = this.#env.clock.awakeMs()
    container.dyingUntilMs ??= nowMs + 200 + 2500 * this.#random.next()
    if (nowMs < container.dyingUntilMs) return false
    this.containers.delete(container.uid)
    this.#journal.add(`${this.name} ended ${container.namespace}/${container.podName} ${container.uid.slice(0, 8)}`)
    return true
  }
}

class Agent {
  readonly #host: SimHost
  readonly #process: SimProcess
  readonly #client: Client
  readonly #journal: Journal
  #pods: Informer<Pod> | undefined
  #nextReportMs = 0

  constructor(host: SimHost, process: SimProcess, client: Client, journal: Journal) {
    this.#host = host
    this.#process = process
    this.#client = client
    this.#journal = journal
  }

  async run(): Promise<void> {
    const { env } = this.#process
    this.#pods = createInformer(this.#client.resource(pods), env, { fieldSelector: `spec.nodeName=${this.#host.name}` })
    void this.#loop(() => this.#report(), 1000)
    void this.#loop(() => this.#renew(), leaseMs)
    await this.#loop(() => this.#syncPods(), syncMs)
  }

  async #loop(work: () => Promise<void>, everyMs: number): Promise<void> {
    const { env } = this.#process
    while (this.#process.alive) {
      const failed = await work().then(
        () => false,
        () => true,
      )
      await env.clock.sleep(failed ? Math.min(1000, everyMs) : everyMs)
    }
  }

  async #renew(): Promise<void> {
    const { name } = this.#host
    const client = this.#client.resource(leases)
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: formatMicroTime(this.#process.env.clock.now()) }
    try {
      const present = await client.get(name, { namespace: 'kube-node-lease' })
      await client.update({ ...present, spec })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
      await client.create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: 'kube-node-lease' }, spec })
    }
  }

  /** Registers the node, then reports when something differs, and every minute. */
  async #report(): Promise<void> {
    const client = this.#client.resource(nodes)
    const nowMs = this.#process.env.clock.awakeMs()
    const live = await client.get(this.#host.name).catch(async (fault: unknown): Promise<Node> => {
      if (!isNotFound(fault)) throw fault
      return client.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: this.#host.name, labels: { 'kubernetes.io/hostname': this.#host.name } }, spec: {} })
    })
    const isKnownReady = live.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True')
    if (isKnownReady && nowMs < this.#nextReportMs) return
    const now = formatTime(this.#process.env.clock.now())
    const condition = (type: string, status: string, reason: string) => {
      const present = live.status?.conditions?.find(c => c.type === type)
      return { type, status, reason, message: reason, lastHeartbeatTime: now, lastTransitionTime: present?.status === status ? (present.lastTransitionTime ?? now) : now }
    }
    const conditions = [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', 'True', 'KubeletReady'),
    ]
    const amounts = { cpu: '8', memory: '16Gi', pods: '110' }
    await client.updateStatus({ ...live, status: { ...live.status, capacity: amounts, allocatable: amounts, conditions } })
    this.#nextReportMs = nowMs + 60_000
  }

  async #syncPods(): Promise<void> {
    const informer = this.#pods
    if (!informer?.hasSynced) return
    const all = informer.list()
    const known = new Set(all.map(pod => pod.metadata.uid))
    for (const pod of all) await this.#syncPod(pod).catch(() => {})
    for (const container of this.#host.containers.values()) if (!known.has(container.uid)) this.#host.end(container)
  }

  async #syncPod(pod: Pod): Promise<void> {
    const { namespace = '', name = '', uid = '' } = pod.metadata
    let container = this.#host.containers.get(uid)
    if (pod.metadata.deletionTimestamp) {
      if (container && !this.#host.end(container)) return
      await this.#client.resource(pods).delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } })
      return
    }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      if (container) this.#host.end(container)
      return
    }
    if (!container) {
      container = this.#host.start(pod)
      if (pod.status?.podIP) container.restarts++
    }
    const nowMs = this.#process.env.clock.awakeMs()
    if (container.endsAtMs !== undefined && nowMs >= container.endsAtMs) container.exitCode ??= container.image.includes('exit-1') ? 1 : 0
    await this.#writeStatus(pod, container, nowMs)
  }

  async #writeStatus(pod: Pod, container: Container, nowMs: number): Promise<void> {
    const ended = container.exitCode !== undefined
    const ready = !ended && nowMs >= container.readyAtMs
    const phase = ended ? (container.exitCode === 0 ? 'Succeeded' : 'Failed') : ready || pod.status?.phase === 'Running' ? 'Running' : 'Pending'
    const status = ready ? 'True' : 'False'
    const present = pod.status?.conditions?.find(c => c.type === 'Ready')?.status
    if (pod.status?.phase === phase && present === status && pod.status.podIP === container.ip) return
    const now = formatTime(this.#process.env.clock.now())
    const others = (pod.status?.conditions ?? []).filter(c => !['Ready', 'ContainersReady', 'Initialized'].includes(c.type))
    const state = ended
      ? { terminated: { exitCode: container.exitCode ?? 0, reason: container.exitCode === 0 ? 'Completed' : 'Error', finishedAt: now } }
      : { running: { startedAt: now } }
    await this.#client.resource(pods).updateStatus({
      ...pod,
      status: {
        ...pod.status,
        phase,
        podIP: container.ip,
        podIPs: [{ ip: container.ip }],
        startTime: pod.status?.startTime ?? now,
        conditions: [...others, ...['Initialized', 'Ready', 'ContainersReady'].map(type => ({ type, status: type === 'Initialized' ? 'True' : status, lastTransitionTime: now }))],
        containerStatuses: (pod.spec?.containers ?? []).map(c => ({
          name: c.name,
          image: c.image ?? '',
          imageID: '',
          ready,
          restartCount: container.restarts,
          started: ready,
          state,
        })),
      },
    })
    this.#journal.add(`${this.#host.name} says ${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''} is ${phase}${ready ? ' and ready' : ''}`)
  }
}
