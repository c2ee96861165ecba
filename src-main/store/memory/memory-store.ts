/** The store of tests and of previews: nothing survives the process. Also the model that the other stores are held against. */
import type { Env } from '../../base/env.ts'
import { StoreError } from '../store.ts'
import type { Expectation, StorableObject, Store, StoredEntry, StoreEvent, StoreStats } from '../store.ts'
import { makeEntry } from '../entry.ts'
import { IndexedReads } from '../reads.ts'
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

class MemoryStore extends IndexedReads implements Store {
  #closed = false

  constructor() {
    super(new KeyIndex(1, 1))
  }

  async put(key: string, object: StorableObject, expect: Expectation): Promise<StoredEntry> {
    this.checkOpen()
    const previous = this.index.get(key)
    checkExpectation(key, previous, expect)
    const revision = this.index.revision + 1
    const entry = makeEntry(key, revision, previous?.createRevision ?? revision, object)
    this.#commit(previous ? { type: 'put', entry, previous } : { type: 'put', entry })
    return entry
  }

  async delete(key: string, expect: Expectation): Promise<StoredEntry> {
    this.checkOpen()
    const previous = this.index.get(key)
    checkExpectation(key, previous, expect)
    if (!previous) throw new StoreError('missing', `key not found: ${key}`)
    const entry = makeEntry(key, this.index.revision + 1, previous.createRevision, previous.object)
    this.#commit({ type: 'delete', entry, previous })
    return entry
  }

  stats(): StoreStats {
    return { keys: this.index.keys, bytesOnDisk: 0, syncP50Ms: 0, syncP99Ms: 0 }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.hub.end(new StoreError('closed', 'the store was closed'))
  }

  #commit(event: StoreEvent): void {
    this.index.apply(event)
    this.hub.publish([event], event.entry.revision)
  }

  protected override checkOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the store was closed')
  }
}

/** An empty store in memory. `env` is taken so that every store is made alike; this one needs neither time nor chance. */
export function memoryStore(_env: Env): Store {
  return new MemoryStore()
}
