/**
 * Makes simulated nodes and plays their kubelets: registers them, renews their leases, and takes the pods bound to them
 * through the stages of the settings. Levels, not edges: whatever is lost is repaired by the next event of the pod.
 */
import { leases } from '../api/coordination/v1/lease.ts'
import { nodes } from '../api/core/v1/node.ts'
import { isPodTerminal, pods } from '../api/core/v1/pod.ts'
import type { Pod } from '../api/generated/core-v1.ts'
import { keyOf } from '../api/meta.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../api/status-error.ts'
import { formatMicroTime } from '../api/time.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import type { SharedInformerFactory } from '../client/informers.ts'
import { createWorkQueue } from '../client/work-queue.ts'
import { hostAddress, maxSimulatedNodes, nodeName, nodeObject, podAddress, simulatedLabel } from './node-object.ts'
import { nextStage, statusAt } from './pod-stage.ts'
import { defaultSettings, type SimulationSettings, type Stage } from './settings.ts'

export interface SimulatedNodesOptions {
  readonly env: Env
  /** With every right: makes and removes the nodes, and sees all pods. */
  readonly client: Client
  readonly informers: SharedInformerFactory
  /** The client of one node's own user. */
  clientOf(nodeName: string): Client
  readonly count: number
  readonly settings?: SimulationSettings
  readonly kubernetesVersion: string
}

export interface SimulatedNodes {
  /** Resolves when all nodes are registered. Rejects with a sentence for people. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Writes under way at a time: enough to share the store's syncs. */
const WORKERS = 32
/** As a kubelet's. */
const LEASE_SECONDS = 40
const RENEW_MS = 10_000
/** Thousands of nodes renew less often, still well within the lease, or they would do little else. */
const MOST_RENEW_MS = 30_000
const RENEW_MS_A_NODE = 10

export function createSimulatedNodes(options: SimulatedNodesOptions): SimulatedNodes {
  return new Simulation(options)
}

class Simulation implements SimulatedNodes {
  readonly #options: SimulatedNodesOptions
  readonly #settings: SimulationSettings
  readonly #queue
  readonly #clients = new Map<string, Client>()
  readonly #indexes = new Map<string, number>()
  /** Pods that each node has had, for their addresses. */
  readonly #had: number[] = []
  /** The stage that a pod waits for, by key, so that an event in between does not begin its delay anew. */
  readonly #waiting = new Map<string, { readonly uid: string | undefined; readonly stage: Stage; readonly dueMs: number }>()
  readonly #stopping = new AbortController()
  #removeHandlers = (): void => {}
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: SimulatedNodesOptions) {
    this.#options = options
    this.#settings = options.settings ?? defaultSettings
    this.#queue = createWorkQueue(options.env)
  }

  async start(): Promise<void> {
    const { count, informers } = this.#options
    if (count > maxSimulatedNodes) throw new Error(`at most ${maxSimulatedNodes} nodes can be simulated`)
    for (let index = 0; index < count; index++) this.#indexes.set(nodeName(index), index)
    await this.#removeOthers()
    await this.#each(index => this.#register(index))
    const informer = informers.informer(pods)
    await informer.synced
    this.#removeHandlers = informer.addHandlers({
      onAdd: pod => {
        this.#onPod(pod)
      },
      onUpdate: pod => {
        this.#onPod(pod)
      },
      onDelete: pod => {
        this.#waiting.delete(keyOf(pod))
      },
    })
    this.#running = Promise.all([this.#renewLeases(), ...Array.from({ length: WORKERS }, () => this.#work())])
  }

  async stop(): Promise<void> {
    this.#removeHandlers()
    this.#stopping.abort(new Error('stopped'))
    await this.#queue.shutDown()
    await this.#running
  }

  /** Those of an earlier run with more nodes. */
  async #removeOthers(): Promise<void> {
    const { client } = this.#options
    const { items } = await client.resource(nodes).list({ labelSelector: `${simulatedLabel}=true` })
    for (const { metadata } of items) {
      if (this.#indexes.has(metadata.name ?? '')) continue
      await client.resource(nodes).delete(metadata.name ?? '')
    }
  }

  /** Runs `work` for each node, some at a time. */
  async #each(work: (index: number) => Promise<void>): Promise<void> {
    let next = 0
    const loop = async (): Promise<void> => {
      for (let index = next++; index < this.#options.count && !this.#stopping.signal.aborted; index = next++) await work(index)
    }
    await Promise.all(Array.from({ length: WORKERS }, loop))
  }

  async #register(index: number): Promise<void> {
    const { client, env, kubernetesVersion } = this.#options
    const name = nodeName(index)
    // The lease first: a node without one that the lifecycle controller sees would be silent.
    await this.#renew(name)
    const node = nodeObject(index, this.#settings.nodes, kubernetesVersion, env.clock.now())
    try {
      await client.resource(nodes).create(node)
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
      await client.resource(nodes).patch(name, 'merge', { metadata: { labels: node.metadata.labels } })
    }
    await client.resource(nodes).patch(name, 'merge', { status: node.status }, { subresource: 'status' })
  }

  #client(name: string): Client {
    let client = this.#clients.get(name)
    if (!client) this.#clients.set(name, (client = this.#options.clientOf(name)))
    return client
  }

  async #renew(name: string): Promise<void> {
    const renewTime = formatMicroTime(this.#options.env.clock.now())
    const resource = this.#client(name).resource(leases)
    try {
      await resource.patch(name, 'merge', { spec: { renewTime } }, { namespace: 'kube-node-lease' })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
      const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime }
      await resource.create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: 'kube-node-lease' }, spec })
    }
  }

  /** One after the other, evenly over the time in which each must have had its turn. */
  async #renewLeases(): Promise<void> {
    const { env, count } = this.#options
    const roundMs = Math.min(MOST_RENEW_MS, Math.max(RENEW_MS, count * RENEW_MS_A_NODE))
    const { signal } = this.#stopping
    let done = 0
    const beganMs = env.clock.awakeMs()
    try {
      for (;;) {
        const due = Math.floor(((env.clock.awakeMs() - beganMs) / roundMs) * count)
        // After a sleep each node renews once, not once for each round that was slept through.
        done = Math.max(done, due - count)
        for (; done < due && !signal.aborted; done++) await this.#renew(nodeName(done % count)).catch((fault: unknown) => this.#complain('a lease was not renewed', fault))
        await env.clock.sleep(Math.max(10, roundMs / count), signal)
      }
    } catch {
      // Stopped.
    }
  }

  #complain(message: string, fault: unknown): void {
    if (!this.#stopping.signal.aborted) this.#options.env.log.log('warn', message, { fault: String(fault) })
  }

  #onPod(pod: Pod): void {
    if (!pod.spec?.nodeName || !this.#indexes.has(pod.spec.nodeName)) return
    const key = keyOf(pod)
    const stage = nextStage(pod, this.#settings.stages)
    if (!stage || (isPodTerminal(pod) && !('gone' in stage.then))) {
      this.#waiting.delete(key)
      return
    }
    const waiting = this.#waiting.get(key)
    if (waiting?.stage === stage && waiting.uid === pod.metadata.uid) return
    const delayMs = stage.delayMs + (stage.jitterMs ?? 0) * (stage.jitterMs ? this.#options.env.random.next() : 0)
    this.#waiting.set(key, { uid: pod.metadata.uid, stage, dueMs: this.#options.env.clock.awakeMs() + delayMs })
    if (delayMs > 0) this.#queue.addAfter(key, delayMs)
    else this.#queue.add(key)
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.next(); key !== undefined; key = await this.#queue.next()) {
      try {
        await this.#advance(key)
        this.#queue.forget(key)
      } catch (fault) {
        if (!isConflict(fault)) this.#complain('a simulated pod did not come to its stage', fault)
        this.#queue.addRateLimited(key)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #advance(key: string): Promise<void> {
    const waiting = this.#waiting.get(key)
    const pod = this.#options.informers.informer(pods).get(key)
    if (!waiting || pod?.metadata.uid !== waiting.uid || !pod) return
    const leftMs = waiting.dueMs - this.#options.env.clock.awakeMs()
    if (leftMs > 0) {
      // An earlier stage's turn, or a timer that woke a moment early: the queue may have no other one for this stage.
      this.#queue.addAfter(key, Math.ceil(leftMs))
      return
    }
    const node = pod.spec?.nodeName ?? ''
    const { name = '', namespace = '', uid } = pod.metadata
    const resource = this.#client(node).resource(pods)
    const { then } = waiting.stage
    try {
      if ('gone' in then) {
        await resource.delete(name, { namespace, gracePeriodSeconds: 0, ...(uid ? { preconditions: { uid } } : {}) })
        return
      }
      const index = this.#indexes.get(node) ?? 0
      const podIP = pod.status?.podIP ?? (pod.spec?.hostNetwork ? hostAddress(index) : podAddress(index, (this.#had[index] = (this.#had[index] ?? -1) + 1)))
      const status = statusAt(pod, then, { now: this.#options.env.clock.now(), podIP, hostIP: hostAddress(index) })
      await resource.patch(name, 'merge', { metadata: { uid }, status }, { namespace, subresource: 'status' })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
  }
}
