/**
 * Runs controllers: shared informers first, then workers once the caches are complete. A failed key comes back with
 * back-off, a crashed component is started again, stop() lets work in progress end.
 */
import { events as eventResource } from '../api/core/v1/event.ts'
import { keyOf } from '../api/meta.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { resourceKey } from '../api/resource.ts'
import type { AnyResource, ResourceDefinition } from '../api/resource.ts'
import { isConflict } from '../api/status-error.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { createEventRecorder } from '../client/event-recorder.ts'
import type { Recorder } from '../client/event-recorder.ts'
import type { Informer } from '../client/informer.ts'
import { createInformerFactory } from '../client/informers.ts'
import type { SharedInformerFactory } from '../client/informers.ts'
import { createWorkQueue } from '../client/work-queue.ts'
import type { WorkQueue } from '../client/work-queue.ts'
import type { AnyController, Cache, ControllerDefinition, RunnableDefinition } from './controller.ts'
import { TerminalError } from './controller.ts'
import { OwnWrites } from './own-writes.ts'
import { inputsOf } from './rules.ts'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- controllers of unlike kinds in one list
type AnyReconciler = ControllerDefinition<any>

export { rulesFor } from './rules.ts'

export interface ManagerOptions {
  readonly env: Env
  /** A client whose user is `system:serviceaccount:kube-system:<name>`; `kube-controller-manager` reads for the shared informers. */
  clientFor(name: string): Client
  readonly controllers: readonly AnyController[]
  /** Shared with others (scheduler, monitoring); the manager then does not stop them. */
  readonly informers?: SharedInformerFactory
}

export interface ControllerMetrics {
  readonly name: string
  readonly reconciles: number
  readonly errors: number
  readonly queued: number
  readonly working: number
  readonly restarts: number
}

export interface Manager {
  /** Resolves when all caches are complete and all workers run. */
  start(): Promise<void>
  stop(): Promise<void>
  metrics(): ControllerMetrics[]
}

/** Failed keys: 5 ms to 16m40s as upstream, but never longer than 2 minutes: a desktop's user waits for it. */
const maxRetryMs = 120_000
/** A crashed runnable comes back soon, then slower. */
const restart = { initialMs: 1000, maxMs: 60_000 } as const
/** A key whose own writes are not in the cache yet is looked at again after this (the watch event usually wakes it sooner). */
const staleMs = 20
/** Work in progress may go on this long after stop() before its signal is aborted. */
const drainMs = 10_000

interface Component {
  readonly name: string
  stop(): Promise<void>
  metrics(): ControllerMetrics
}

export function createManager(options: ManagerOptions): Manager {
  const { env } = options
  const informers = options.informers ?? createInformerFactory({ client: options.clientFor('kube-controller-manager'), env })
  const stopping = new AbortController()
  const components: Component[] = []
  const recorders: Recorder[] = []
  return {
    async start() {
      const prepared = options.controllers.map(definition => {
        const client = options.clientFor(definition.name)
        const events = createEventRecorder({ client, env, events: eventResource, component: definition.name })
        recorders.push(events)
        return 'for' in definition
          ? prepareController({ env, client, events, informers, signal: stopping.signal }, definition)
          : prepareRunnable({ env, client, events, informers, signal: stopping.signal }, definition)
      })
      await Promise.all(prepared.map(p => p.ready))
      if (stopping.signal.aborted) return
      for (const { begin } of prepared) components.push(begin())
    },
    async stop() {
      const draining = Promise.all(components.map(c => c.stop()))
      const cancel = env.clock.after(drainMs, () => {
        stopping.abort(new Error('stopped'))
      })
      // Runnables end by the signal only; controllers drain first.
      await draining
      cancel()
      stopping.abort(new Error('stopped'))
      for (const recorder of recorders) recorder.stop()
      if (!options.informers) informers.stop()
    },
    metrics: () => components.map(c => c.metrics()),
  }
}

interface Surroundings {
  env: Env
  client: Client
  events: Recorder
  informers: SharedInformerFactory
  signal: AbortSignal
}
interface Prepared {
  readonly ready: Promise<unknown>
  begin(): Component
}

function prepareController(around: Surroundings, definition: AnyReconciler): Prepared {
  const byKey = new Map<string, Informer<KubernetesObject>>()
  for (const resource of inputsOf(definition)) byKey.set(resourceKey(resource), around.informers.informer<KubernetesObject>(resource))
  for (const index of definition.indexes ?? []) byKey.get(resourceKey(index.resource))?.addIndex(index.name, index.values)
  const cache: Cache = {
    of<T extends KubernetesObject>(resource: ResourceDefinition<T>) {
      const found = byKey.get(resourceKey(resource as AnyResource))
      if (!found) throw new Error(`assertion failed: ${definition.name} did not declare ${resource.plural}`)
      return found as unknown as Informer<T>
    },
  }
  return {
    ready: Promise.all([...byKey.values()].map(i => i.synced)),
    begin: () => beginController(around, definition, cache, byKey),
  }
}

function beginController(around: Surroundings, definition: AnyReconciler, cache: Cache, byKey: ReadonlyMap<string, Informer<KubernetesObject>>): Component {
  const queue = createWorkQueue(around.env, { maxMs: maxRetryMs })
  const counts = { reconciles: 0, errors: 0 }
  const writes = new OwnWrites(byKey)
  const removers = wire(definition, cache, byKey, queue)
  for (let worker = 0; worker < definition.workers; worker++) void work(around, definition, cache, queue, writes, counts)
  return {
    name: definition.name,
    async stop() {
      for (const remove of removers) remove()
      await queue.shutDown()
    },
    metrics: () => ({ name: definition.name, ...counts, queued: queue.length, working: queue.working, restarts: 0 }),
  }
}

/** Connects the inputs' changes with the queue. */
function wire(definition: AnyReconciler, cache: Cache, byKey: ReadonlyMap<string, Informer<KubernetesObject>>, queue: WorkQueue): (() => void)[] {
  const removers: (() => void)[] = []
  const listen = (resource: AnyResource, keys: (object: KubernetesObject, previous?: KubernetesObject) => readonly string[]): void => {
    const wake = (object: KubernetesObject, previous?: KubernetesObject): void => {
      for (const key of keys(object, previous)) queue.add(key)
    }
    const remove = byKey.get(resourceKey(resource))?.addHandlers({ onAdd: wake, onUpdate: wake, onDelete: wake })
    if (remove) removers.push(remove)
  }
  listen(definition.for, object => [keyOf(object)])
  for (const owned of definition.owns ?? []) {
    listen(owned, (object, previous) => [...ownerKeys(definition.for, object), ...(previous ? ownerKeys(definition.for, previous) : [])])
  }
  for (const input of definition.watches ?? []) listen(input.resource as AnyResource, (object, previous) => input.keys(object, { cache }, previous))
  return removers
}

function ownerKeys(owner: AnyResource, object: KubernetesObject): string[] {
  const ref = object.metadata.ownerReferences?.find(r => r.controller)
  if (!ref || ref.kind !== owner.kind || !sameGroup(ref.apiVersion, owner.group)) return []
  const namespace = owner.scope === 'Namespaced' ? object.metadata.namespace : undefined
  return [keyOf({ metadata: { name: ref.name, ...(namespace ? { namespace } : {}) } })]
}

function sameGroup(apiVersion: string, group: string): boolean {
  const slash = apiVersion.indexOf('/')
  return (slash < 0 ? '' : apiVersion.slice(0, slash)) === group
}

async function work(
  around: Surroundings,
  definition: AnyReconciler,
  cache: Cache,
  queue: WorkQueue,
  writes: OwnWrites,
  counts: { reconciles: number; errors: number },
): Promise<void> {
  const { env, client, events, signal } = around
  for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
    if (!writes.seen(key)) {
      queue.addAfter(key, staleMs)
      queue.done(key)
      continue
    }
    counts.reconciles++
    try {
      const result = await definition.reconcile({ env, cache, events, signal, client: writes.clientFor(key, client) }, key)
      queue.forget(key)
      if (result) queue.addAfter(key, result.requeueAfterMs)
    } catch (fault) {
      if (signal.aborted) return
      counts.errors++
      report(env, definition.name, key, fault)
      if (fault instanceof TerminalError) queue.forget(key)
      else queue.addRateLimited(key)
    } finally {
      queue.done(key)
    }
  }
}

function report(env: Env, controller: string, key: string, fault: unknown): void {
  const level = isConflict(fault) ? 'debug' : 'warn' // conflicts are how concurrent writers agree
  env.log.log(level, 'reconcile failed', { controller, key, fault: fault instanceof Error ? (level === 'warn' ? (fault.stack ?? fault.message) : fault.message) : String(fault) })
}

function prepareRunnable(around: Surroundings, definition: RunnableDefinition): Prepared {
  return { ready: Promise.resolve(), begin: () => beginRunnable(around, definition) }
}

function beginRunnable(around: Surroundings, definition: RunnableDefinition): Component {
  const { env } = around
  const own = new AbortController()
  around.signal.addEventListener(
    'abort',
    () => {
      own.abort(new Error('stopped'))
    },
    { once: true },
  )
  let restarts = 0
  const supervise = async (): Promise<void> => {
    while (!own.signal.aborted) {
      try {
        await definition.run({ ...around, signal: own.signal })
      } catch (fault) {
        if (own.signal.aborted) return
        report(env, definition.name, '', fault)
        await env.clock.sleep(backoffMs(restart, restarts++, env.random), own.signal).catch(() => {})
      }
    }
  }
  const running = supervise()
  return {
    name: definition.name,
    stop: () => {
      own.abort(new Error('stopped'))
      return running
    },
    metrics: () => ({ name: definition.name, reconciles: 0, errors: restarts, queued: 0, working: own.signal.aborted ? 0 : 1, restarts }),
  }
}
