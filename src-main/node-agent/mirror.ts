/**
 * A local copy of one resource that outlives the API server: list, then watch, for ever, with the last known state on
 * disk. While the API is away (the desktop sleeps) the copy stays as it is, and after a reboot without the API it is read
 * from disk. Only a successful list removes what is gone. Objects are read-only.
 */
import { join } from 'node:path'
import type { KubernetesObject } from '../api/meta.ts'
import { keyOf } from '../api/meta.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { readJsonFile, writeFileAtomic } from './checkpoint.ts'

/** Changes come in bursts; a checkpoint that is a second old loses nothing that the next list does not bring back. */
const checkpointDelayMs = 1_000
const retry = { initialMs: 500, maxMs: 10_000, jitter: 0.5 }

export interface MirrorOptions<T extends KubernetesObject> {
  readonly env: Env
  readonly client: Client
  readonly resource: ResourceDefinition<T>
  readonly stateDir: string
  readonly fieldSelector?: string
  /** Called after any change, also the first load; `key` of what changed. */
  readonly onChange: (key: string, next: T | undefined, previous: T | undefined) => void
  /** Makes objects smaller before they are kept. */
  readonly trim?: (object: T) => T
}

export class Mirror<T extends KubernetesObject> {
  readonly #options: MirrorOptions<T>
  readonly #objects = new Map<string, T>()
  #resourceVersion = ''
  #listed = false
  #checkpointPlanned = false

  constructor(options: MirrorOptions<T>) {
    this.#options = options
  }

  /** True once the API has been asked in this run (not only the disk). */
  get listed(): boolean {
    return this.#listed
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }
  values(): IterableIterator<T> {
    return this.#objects.values()
  }

  async load(): Promise<void> {
    const items = await readJsonFile<T[]>(this.#path())
    for (const item of items ?? []) this.#set(item)
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { env, resource } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        if (this.#resourceVersion === '') await this.#list(signal)
        attempt = 0
        await this.#watch(signal)
      } catch (fault) {
        if (signal.aborted) return
        // Whatever it was, the next list repairs it; a watch that just ended keeps its place.
        this.#resourceVersion = ''
        env.log.log('debug', 'mirror interrupted', { resource: resource.plural, fault: String(fault) })
      }
      try {
        await env.clock.sleep(backoffMs(retry, attempt, env.random), signal)
      } catch {
        return
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, fieldSelector } = this.#options
    const list = await client.resource(resource).list({ signal, ...(fieldSelector === undefined ? {} : { fieldSelector }) })
    const present = new Set<string>()
    for (const item of list.items) {
      present.add(keyOf(item))
      this.#set(item)
    }
    for (const [key, object] of this.#objects) if (!present.has(key)) this.#remove(key, object)
    this.#resourceVersion = list.metadata.resourceVersion ?? ''
    this.#listed = true
    this.#checkpointSoon()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, fieldSelector } = this.#options
    const events = client
      .resource(resource)
      .watch({ signal, resourceVersion: this.#resourceVersion, allowWatchBookmarks: true, ...(fieldSelector === undefined ? {} : { fieldSelector }) })
    for await (const event of events) {
      const object = event.object
      if (event.type === 'BOOKMARK') {
        this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion
        continue
      }
      if (event.type === 'DELETED') this.#remove(keyOf(object), object)
      else this.#set(object)
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion
      this.#checkpointSoon()
    }
  }

  #set(object: T): void {
    const trimmed = this.#options.trim?.(object) ?? object
    // Who last wrote which field is half of many objects, and nothing on a node asks.
    const kept = trimmed.metadata.managedFields ? { ...trimmed, metadata: { ...trimmed.metadata, managedFields: undefined } } : trimmed
    const key = keyOf(kept)
    const previous = this.#objects.get(key)
    if (previous?.metadata.resourceVersion !== undefined && previous.metadata.resourceVersion === kept.metadata.resourceVersion) return
    this.#objects.set(key, kept)
    this.#options.onChange(key, kept, previous)
  }

  #remove(key: string, last: T): void {
    if (!this.#objects.delete(key)) return
    this.#options.onChange(key, undefined, last)
  }

  #checkpointSoon(): void {
    if (this.#checkpointPlanned) return
    this.#checkpointPlanned = true
    this.#options.env.clock.after(checkpointDelayMs, () => {
      this.#checkpointPlanned = false
      writeFileAtomic(this.#path(), JSON.stringify([...this.#objects.values()])).catch(fault => {
        this.#options.env.log.log('warn', 'cannot write checkpoint', { resource: this.#options.resource.plural, fault: String(fault) })
      })
    })
  }

  #path(): string {
    return join(this.#options.stateDir, 'mirrors', `${this.#options.resource.plural}.json`)
  }
}
