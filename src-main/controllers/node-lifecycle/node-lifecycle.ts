/**
 * Watches nodes' leases and conditions: a node that is silent for the grace period is Unknown, tainted, and its pods are
 * not ready; taint-eviction then deletes them after their tolerations. Differs from Kubernetes: silence counts awake time
 * of the control plane only, and begins anew after a start or a sleep, so that closing a laptop evicts nobody.
 */
import { leases } from '../../api/coordination/v1/lease.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { podCondition, pods } from '../../api/core/v1/pod.ts'
import type { Node, Pod } from '../../api/generated/core-v1.ts'
import { isConflict, isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { Informer } from '../../client/informer.ts'
import { createWorkQueue } from '../../client/work-queue.ts'
import { AwakeGap } from '../../controller-runtime/awake-gap.ts'
import type { RunnableContext, RunnableDefinition } from '../../controller-runtime/controller.ts'
import { podsOfNode, podsOfNodeIndex } from '../../controller-runtime/node-pods.ts'
import { readinessOf, silentConditions, wantedTaints, zoneOf, zoneState } from './plan.ts'

export interface NodeLifecycleOptions {
  /** Default 5 s. */
  readonly periodMs?: number
  /** Default 50 s, as upstream. */
  readonly graceMs?: number
  /** For nodes that never reported. Default 60 s. */
  readonly startupGraceMs?: number
}

const leaseNamespace = 'kube-node-lease'

export function nodeLifecycleController(options: NodeLifecycleOptions = {}): RunnableDefinition {
  return {
    name: 'node-controller',
    rules: [
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'patch', 'update', 'watch', 'delete'] },
      { apiGroups: [''], resources: ['nodes/status', 'pods/status'], verbs: ['patch', 'update'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'list', 'watch'] },
    ],
    run: context => new Lifecycle(context, options).run(),
  }
}

interface Heard {
  lease: string
  heartbeat: string
  atMs: number
  ever: boolean
}

class Lifecycle {
  readonly #context: RunnableContext
  readonly #periodMs: number
  readonly #graceMs: number
  readonly #startupGraceMs: number
  readonly #nodes: Informer<Node>
  readonly #pods: Informer<Pod>
  readonly #heard = new Map<string, Heard>()
  readonly #readiness = new Map<string, string>()

  constructor(context: RunnableContext, options: NodeLifecycleOptions) {
    this.#context = context
    this.#periodMs = options.periodMs ?? 5000
    this.#graceMs = options.graceMs ?? 50_000
    this.#startupGraceMs = options.startupGraceMs ?? 60_000
    this.#nodes = context.informers.informer(nodes)
    this.#pods = context.informers.informer(pods)
    this.#pods.addIndex(podsOfNode.name, podsOfNode.values)
  }

  async run(): Promise<void> {
    const { env, signal, informers } = this.#context
    const leaseInformer = informers.informer(leases)
    await Promise.all([this.#nodes.synced, this.#pods.synced, leaseInformer.synced])
    const queue = createWorkQueue(env, { maxMs: 30_000 })
    const removers = [
      this.#nodes.addHandlers({
        onAdd: node => {
          this.#event(node, 'Normal', 'RegisteredNode', `Node ${nameOf(node)} event: Registered Node ${nameOf(node)} in Controller`)
          queue.add(nameOf(node))
        },
        onUpdate: node => {
          queue.add(nameOf(node))
        },
        onDelete: node => {
          this.#heard.delete(nameOf(node))
          this.#readiness.delete(nameOf(node))
          this.#event(node, 'Normal', 'RemovingNode', `Node ${nameOf(node)} event: Removing Node ${nameOf(node)} from Controller`)
        },
      }),
    ]
    const worker = this.#work(queue)
    const gap = new AwakeGap(env)
    while (!signal.aborted) {
      if (gap.check(this.#periodMs)) this.#heard.clear()
      for (const node of this.#nodes.list()) queue.add(nameOf(node))
      await env.clock.sleep(this.#periodMs, signal).catch(() => {})
    }
    for (const remove of removers) remove()
    await queue.shutDown()
    await worker
  }

  async #work(queue: ReturnType<typeof createWorkQueue>): Promise<void> {
    for (let name = await queue.next(); name !== undefined; name = await queue.next()) {
      try {
        await this.#check(name)
        queue.forget(name)
      } catch (fault) {
        if (!isConflict(fault) && !isNotFound(fault)) this.#context.env.log.log('warn', 'node will be checked again', { node: name, fault: String(fault) })
        queue.addRateLimited(name)
      } finally {
        queue.done(name)
      }
    }
  }

  async #check(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (!node) return
    const { client, env } = this.#context
    const silent = this.#isSilent(node)
    if (silent) {
      const conditions = silentConditions(node, env.clock.now())
      if (conditions) await client.resource(nodes).updateStatus({ ...node, status: { ...node.status, conditions } })
    }
    const readiness = silent ? 'Unknown' : readinessOf(node)
    const before = this.#readiness.get(name)
    if (readiness !== 'True') {
      if (before === 'True') this.#event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
      if (before !== readiness || silent) await this.#markPodsNotReady(name)
    }
    this.#readiness.set(name, readiness)
    if (silent && readinessOf(node) !== 'Unknown') return // the taints follow with the status just written
    await this.#taint(node)
  }

  /** Nothing heard (neither lease nor conditions) for the grace period of awake time. */
  #isSilent(node: Node): boolean {
    const name = nameOf(node)
    const nowMs = this.#context.env.clock.awakeMs()
    const lease = this.#context.informers.informer(leases).get(`${leaseNamespace}/${name}`)
    const heartbeat = node.status?.conditions?.find(c => c.type === 'Ready')
    const seen = { lease: lease?.spec?.renewTime ?? '', heartbeat: heartbeat?.status === 'Unknown' ? '' : (heartbeat?.lastHeartbeatTime ?? '') }
    const known = this.#heard.get(name)
    if (!known || known.lease !== seen.lease || (seen.heartbeat !== '' && known.heartbeat !== seen.heartbeat)) {
      this.#heard.set(name, { ...seen, atMs: nowMs, ever: seen.lease !== '' || seen.heartbeat !== '' })
      return false
    }
    return nowMs - known.atMs > (known.ever ? this.#graceMs : this.#startupGraceMs)
  }

  async #taint(node: Node): Promise<void> {
    const { client, env } = this.#context
    // A ready node evicts nobody anyhow; the question looks at every node.
    const taints = wantedTaints(node, readinessOf(node) === 'True' ? 'yes' : this.#mayEvict(node), env.clock.now())
    if (!taints) return
    const { name, uid, resourceVersion } = node.metadata
    await client.resource(nodes).patch(name ?? '', 'merge', { metadata: { uid, resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } })
  }

  /** When every node is silent the fault is ours: nobody is evicted. In a zone that is mostly silent nobody new is. */
  #mayEvict(node: Node): 'yes' | 'keep' | 'no' {
    const all = this.#nodes.list()
    const isReady = (n: Node): boolean => readinessOf(n) === 'True'
    if (!all.some(isReady)) return 'no'
    const zone = all.filter(n => zoneOf(n) === zoneOf(node))
    const ready = zone.filter(isReady).length
    return zoneState(ready, zone.length - ready) === 'PartialDisruption' ? 'keep' : 'yes'
  }

  async #markPodsNotReady(name: string): Promise<void> {
    const now = formatTime(this.#context.env.clock.now())
    for (const pod of this.#pods.byIndex(podsOfNodeIndex, name)) {
      const ready = podCondition(pod, 'Ready')
      if (ready?.status !== 'True') continue
      const conditions = (pod.status?.conditions ?? []).map(c => (c.type === 'Ready' ? { ...c, status: 'False', lastTransitionTime: now } : c))
      try {
        await this.#context.client.resource(pods).updateStatus({ ...pod, status: { ...pod.status, conditions } })
        this.#event(pod, 'Warning', 'NodeNotReady', 'Node is not ready')
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
  }

  #event(object: Node | Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const kind = 'kind' in object && object.kind ? object : { ...object, apiVersion: 'v1', kind: 'Node' }
    this.#context.events.event(kind, type, reason, message)
  }
}

function nameOf(node: Node): string {
  return node.metadata.name ?? ''
}
