/**
 * Follows single ConfigMaps and Secrets that running pods show in volumes, so that a change is there at once instead of
 * at the next look. One watch an object, as a node may watch these by name only; whoever is not looked at any more, or
 * whose watch ends, is dropped: the next look starts it anew, and until then looking from time to time serves.
 */
import type { KubernetesObject } from '../../api/meta.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'

/** Each watch is a connection of its own: 3 MB of the agent's memory at most. What comes later is looked at from time to time. */
const maxWatches = 32
/** Pods look at their volumes every minute; two turns may be late. */
const unusedMs = 180_000

interface Watch {
  readonly abort: AbortController
  usedMs: number
}

export interface ObjectWatchesOptions {
  readonly env: Env
  readonly client: Client
  /** `undefined`: deleted. */
  readonly onChange: (key: string, object: KubernetesObject | undefined) => void
}

export class ObjectWatches {
  readonly #options: ObjectWatchesOptions
  readonly #watches = new Map<string, Watch>()
  #stopped = false

  constructor(options: ObjectWatchesOptions) {
    this.#options = options
  }

  /** True where every change of the object comes by itself. */
  follows(key: string): boolean {
    const watch = this.#watches.get(key)
    if (watch) watch.usedMs = this.#options.env.clock.awakeMs()
    return watch !== undefined
  }

  /** Follows the object from the state that was just read, where there is room. */
  start<T extends KubernetesObject>(key: string, resource: ResourceDefinition<T>, object: T): void {
    if (this.#stopped || this.#watches.has(key)) return
    this.#dropUnused()
    if (this.#watches.size >= maxWatches) return
    const watch: Watch = { abort: new AbortController(), usedMs: this.#options.env.clock.awakeMs() }
    this.#watches.set(key, watch)
    void this.#follow(key, resource, object, watch.abort.signal)
      .catch(fault => {
        this.#options.env.log.log('debug', 'an object is not followed any more', { key, fault: String(fault) })
      })
      .finally(() => {
        if (this.#watches.get(key) === watch) this.#watches.delete(key)
      })
  }

  stop(): void {
    this.#stopped = true
    for (const watch of this.#watches.values()) watch.abort.abort()
  }

  async #follow<T extends KubernetesObject>(key: string, resource: ResourceDefinition<T>, object: T, signal: AbortSignal): Promise<void> {
    const { name = '', namespace = '' } = object.metadata
    const events = this.#options.client.resource(resource).watch({
      namespace,
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: object.metadata.resourceVersion ?? '',
      allowWatchBookmarks: true,
      signal,
    })
    for await (const event of events) {
      if (signal.aborted) return
      if (event.type !== 'BOOKMARK') this.#options.onChange(key, event.type === 'DELETED' ? undefined : event.object)
      this.#dropUnused()
    }
  }

  #dropUnused(): void {
    const now = this.#options.env.clock.awakeMs()
    for (const [key, watch] of this.#watches) {
      if (now - watch.usedMs <= unusedMs) continue
      this.#watches.delete(key)
      watch.abort.abort()
    }
  }
}
