/**
 * Binds pods to nodes: takes the most important waiting pod, decides on a snapshot, counts it there at once (assumed)
 * and binds in the background while the next one is decided. Refusals become the pod's PodScheduled condition, an event
 * and, per node, `whyNot`.
 */
import { events as eventResource } from '../api/core/v1/event.ts'
import { namespaces } from '../api/core/v1/namespace.ts'
import { nodes } from '../api/core/v1/node.ts'
import { isPodTerminal, podCondition, pods } from '../api/core/v1/pod.ts'
import { services } from '../api/core/v1/service.ts'
import type { Node, Pod } from '../api/generated/core-v1.ts'
import type { AnyResource } from '../api/resource.ts'
import { deepEqual } from '../api/json.ts'
import { keyOf } from '../api/meta.ts'
import { podDisruptionBudgets } from '../api/policy/v1/pod-disruption-budget.ts'
import { isConflict, isNotFound } from '../api/status-error.ts'
import { formatTime } from '../api/time.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { createEventRecorder } from '../client/event-recorder.ts'
import type { Recorder } from '../client/event-recorder.ts'
import type { SharedInformerFactory } from '../client/informers.ts'
import { SchedulerCache } from './cache.ts'
import { decide, enoughNodes, misfitMessage } from './cycle.ts'
import type { Misfit } from './cycle.ts'
import type { Plugin, Snapshot } from './framework.ts'
import { withPod } from './node-info.ts'
import { defaultPlugins } from './plugins.ts'
import { preempt, priorityOf } from './preemption.ts'
import type { Preemption } from './preemption.ts'
import { SchedulingQueue } from './queue.ts'
import { storageKinds, storageViewOf } from './storage-view.ts'
import type { StorageView } from './storage-view.ts'
import { VolumeBinder } from './volume-binder.ts'

export interface SchedulerOptions {
  readonly env: Env
  /** User system:kube-scheduler. */
  readonly client: Client
  readonly informers: SharedInformerFactory
  /** Default `default-scheduler`. */
  readonly name?: string
  readonly plugins?: readonly Plugin[]
}

export interface Scheduler {
  start(): Promise<void>
  stop(): Promise<void>
  /** Why a waiting pod fits no node: reasons by node, of the last try. Key `namespace/name`. */
  whyNot(key: string): ReadonlyMap<string, readonly string[]> | undefined
  counts(): { active: number; sleeping: number; bound: number; failures: number }
}

/** Bindings under way at a time: more only lengthen the server's queue. */
const maxBinding = 64

export function createScheduler(options: SchedulerOptions): Scheduler {
  return new PodScheduler(options)
}

class PodScheduler implements Scheduler {
  readonly #env: Env
  readonly #client: Client
  readonly #informers: SharedInformerFactory
  readonly #name: string
  readonly #plugins: readonly Plugin[]
  readonly #events: Recorder
  readonly #cache = new SchedulerCache()
  readonly #queue: SchedulingQueue
  readonly #nominated = new Map<string, { pod: Pod; node: string }>()
  readonly #reasons = new Map<string, ReadonlyMap<string, readonly string[]>>()
  readonly #binding = new Set<Promise<void>>()
  readonly #removers: (() => void)[] = []
  /** Pods whose volumes are being bound; they may take minutes and keep nobody waiting. */
  readonly #waiting = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  readonly #reservedVolumes = new Set<string>()
  readonly #storage: StorageView
  readonly #volumes: VolumeBinder
  #running: Promise<void> | undefined
  #again = false
  #started = false
  #stopped = false
  #bound = 0
  /** The next pod's search begins where the last one's ended, so that all nodes have their turn. */
  #searchFrom = 0
  #failures = 0

  constructor(options: SchedulerOptions) {
    this.#env = options.env
    this.#client = options.client
    this.#informers = options.informers
    this.#name = options.name ?? 'default-scheduler'
    this.#plugins = options.plugins ?? defaultPlugins
    this.#events = createEventRecorder({ client: options.client, env: options.env, events: eventResource, component: this.#name })
    this.#storage = storageViewOf(options.informers, this.#reservedVolumes)
    this.#volumes = new VolumeBinder(options.env, options.client, this.#storage, this.#reservedVolumes)
    this.#queue = new SchedulingQueue(options.env, this.#plugins, () => {
      this.#run()
    })
  }

  async start(): Promise<void> {
    const all = [nodes, services, namespaces, podDisruptionBudgets, pods, ...storageKinds] as const
    await Promise.all(all.map(resource => this.#informers.informer<never>(resource as never).synced))
    if (this.#stopped) return
    const queue = this.#queue
    this.#removers.push(
      this.#informers.informer(nodes).addHandlers({
        onAdd: node => {
          this.#cache.setNode(node)
          queue.wake(nodes, 'add')
        },
        onUpdate: (node, previous) => {
          this.#cache.setNode(node)
          if (nodeMatters(node, previous)) queue.wake(nodes, 'update')
        },
        onDelete: node => {
          this.#cache.removeNode(node.metadata.name ?? '')
          queue.wake(nodes, 'delete')
        },
      }),
      this.#informers.informer(pods).addHandlers({
        onAdd: pod => {
          this.#onPod(pod)
        },
        onUpdate: (pod, previous) => {
          this.#onPod(pod, previous)
        },
        onDelete: pod => {
          this.#onPodGone(pod)
        },
      }),
    )
    for (const kind of storageKinds) this.#wakeOn(kind)
    this.#started = true
    this.#run()
  }

  #wakeOn(kind: AnyResource): void {
    const wake = (on: 'add' | 'update' | 'delete') => (): void => {
      this.#queue.wake(kind, on)
    }
    this.#removers.push(this.#informers.informer(kind).addHandlers({ onAdd: wake('add'), onUpdate: wake('update'), onDelete: wake('delete') }))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const remove of this.#removers) remove()
    this.#queue.stop()
    this.#events.stop()
    this.#stopping.abort(new Error('stopped'))
    await this.#running
    await Promise.all([...this.#waiting, ...this.#binding])
  }

  whyNot(key: string): ReadonlyMap<string, readonly string[]> | undefined {
    return this.#reasons.get(key)
  }

  counts(): { active: number; sleeping: number; bound: number; failures: number } {
    return { ...this.#queue.counts, bound: this.#bound, failures: this.#failures }
  }

  #isOurs(pod: Pod): boolean {
    return (pod.spec?.schedulerName ?? 'default-scheduler') === this.#name && !pod.spec?.nodeName && !pod.metadata.deletionTimestamp && !isPodTerminal(pod)
  }

  #onPod(pod: Pod, previous?: Pod): void {
    const key = keyOf(pod)
    this.#cache.setPod(pod)
    if (pod.spec?.nodeName || isPodTerminal(pod)) {
      this.#settled(key)
      const freed = previous !== undefined && isPodTerminal(pod) && !isPodTerminal(previous)
      if (freed) this.#queue.wake(pods, 'delete')
      else if (!previous || !previous.spec?.nodeName) this.#queue.wake(pods, 'add')
      else if (!deepEqual(pod.metadata.labels, previous.metadata.labels) || !deepEqual(pod.spec, previous.spec)) this.#queue.wake(pods, 'update')
      return
    }
    if (!this.#isOurs(pod)) {
      this.#settled(key)
      return
    }
    // Its own status (our condition) is no reason to try again.
    const changed = !previous || previous.metadata.uid !== pod.metadata.uid || !deepEqual(pod.spec, previous.spec) || !deepEqual(pod.metadata.labels, previous.metadata.labels)
    if (changed && !this.#cache.isPlaced(key)) this.#queue.put(key, pod)
  }

  #onPodGone(pod: Pod): void {
    const key = keyOf(pod)
    const counted = this.#cache.isPlaced(key) || this.#nominated.has(key)
    this.#cache.removePod(key)
    this.#settled(key)
    if (counted) this.#queue.wake(pods, 'delete')
  }

  #settled(key: string): void {
    this.#queue.remove(key)
    this.#nominated.delete(key)
    this.#reasons.delete(key)
  }

  #run(): void {
    if (!this.#started || this.#stopped) return
    this.#again = true
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined
      if (this.#again) this.#run()
    })
  }

  async #drain(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false
      for (let key = this.#queue.next(); key !== undefined && !this.#stopped; key = this.#queue.next()) {
        const pod = this.#informers.informer(pods).get(key)
        if (!pod || !this.#isOurs(pod) || this.#cache.isPlaced(key)) {
          this.#queue.remove(key)
          continue
        }
        try {
          await this.#scheduleOne(key, pod)
        } catch (fault) {
          this.#env.log.log('error', 'scheduling failed', { pod: key, fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) })
          this.#queue.failed(key, new Set(), this.#queue.moves)
        }
        if (this.#binding.size >= maxBinding) await Promise.race(this.#binding)
      }
    }
  }

  async #scheduleOne(key: string, pod: Pod): Promise<void> {
    const moves = this.#queue.moves
    const gatedBy = this.#plugins.find(p => p.gate?.(pod) !== undefined)
    if (gatedBy) {
      this.#queue.failed(key, new Set([gatedBy.name]), moves)
      return
    }
    const snapshot = this.#snapshotFor(key, pod)
    const search = { from: this.#searchFrom, enough: enoughNodes(snapshot.nodes.length) }
    const decision = decide(pod, snapshot, this.#plugins, count => Math.floor(this.#env.random.next() * count), search)
    if ('fit' in decision) {
      this.#searchFrom = (this.#searchFrom + decision.fit.examined) % snapshot.nodes.length
      const { node } = decision.fit
      this.#cache.assume(pod, node)
      const first = pod.spec?.volumes?.some(v => v.persistentVolumeClaim ?? v.ephemeral) ? this.#volumesFor(pod, node, snapshot) : undefined
      if (first) this.#keep(this.#waiting, this.#bindAfter(key, pod, node, first))
      else this.#keep(this.#binding, this.#bind(key, pod, node))
      return
    }
    await this.#refuse(key, pod, snapshot, decision.misfit, moves)
  }

  #keep(set: Set<Promise<void>>, work: Promise<void>): void {
    const kept: Promise<void> = work.finally(() => {
      set.delete(kept)
    })
    set.add(kept)
  }

  #volumesFor(pod: Pod, name: string, snapshot: Snapshot): ((signal: AbortSignal) => Promise<void>) | undefined {
    const node = snapshot.nodes.find(info => info.name === name)?.node
    return node && this.#volumes.plan(pod, node)
  }

  async #bindAfter(key: string, pod: Pod, node: string, first: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await first(this.#stopping.signal)
    } catch (fault) {
      this.#cache.forget(key)
      if (this.#stopped) return
      this.#failures++
      this.#env.log.log('debug', 'volumes were not bound', { pod: key, node, fault: String(fault) })
      this.#queue.failed(key, new Set(), this.#queue.moves)
      this.#queue.wake(pods, 'delete')
      return
    }
    await this.#bind(key, pod, node)
  }

  /** Nodes as they are, with equally or more important pods on the nodes that were cleared for them. */
  #snapshotFor(key: string, pod: Pod): Snapshot {
    let nodes = this.#cache.nodes()
    for (const [other, nominated] of this.#nominated) {
      if (other === key || priorityOf(nominated.pod) < priorityOf(pod)) continue
      nodes = nodes.map(info => (info.name === nominated.node ? withPod(info, nominated.pod) : info))
    }
    return {
      nodes,
      placed: this.#cache.index,
      imageHolders: name => this.#cache.imageHolders(name),
      namespace: name => this.#informers.informer(namespaces).get(name),
      namespaces: () => this.#informers.informer(namespaces).list(),
      services: namespace => this.#informers.informer(services).list(namespace),
      storage: this.#storage,
    }
  }

  async #bind(key: string, pod: Pod, node: string): Promise<void> {
    const { namespace, name, uid } = pod.metadata
    try {
      await this.#client.resource(pods).createSub(
        name ?? '',
        'binding',
        {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: node },
        },
        { namespace: namespace ?? '' },
      )
      this.#bound++
      this.#events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace ?? ''}/${name ?? ''} to ${node}`)
    } catch (fault) {
      this.#cache.forget(key)
      this.#failures++
      // Gone, or bound by somebody else: the informer tells.
      if (isNotFound(fault)) {
        this.#queue.remove(key)
        return
      }
      if (!isConflict(fault)) this.#env.log.log('warn', 'binding failed', { pod: key, node, fault: String(fault) })
      this.#queue.failed(key, new Set(), this.#queue.moves)
      this.#queue.wake(pods, 'delete') // what the assumed pod held is free again
    }
  }

  async #refuse(key: string, pod: Pod, snapshot: Snapshot, misfit: Misfit, moves: number): Promise<void> {
    this.#failures++
    const result = snapshot.nodes.length === 0 ? { message: '' } : preempt(pod, snapshot, this.#plugins, misfit, this.#informers.informer(podDisruptionBudgets).list())
    const preemption = 'preemption' in result ? result.preemption : undefined
    const message = misfitMessage(misfit, snapshot.nodes.length, 'message' in result ? result.message : '')
    this.#reasons.set(key, new Map([...misfit.refusals].map(([node, r]) => [node, r.reasons])))
    this.#queue.failed(key, new Set([...misfit.refusals.values()].map(r => r.plugin)), moves)
    this.#events.event(pod, 'Warning', 'FailedScheduling', message)
    if (preemption) this.#nominated.set(key, { pod, node: preemption.node })
    await this.#writeCondition(pod, message, preemption?.node)
    if (preemption) await this.#evict(pod, preemption)
  }

  async #writeCondition(pod: Pod, message: string, nominatedNodeName: string | undefined): Promise<void> {
    const present = podCondition(pod, 'PodScheduled')
    const same = present?.status === 'False' && present.reason === 'Unschedulable' && present.message === message
    if (same && (nominatedNodeName === undefined || nominatedNodeName === pod.status?.nominatedNodeName)) return
    const now = formatTime(this.#env.clock.now())
    const lastTransitionTime = present?.status === 'False' && present.lastTransitionTime ? present.lastTransitionTime : now
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastProbeTime: null, lastTransitionTime }
    const status = { conditions: [condition], ...(nominatedNodeName ? { nominatedNodeName } : {}) }
    try {
      await this.#client
        .resource(pods)
        .patch(pod.metadata.name ?? '', 'strategic', { metadata: { uid: pod.metadata.uid }, status }, { namespace: pod.metadata.namespace ?? '', subresource: 'status' })
    } catch (fault) {
      if (!isNotFound(fault) && !isConflict(fault)) this.#env.log.log('warn', 'condition of an unschedulable pod was not written', { pod: keyOf(pod), fault: String(fault) })
    }
  }

  /** Says on a victim why it goes, for jobs and people. */
  async #markDisrupted(pod: Pod, victim: Pod): Promise<void> {
    if (podCondition(victim, 'DisruptionTarget')?.status === 'True' || victim.metadata.deletionTimestamp !== undefined) return
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${pod.spec?.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(this.#env.clock.now()),
    }
    const { name, namespace, uid } = victim.metadata
    const patch = { metadata: { uid }, status: { conditions: [condition] } }
    await this.#client.resource(pods).patch(name ?? '', 'strategic', patch, { namespace: namespace ?? '', subresource: 'status' })
  }

  async #evict(pod: Pod, preemption: Preemption): Promise<void> {
    for (const victim of preemption.victims) {
      const { namespace, name, uid } = victim.metadata
      try {
        await this.#markDisrupted(pod, victim)
        await this.#client.resource(pods).delete(name ?? '', { namespace: namespace ?? '', ...(uid ? { preconditions: { uid } } : {}) })
        this.#events.event(victim, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid ?? ''} on node ${preemption.node}`)
      } catch (fault) {
        if (!isNotFound(fault)) this.#env.log.log('warn', 'victim was not deleted', { pod: keyOf(victim), fault: String(fault) })
      }
    }
  }
}

/** Heartbeats change nothing for scheduling. */
function nodeMatters(node: Node, previous: Node): boolean {
  return (
    !deepEqual(node.spec, previous.spec) ||
    !deepEqual(node.metadata.labels, previous.metadata.labels) ||
    !deepEqual(node.status?.allocatable, previous.status?.allocatable) ||
    !deepEqual(node.status?.images, previous.status?.images)
  )
}
