/**
 * The truth about the store, kept outside of it: what was tried, acknowledged and published, over all lives of the control
 * plane. Checks I1 (acknowledged writes survive, none half-applied), I2 (revisions) and I4 (a pod is bound once).
 */
import { createHash } from 'node:crypto'
import { encodeStored } from '../../src-main/store/json.ts'
import type { Expectation, StorableObject, Store, StoredEntry, StoreEvent } from '../../src-main/store/store.ts'
import { StoreError } from '../../src-main/store/store.ts'
import type { Journal } from './journal.ts'
import type { SimProcess } from './process.ts'

export interface TruthEvent {
  readonly revision: number
  readonly type: 'put' | 'delete'
  readonly key: string
  readonly object: LooseObject
  /** The state before. */
  readonly previous: LooseObject | undefined
}

/** As much of an object as checkers look at. */
export interface LooseObject {
  readonly metadata: {
    readonly name?: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  readonly status?: unknown
}

interface Attempt {
  readonly key: string
  /** Without resourceVersion; undefined: a deletion. */ readonly text: string | undefined
}

const textOf = (object: StorableObject): string => {
  const { resourceVersion: _revision, ...metadata } = object.metadata as Record<string, unknown>
  return Buffer.from(encodeStored({ ...object, metadata } as StorableObject)).toString()
}

export class Ledger {
  readonly #journal: Journal
  /** Newest published state of every key. */
  readonly state = new Map<string, StoredEntry>()
  /** Since the last restart that lost history. */
  events: TruthEvent[] = []
  /** Events up to here are not in `events`. */
  firstRevision = 0
  revision = 0
  /** Highest revision of an acknowledged write. */
  acknowledged = 0
  acknowledgements = 0
  /** Not acknowledged: under way, or refused in a way that says nothing. */
  #attempts = new Set<Attempt>()
  readonly #listeners: ((event: TruthEvent) => void)[] = []

  constructor(journal: Journal) {
    this.#journal = journal
  }

  onEvent(listener: (event: TruthEvent) => void): void {
    this.#listeners.push(listener)
  }

  /** `store` as a process uses it; nothing gets in or out once the process is dead. */
  observe(store: Store, process: SimProcess): Store {
    this.revision = store.revision
    store.watch('/', {
      after: this.revision,
      onEvent: event => {
        if (process.alive) this.#published(event)
      },
    })
    const never = <T>(): Promise<T> => new Promise<T>(() => {})
    const gate = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!process.alive) return never()
      const settled = await work().then(
        value => ({ value }),
        (fault: unknown) => ({ fault }),
      )
      if (!process.alive) return never()
      if ('fault' in settled) throw settled.fault
      return settled.value
    }
    const write = (key: string, object: StorableObject | undefined, work: () => Promise<StoredEntry>): Promise<StoredEntry> => gate(() => this.#attempt(key, object, work, process))
    return {
      get revision() {
        return store.revision
      },
      get compactedRevision() {
        return store.compactedRevision
      },
      get: key => gate(() => store.get(key)),
      list: (prefix, options) => gate(() => store.list(prefix, options)),
      count: prefix => gate(() => store.count(prefix)),
      put: (key, object, expect: Expectation) => write(key, object, () => store.put(key, object, expect)),
      delete: (key, expect: Expectation) => write(key, undefined, () => store.delete(key, expect)),
      watch: (prefix, options) =>
        store.watch(prefix, {
          after: options.after,
          onEvent: event => {
            if (process.alive) options.onEvent(event)
          },
          onProgress: revision => {
            if (process.alive) options.onProgress?.(revision)
          },
          onEnd: reason => {
            if (process.alive) options.onEnd?.(reason)
          },
        }),
      compact: revision => gate(() => store.compact(revision)),
      stats: () => store.stats(),
      close: () => store.close(),
    }
  }

  async #attempt(key: string, object: StorableObject | undefined, work: () => Promise<StoredEntry>, process: SimProcess): Promise<StoredEntry> {
    const attempt: Attempt = { key, text: object && textOf(object) }
    this.#attempts.add(attempt)
    try {
      const entry = await work()
      if (!process.alive) return entry
      this.#attempts.delete(attempt)
      this.acknowledgements++
      this.acknowledged = Math.max(this.acknowledged, entry.revision)
      // Durable means published: who reads after the answer must see at least this.
      if (entry.revision > this.revision) this.#journal.violate('I1', `write of ${key} was acknowledged at ${entry.revision}, the store is at ${this.revision}`)
      return entry
    } catch (fault) {
      // A failed disk says nothing about what is on it; every other refusal means that nothing was written.
      if (!(fault instanceof StoreError && fault.code === 'readonly')) this.#attempts.delete(attempt)
      throw fault
    }
  }

  #published(event: StoreEvent): void {
    const { entry } = event
    if (entry.revision <= this.revision) this.#journal.violate('I2', `revision ${entry.revision} of ${entry.key} came after ${this.revision}`)
    const previous = this.state.get(entry.key)
    if (event.type === 'delete' && !previous) this.#journal.violate('I3', `${entry.key} was deleted without having been there`)
    if (event.type === 'put' && previous && previous.createRevision !== entry.createRevision) this.#journal.violate('I2', `${entry.key} changed its createRevision`)
    this.revision = entry.revision
    const object = entry.object as LooseObject
    const before = previous?.object as LooseObject | undefined
    if (event.type === 'put') this.state.set(entry.key, entry)
    else this.state.delete(entry.key)
    if (entry.key.startsWith('/core/pods/')) this.#checkBinding(entry.key, object, before)
    const hash = createHash('sha256').update(entry.bytes).digest('hex').slice(0, 12)
    this.#journal.add(`${event.type} ${entry.revision} ${entry.key} ${hash}`)
    const truth: TruthEvent = { revision: entry.revision, type: event.type, key: entry.key, object, previous: before }
    this.events.push(truth)
    for (const listener of this.#listeners) listener(truth)
  }

  #checkBinding(key: string, next: LooseObject, previous: LooseObject | undefined): void {
    const was = (previous?.spec as { nodeName?: string } | undefined)?.nodeName
    const is = (next.spec as { nodeName?: string } | undefined)?.nodeName
    if (was && was !== is && previous?.metadata.uid === next.metadata.uid) this.#journal.violate('I4', `pod ${key} moved from ${was} to ${is ?? 'nowhere'}`)
  }

  /** Compares a store that was opened again with what is known, and takes over what it decided about writes that were under way. */
  async reopened(store: Store): Promise<void> {
    if (store.revision < this.revision || store.revision < this.acknowledged) {
      this.#journal.violate('I1', `the store came back at ${store.revision}, but ${Math.max(this.revision, this.acknowledged)} was acknowledged`)
      return
    }
    const hasHistory = store.compactedRevision <= this.revision
    if (hasHistory)
      store.watch('/', {
        after: this.revision,
        onEvent: event => {
          if (this.#wasTried(event)) this.#published(event)
        },
      })()
    else {
      this.events = []
      this.firstRevision = store.revision
    }
    const found = await this.#compare(store, hasHistory)
    this.state.clear()
    for (const [key, entry] of found) this.state.set(key, entry)
    this.revision = store.revision
    this.#attempts.clear()
  }

  /** Every key and byte of a store at rest. */
  async check(store: Store): Promise<void> {
    await this.#compare(store, true)
  }

  async #compare(store: Store, hasHistory: boolean): Promise<Map<string, StoredEntry>> {
    const { entries } = await store.list('/')
    const found = new Map(entries.map(entry => [entry.key, entry]))
    for (const [key, known] of this.state) {
      const entry = found.get(key)
      if (entry && Buffer.compare(entry.bytes, known.bytes) === 0) continue
      if (hasHistory || !this.#explained(key, entry))
        this.#journal.violate('I1', `${key} of revision ${known.revision} came back as ${entry ? `revision ${entry.revision}` : 'nothing'}`)
    }
    for (const [key, entry] of found) {
      if (!this.state.has(key) && (hasHistory || !this.#explained(key, entry))) this.#journal.violate('I1', `${key} at ${entry.revision} came out of nowhere`)
      if (Buffer.compare(encodeStored(entry.object), entry.bytes) !== 0) this.#journal.violate('I1', `the object of ${key} is not what its bytes say: somebody altered it`)
    }
    return found
  }

  #wasTried(event: StoreEvent): boolean {
    if (this.#explained(event.entry.key, event.type === 'put' ? event.entry : undefined)) return true
    this.#journal.violate('I1', `revision ${event.entry.revision} of ${event.entry.key} was never asked for`)
    return false
  }

  #explained(key: string, entry: StoredEntry | undefined): boolean {
    const text = entry && textOf(entry.object)
    for (const attempt of this.#attempts) if (attempt.key === key && attempt.text === text) return true
    return false
  }
}
