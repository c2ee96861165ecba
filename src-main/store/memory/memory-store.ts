/** The store of tests and of previews: nothing survives the process. Also the model that the other stores are held against. */
import type { Env } from '../../base/env.ts'
import { StoreError } from '../store.ts'
import type { Expectation, ListOptions, ListResult, StorableObject, Store, StoredEntry, StoreEvent, StoreStats, WatchOptions } from '../store.ts'
import { makeEntry } from '../entry.ts'
import { listIndex, watchIndex } from '../reads.ts'
import { WatchHub } from '../watch-hub.ts'
import { KeyIndex } from './key-index.ts'

/** Throws the StoreError of a failed expectation. */
export function checkExpectation(key: string, current: StoredEntry | undefined, expect: Expectation): void {
  if ('absent' in expect) {
    if (current) throw new StoreError('exists', `key exists: ${key}`, current)
  } else if ('revision' in expect) {
    if (!current) throw new StoreError('missing', `key not found: ${key}`)
    if (current.revision !== expect.revision) throw new StoreError('conflict', `key ${key} is at revision ${current.revision}, expected ${expect.revision}`, current)
  }
}

class MemoryStore implements Store {
  readonly #index = new KeyIndex(1, 1)
  readonly #hub = new WatchHub()
  #closed = false

  get revision(): number {
    return this.#index.revision
  }
  get compactedRevision(): number {
    return this.#index.compactedRevision
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    this.#checkOpen()
    return this.#index.get(key)
  }

  async list(prefix: string, options?: ListOptions): Promise<ListResult> {
    this.#checkOpen()
    return listIndex(this.#index, prefix, options)
  }

  async count(prefix: string): Promise<number> {
    this.#checkOpen()
    return this.#index.count(prefix)
  }

  async put(key: string, object: StorableObject, expect: Expectation): Promise<StoredEntry> {
    this.#checkOpen()
    const previous = this.#index.get(key)
    checkExpectation(key, previous, expect)
    const revision = this.#index.revision + 1
    const entry = makeEntry(key, revision, previous?.createRevision ?? revision, object)
    this.#commit(previous ? { type: 'put', entry, previous } : { type: 'put', entry })
    return entry
  }

  async delete(key: string, expect: Expectation): Promise<StoredEntry> {
    this.#checkOpen()
    const previous = this.#index.get(key)
    checkExpectation(key, previous, expect)
    if (!previous) throw new StoreError('missing', `key not found: ${key}`)
    const entry = makeEntry(key, this.#index.revision + 1, previous.createRevision, previous.object)
    this.#commit({ type: 'delete', entry, previous })
    return entry
  }

  watch(prefix: string, options: WatchOptions): () => void {
    this.#checkOpen()
    return watchIndex(this.#index, this.#hub, prefix, options)
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen()
    this.#index.compact(revision)
  }

  stats(): StoreStats {
    return { keys: this.#index.keys, bytesOnDisk: 0, syncP50Ms: 0, syncP99Ms: 0 }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#hub.end(new StoreError('closed', 'the store was closed'))
  }

  #commit(event: StoreEvent): void {
    this.#index.apply(event)
    this.#hub.publish([event], event.entry.revision)
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the store was closed')
  }
}

/** An empty store in memory. `env` is taken so that every store is made alike; this one needs neither time nor chance. */
export function memoryStore(_env: Env): Store {
  return new MemoryStore()
}
