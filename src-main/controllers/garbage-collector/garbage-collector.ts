/**
 * Deletes objects whose owners are all gone, deletes dependents before owners that ask for it (foreground), and frees
 * dependents of owners that ask for that (orphan). Works on all kinds, custom ones as they come and go.
 */
import type { KubernetesObject, OwnerReference } from '../../api/meta.ts'
import { allVerbs, resourceKey, storagePrefix } from '../../api/resource.ts'
import type { AnyResource } from '../../api/resource.ts'
import { isConflict, isNotFound } from '../../api/status-error.ts'
import type { ResourceClient } from '../../client/client.ts'
import type { Informer } from '../../client/informer.ts'
import { createWorkQueue } from '../../client/work-queue.ts'
import type { WorkQueue } from '../../client/work-queue.ts'
import type { RunnableContext, RunnableDefinition } from '../../controller-runtime/controller.ts'
import { DependencyGraph, decide, foregroundFinalizer, orphanFinalizer, orphansDependents, ownersOf, waitsForDependents } from './graph.ts'
import type { GraphNode, OwnerState } from './graph.ts'

/** How often the list of kinds is compared; new custom kinds are seen by then. */
const kindsPeriodMs = 5000
/** A kind that cannot be listed (its conversion webhook is down) holds up the others no longer than this. */
const firstListMs = 30_000
const workers = 20
/** Events are many, owned by nothing and expire by themselves. */
const ignored = new Set(['/core/events/', '/events.k8s.io/events/'])

/** `resources` gives all kinds served now. */
export function garbageCollector(resources: () => readonly AnyResource[]): RunnableDefinition {
  return {
    name: 'generic-garbage-collector',
    rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['delete', 'get', 'list', 'patch', 'update', 'watch'] }],
    run: context => new Collector(context, resources).run(),
  }
}

interface Followed {
  readonly resource: AnyResource
  readonly informer: Informer<KubernetesObject>
  readonly stop: () => void
}

class Collector {
  readonly #context: RunnableContext
  readonly #resources: () => readonly AnyResource[]
  readonly #graph = new DependencyGraph()
  readonly #queue: WorkQueue
  readonly #followed = new Map<string, Followed>()

  constructor(context: RunnableContext, resources: () => readonly AnyResource[]) {
    this.#context = context
    this.#resources = resources
    this.#queue = createWorkQueue(context.env, { maxMs: 60_000 })
  }

  async run(): Promise<void> {
    const { env, signal } = this.#context
    this.#follow()
    // An owner is only known to be missing once every kind was listed.
    await Promise.race([Promise.all([...this.#followed.values()].map(f => f.informer.synced)), aborted(signal), env.clock.sleep(firstListMs, signal).catch(() => {})])
    const working = Array.from({ length: workers }, () => this.#work())
    try {
      while (!signal.aborted) {
        await env.clock.sleep(kindsPeriodMs, signal).catch(() => {})
        if (!signal.aborted) this.#follow()
      }
    } finally {
      for (const followed of this.#followed.values()) followed.stop()
      await this.#queue.shutDown()
      await Promise.all(working)
    }
  }

  #follow(): void {
    const wanted = new Map<string, AnyResource>()
    const served = new Set<string>()
    for (const resource of this.#resources()) {
      served.add(resourceKey(resource))
      const id = storagePrefix(resource)
      const verbs = resource.verbs ?? allVerbs
      const usable = resource.storage !== 'virtual' && (['list', 'watch', 'delete'] as const).every(v => verbs.includes(v))
      if (usable && !ignored.has(id) && !wanted.has(id)) wanted.set(id, resource)
    }
    for (const [id, followed] of this.#followed) {
      if (wanted.has(id)) continue
      followed.stop()
      this.#followed.delete(id)
      for (const object of followed.informer.list()) this.#look(this.#graph.remove(object))
      this.#context.informers.drop(followed.resource)
    }
    for (const [id, resource] of wanted) {
      const present = this.#followed.get(id)
      if (present && served.has(resourceKey(present.resource))) continue
      this.#followed.set(id, this.#followOne(resource))
      if (present) void this.#leave(present)
    }
  }

  /** Its version is no longer served; what another version does not list was deleted meanwhile. */
  async #leave(left: Followed): Promise<void> {
    left.stop()
    const objects = left.informer.list()
    this.#context.informers.drop(left.resource)
    const next = this.#followed.get(storagePrefix(left.resource))
    await Promise.race([next?.informer.synced, aborted(this.#context.signal)])
    const present = new Set(next?.informer.list().map(object => object.metadata.uid))
    for (const object of objects) if (!present.has(object.metadata.uid)) this.#look(this.#graph.remove(object))
  }

  #followOne(resource: AnyResource): Followed {
    const informer = this.#context.informers.informer<KubernetesObject>(resource)
    const put = (object: KubernetesObject): void => {
      this.#look(this.#graph.put(resource, object))
    }
    const stop = informer.addHandlers({
      onAdd: put,
      onUpdate: put,
      onDelete: object => {
        this.#look(this.#graph.remove(object))
      },
    })
    return { resource, informer, stop }
  }

  #look(uids: readonly string[]): void {
    for (const uid of uids) this.#queue.add(uid)
  }

  async #work(): Promise<void> {
    for (let uid = await this.#queue.next(); uid !== undefined; uid = await this.#queue.next()) {
      try {
        await this.#process(uid)
        this.#queue.forget(uid)
      } catch (fault) {
        if (isNotFound(fault)) this.#queue.forget(uid)
        else {
          if (!isConflict(fault)) this.#context.env.log.log('warn', 'garbage collection will be tried again', { uid, fault: String(fault) })
          this.#queue.addRateLimited(uid)
        }
      } finally {
        this.#queue.done(uid)
      }
    }
  }

  async #process(uid: string): Promise<void> {
    const node = this.#graph.get(uid)
    if (!node) return
    if (orphansDependents(node.object)) {
      await this.#orphan(node)
      return
    }
    if (waitsForDependents(node.object)) {
      await this.#finishForeground(node)
      return
    }
    if (node.object.metadata.deletionTimestamp) return
    const states = new Map<string, OwnerState>()
    for (const owner of ownersOf(node.object)) states.set(owner.uid, await this.#stateOf(node, owner))
    if ([...states.values()].every(s => s === 'solid')) return
    const live = await this.#client(node).get(node.object.metadata.name ?? '', scopeOf(node.object))
    if (live.metadata.uid !== uid) return
    // Owners that were added since the cache was filled are judged by the event that brings them.
    if (ownersOf(live).some(o => !states.has(o.uid))) return
    await this.#carryOut(node, live, states)
  }

  async #carryOut(node: GraphNode, live: KubernetesObject, states: ReadonlyMap<string, OwnerState>): Promise<void> {
    const action = decide(live, states, this.#graph.dependents(node.uid))
    if (action.kind === 'none') return
    if (action.kind === 'unown') {
      await this.#setOwners(
        node,
        live,
        ownersOf(live).filter(o => !action.uids.includes(o.uid)),
      )
      return
    }
    let version = live.metadata.resourceVersion ?? ''
    if (action.unblock) {
      const next = await this.#setOwners(
        node,
        live,
        ownersOf(live).map(o => ({ ...o, blockOwnerDeletion: false })),
      )
      version = next.metadata.resourceVersion ?? version
    }
    await this.#client(node).delete(live.metadata.name ?? '', {
      ...scopeOf(live),
      propagationPolicy: action.policy,
      preconditions: { uid: node.uid, resourceVersion: version },
    })
  }

  async #stateOf(node: GraphNode, owner: OwnerReference): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid)
    if (known) {
      const foreign = known.resource.scope === 'Namespaced' && known.object.metadata.namespace !== node.object.metadata.namespace
      if (foreign) return this.#foreignOwner(node, owner)
      return waitsForDependents(known.object) ? 'waiting' : 'solid'
    }
    const resource = this.#resourceOf(owner)
    // A kind that is not served (its definition may come later) is no proof that the owner is gone.
    if (!resource) throw new Error(`no resource for owner ${owner.apiVersion} ${owner.kind}`)
    if (resource.scope === 'Namespaced' && node.resource.scope === 'Cluster') return this.#foreignOwner(node, owner)
    try {
      const scope = resource.scope === 'Namespaced' ? scopeOf(node.object) : {}
      const live = await this.#context.client.resource<KubernetesObject>(resource).get(owner.name, scope)
      if (live.metadata.uid !== owner.uid) return 'dangling'
      return waitsForDependents(live) ? 'waiting' : 'solid'
    } catch (fault) {
      if (isNotFound(fault)) return 'dangling'
      throw fault
    }
  }

  /** An owner in another namespace cannot own: namespaced dependents lose it, cluster-scoped ones are left alone, as upstream. */
  #foreignOwner(node: GraphNode, owner: OwnerReference): OwnerState {
    this.#context.events.event(
      node.object,
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: ${node.object.metadata.namespace ?? ''}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${node.object.metadata.namespace ?? ''}"`,
    )
    return node.resource.scope === 'Cluster' ? 'solid' : 'dangling'
  }

  #resourceOf(owner: OwnerReference): AnyResource | undefined {
    const slash = owner.apiVersion.indexOf('/')
    const group = slash < 0 ? '' : owner.apiVersion.slice(0, slash)
    return this.#resources().find(r => r.group === group && r.kind === owner.kind && r.storage !== 'virtual')
  }

  async #finishForeground(node: GraphNode): Promise<void> {
    const dependents = this.#graph.dependents(node.uid)
    const blocking = dependents.filter(d => ownersOf(d.object).some(o => o.uid === node.uid && o.blockOwnerDeletion))
    if (blocking.length === 0) {
      await this.#removeFinalizer(node, foregroundFinalizer)
      return
    }
    for (const dependent of blocking) if (!waitsForDependents(dependent.object)) this.#queue.add(dependent.uid)
  }

  async #orphan(node: GraphNode): Promise<void> {
    // Dependents of a kind that was not listed yet would lose their owner and be deleted after it.
    const unlisted = [...this.#followed.values()].find(f => !f.informer.hasSynced)
    if (unlisted) throw new Error(`${resourceKey(unlisted.resource)} was not listed yet, dependents may be among them`)
    for (const dependent of this.#graph.dependents(node.uid)) {
      const left = ownersOf(dependent.object).filter(o => o.uid !== node.uid)
      try {
        await this.#setOwners(dependent, dependent.object, left)
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
    await this.#removeFinalizer(node, orphanFinalizer)
  }

  /** With the version that was judged: a change in between is a conflict and judged anew. */
  #setOwners(node: GraphNode, live: KubernetesObject, owners: readonly OwnerReference[]): Promise<KubernetesObject> {
    const metadata = { uid: node.uid, resourceVersion: live.metadata.resourceVersion, ownerReferences: owners.length > 0 ? owners : null }
    return this.#client(node).patch(live.metadata.name ?? '', 'merge', { metadata }, scopeOf(live))
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const live = await this.#client(node).get(node.object.metadata.name ?? '', scopeOf(node.object))
    if (live.metadata.uid !== node.uid || !(live.metadata.finalizers ?? []).includes(finalizer)) return
    const metadata = { uid: node.uid, resourceVersion: live.metadata.resourceVersion, finalizers: (live.metadata.finalizers ?? []).filter(f => f !== finalizer) }
    await this.#client(node).patch(live.metadata.name ?? '', 'merge', { metadata }, scopeOf(live))
  }

  #client(node: GraphNode): ResourceClient<KubernetesObject> {
    return this.#context.client.resource<KubernetesObject>(node.resource)
  }
}

function scopeOf(object: KubernetesObject): { namespace?: string } {
  return object.metadata.namespace ? { namespace: object.metadata.namespace } : {}
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true },
      )
  })
}
