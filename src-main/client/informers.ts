/**
 * Informers: list, then watch, for ever. Levels, not edges: whatever event is lost is repaired by the next list. After a
 * watch ends it goes on from the last revision seen; on 410 (or after repeated failures) it lists again and tells
 * handlers only the differences. One informer a resource (and selection) is shared by all who ask.
 */
import { keyOf } from '../api/meta.ts'
import type { KubernetesObject, WatchEvent } from '../api/meta.ts'
import { resourceKey } from '../api/resource.ts'
import type { AnyResource, ResourceDefinition } from '../api/resource.ts'
import { StatusError, isExpired } from '../api/status-error.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Env } from '../base/env.ts'
import type { Client, ResourceClient } from './client.ts'
import type { Informer, InformerHandlers } from './informer.ts'

export interface InformerOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export interface SharedInformerFactory {
  informer<T extends KubernetesObject>(resource: ResourceDefinition<T>, options?: InformerOptions): Informer<T>
  /** Stops the informer of a resource that is gone (a removed custom kind), so that a later ask makes a fresh one. */
  drop(resource: AnyResource): void
  stop(): void
}

/** Between failed tries: soon at first, at most half a minute, as upstream's reflectors. */
const retry = { initialMs: 800, maxMs: 30_000 } as const
/** Objects a page of the initial list: keeps one answer small where the server is far. */
const pageSize = 500
/** A watch is asked to end after 5 to 10 minutes, so that watchers spread over several servers again. */
const watchSeconds = 300
/** A watch that lived this long was a good one, also when nothing happened meanwhile: the next failure is a first failure. */
const goodWatchMs = 10_000

export function createInformerFactory(options: { client: Client; env: Env }): SharedInformerFactory {
  const informers = new Map<string, Informer<KubernetesObject>>()
  const idOf = (resource: AnyResource, selection: InformerOptions): string =>
    [resourceKey(resource), selection.namespace ?? '', selection.labelSelector ?? '', selection.fieldSelector ?? ''].join('|')
  return {
    informer<T extends KubernetesObject>(resource: ResourceDefinition<T>, selection: InformerOptions = {}): Informer<T> {
      const id = idOf(resource, selection)
      const known = informers.get(id)
      if (known) return known as unknown as Informer<T>
      const made = createInformer(options.client.resource(resource), options.env, selection)
      informers.set(id, made as unknown as Informer<KubernetesObject>)
      return made
    },
    drop(resource) {
      const prefix = `${resourceKey(resource)}|`
      for (const [id, informer] of informers)
        if (id.startsWith(prefix)) {
          informer.stop()
          informers.delete(id)
        }
    },
    stop() {
      for (const informer of informers.values()) informer.stop()
      informers.clear()
    },
  }
}

/** One informer; it begins at once and runs until stop(). */
export function createInformer<T extends KubernetesObject>(client: ResourceClient<T>, env: Env, selection: InformerOptions = {}): Informer<T> {
  const cache = new ObjectCache<T>(env)
  const stopping = new AbortController()
  let resolveSynced = (): void => {}
  let hasSynced = false
  const synced = new Promise<void>(resolve => {
    resolveSynced = resolve
  })
  void run(client, env, selection, cache, stopping.signal, () => {
    hasSynced = true
    resolveSynced()
  })
  return {
    synced,
    get hasSynced() {
      return hasSynced
    },
    get resourceVersion() {
      return cache.version
    },
    get: key => cache.objects.get(key),
    list: namespace => cache.list(namespace),
    byIndex: (index, value) => cache.byIndex(index, value),
    addIndex: (name, values) => {
      cache.addIndex(name, values)
    },
    addHandlers: handlers => cache.addHandlers(handlers),
    stop: () => {
      stopping.abort(new Error('stopped'))
    },
  }
}

async function run<T extends KubernetesObject>(
  client: ResourceClient<T>,
  env: Env,
  selection: InformerOptions,
  cache: ObjectCache<T>,
  signal: AbortSignal,
  onSynced: () => void,
): Promise<void> {
  let version: string | undefined
  let failures = 0
  /** Listed anew since the last event: another 410 then is no reason to list again at once. */
  let relisted = false
  let startedMs = 0
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        version = await listAll(client, selection, cache, signal)
        onSynced()
      }
      startedMs = env.clock.awakeMs()
      version = await watchOnce(client, env, selection, cache, version, signal, () => {
        failures = 0
        relisted = false
      })
      // A server that ends watches at once must not be asked in a tight loop.
      if (env.clock.awakeMs() - startedMs < 1000) await pause(env, failures++, signal)
    } catch (fault) {
      if (signal.aborted) return
      // Expired: list anew. Any other answer of the server (forbidden, kind removed) may be about the watch's start; a lost connection goes on where it was.
      if (fault instanceof WatchEnded) version = fault.version
      const cause = fault instanceof WatchEnded ? fault.cause : fault
      if (cause instanceof StatusError) version = undefined
      if (fault instanceof WatchEnded && env.clock.awakeMs() - startedMs >= goodWatchMs) failures = 0
      const atOnce = isExpired(cause) && !relisted
      relisted = isExpired(cause)
      if (!atOnce) {
        env.log.log(failures < 2 ? 'debug' : 'warn', 'informer will try again', { resource: resourceKey(client.resource), fault: String(cause) })
        await pause(env, failures, signal)
      }
      failures++
    }
  }
}

async function pause(env: Env, failures: number, signal: AbortSignal): Promise<void> {
  try {
    await env.clock.sleep(backoffMs(retry, failures, env.random), signal)
  } catch {
    /* stopped: the loop sees it */
  }
}

class WatchEnded extends Error {
  readonly version: string
  constructor(version: string, cause: unknown) {
    super('the watch broke off', { cause })
    this.version = version
  }
}

async function listAll<T extends KubernetesObject>(client: ResourceClient<T>, selection: InformerOptions, cache: ObjectCache<T>, signal: AbortSignal): Promise<string> {
  const items: T[] = []
  let next: string | undefined
  for (;;) {
    const page: Awaited<ReturnType<typeof client.list>> = await client.list({ ...selection, limit: pageSize, ...(next ? { continue: next } : {}), signal })
    for (const item of page.items) items.push(withKind(client.resource, item))
    next = page.metadata.continue
    if (!next) {
      const version = page.metadata.resourceVersion ?? '0'
      if (!signal.aborted) cache.replace(items, version)
      return version
    }
  }
}

/** Items of typed lists come without kind and apiVersion; owners and events need them. */
function withKind<T extends KubernetesObject>(resource: ResourceDefinition<T>, item: T): T {
  if (item.kind) return item
  return { ...item, apiVersion: resource.group ? `${resource.group}/${resource.version}` : resource.version, kind: resource.kind }
}

async function watchOnce<T extends KubernetesObject>(
  client: ResourceClient<T>,
  env: Env,
  selection: InformerOptions,
  cache: ObjectCache<T>,
  from: string,
  signal: AbortSignal,
  onEvent: () => void,
): Promise<string> {
  let version = from
  const timeoutSeconds = Math.round(watchSeconds * (1 + env.random.next()))
  try {
    for await (const event of client.watch({ ...selection, resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds, signal })) {
      if (signal.aborted) return version
      version = event.object.metadata.resourceVersion ?? version
      cache.apply(event)
      onEvent()
    }
  } catch (fault) {
    throw new WatchEnded(version, fault)
  }
  return version
}

class ObjectCache<T extends KubernetesObject> {
  readonly objects = new Map<string, T>()
  version = ''
  readonly #namespaces = new Map<string, Map<string, T>>()
  readonly #indexes = new Map<string, { values: (object: T) => readonly string[]; entries: Map<string, Map<string, T>> }>()
  readonly #handlers = new Set<InformerHandlers<T>>()
  readonly #env: Env

  constructor(env: Env) {
    this.#env = env
  }

  list(namespace: string | undefined): readonly T[] {
    if (namespace === undefined) return [...this.objects.values()]
    return [...(this.#namespaces.get(namespace)?.values() ?? [])]
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name)
    if (!index) throw new Error(`assertion failed: index ${name} was not declared`)
    return [...(index.entries.get(value)?.values() ?? [])]
  }

  /** The same name again keeps the first index: controllers that share an informer may declare the same one. */
  addIndex(name: string, values: (object: T) => readonly string[]): void {
    if (this.#indexes.has(name)) return
    const index = { values, entries: new Map<string, Map<string, T>>() }
    this.#indexes.set(name, index)
    for (const [key, object] of this.objects) for (const value of values(object)) put(index.entries, value, key, object)
  }

  addHandlers(handlers: InformerHandlers<T>): () => void {
    this.#handlers.add(handlers)
    for (const object of this.objects.values()) this.#tell(() => handlers.onAdd?.(object))
    return () => {
      this.#handlers.delete(handlers)
    }
  }

  apply(event: WatchEvent<T>): void {
    this.version = event.object.metadata.resourceVersion ?? this.version
    if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#set(event.object)
    else if (event.type === 'DELETED') this.#remove(keyOf(event.object), event.object)
  }

  replace(items: readonly T[], version: string): void {
    this.version = version
    const present = new Set(items.map(keyOf))
    for (const [key, object] of this.objects) if (!present.has(key)) this.#remove(key, object)
    for (const item of items) this.#set(item)
  }

  #set(object: T): void {
    const key = keyOf(object)
    const previous = this.objects.get(key)
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion && previous?.metadata.uid === object.metadata.uid) return
    // Deleted and made again while we were not watching: handlers must see both, or the old uid's owner never hears of it.
    if (previous && previous.metadata.uid !== object.metadata.uid) {
      this.#remove(key, previous)
      this.#set(object)
      return
    }
    if (previous) this.#unindex(key, previous)
    this.objects.set(key, object)
    put(this.#namespaces, object.metadata.namespace ?? '', key, object)
    for (const index of this.#indexes.values()) for (const value of index.values(object)) put(index.entries, value, key, object)
    for (const handlers of [...this.#handlers])
      this.#tell(() => {
        if (previous) handlers.onUpdate?.(object, previous)
        else handlers.onAdd?.(object)
      })
  }

  #remove(key: string, last: T): void {
    const previous = this.objects.get(key)
    if (!previous) return
    this.objects.delete(key)
    this.#unindex(key, previous)
    take(this.#namespaces, previous.metadata.namespace ?? '', key)
    for (const handlers of [...this.#handlers]) this.#tell(() => handlers.onDelete?.(last))
  }

  #unindex(key: string, object: T): void {
    for (const index of this.#indexes.values()) for (const value of index.values(object)) take(index.entries, value, key)
  }

  // A handler's fault is its programmer's; the others and the cache must go on.
  #tell(call: () => void): void {
    try {
      call()
    } catch (fault) {
      this.#env.log.log('error', 'informer handler failed', { fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) })
    }
  }
}

function put<T>(map: Map<string, Map<string, T>>, value: string, key: string, object: T): void {
  let inner = map.get(value)
  if (!inner) {
    inner = new Map()
    map.set(value, inner)
  }
  inner.set(key, object)
}

function take<T>(map: Map<string, Map<string, T>>, value: string, key: string): void {
  const inner = map.get(value)
  inner?.delete(key)
  if (inner?.size === 0) map.delete(value)
}
