/**
 * The state and history of one store: for each kind (the first two segments of a key) its keys in order, the versions
 * of every key since the last compaction, and its events. Nothing here waits, and nothing scans more than it returns.
 */
import { StoreError } from '../store.ts'
import type { StoredEntry, StoreEvent } from '../store.ts'

interface Version {
  readonly revision: number
  /** undefined: deleted at this revision. */ readonly entry: StoredEntry | undefined
}

interface KeyRecord {
  readonly key: string
  /** Oldest first; the last one is the present state. Never empty. */
  versions: Version[]
}

interface Bucket {
  readonly prefix: string
  readonly records: Map<string, KeyRecord>
  /** Records with a present state, by key. */
  live: KeyRecord[]
  /** Live records and those deleted since the last compaction, by key. */
  all: KeyRecord[]
  /** Since the last compaction, by revision. */
  events: StoreEvent[]
  lastRevision: number
}

export interface Range {
  /** Entries in order, consistent at `revision`. */
  readonly entries: StoredEntry[]
}

/** `/group/plural/` of a key or of a prefix that is at least that long; undefined for wider prefixes. */
export function bucketOf(key: string): string | undefined {
  const first = key.indexOf('/', 1)
  const second = first < 0 ? -1 : key.indexOf('/', first + 1)
  return second < 0 ? undefined : key.slice(0, second + 1)
}

/** Index of the first item whose key is ≥ `key`. */
function lowerBound(items: readonly KeyRecord[], key: string): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((items[middle] as KeyRecord).key < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the first item whose key is > `key`. */
function upperBound(items: readonly KeyRecord[], key: string): number {
  const at = lowerBound(items, key)
  return items[at]?.key === key ? at + 1 : at
}

/** The first string after every string that begins with `prefix`; keys never hold U+FFFF. */
function prefixEnd(prefix: string): string {
  return `${prefix}\uffff`
}

function firstAfter(events: readonly StoreEvent[], revision: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle] as StoreEvent).entry.revision <= revision) low = middle + 1
    else high = middle
  }
  return low
}

function insert(items: KeyRecord[], record: KeyRecord): void {
  const last = items[items.length - 1]
  if (!last || last.key < record.key) {
    items.push(record)
    return
  }
  const at = lowerBound(items, record.key)
  if (items[at] !== record) items.splice(at, 0, record)
}

function remove(items: KeyRecord[], record: KeyRecord): void {
  const at = lowerBound(items, record.key)
  if (items[at] === record) items.splice(at, 1)
}

function present(record: KeyRecord): StoredEntry | undefined {
  return record.versions[record.versions.length - 1]?.entry
}

function stateAt(record: KeyRecord, revision: number): StoredEntry | undefined {
  for (let i = record.versions.length - 1; i >= 0; i--) {
    const version = record.versions[i] as Version
    if (version.revision <= revision) return version.entry
  }
  return undefined
}

export class KeyIndex {
  readonly #buckets = new Map<string, Bucket>()
  revision: number
  compactedRevision: number
  #keys = 0

  constructor(revision: number, compactedRevision: number) {
    this.revision = revision
    this.compactedRevision = compactedRevision
  }

  get keys(): number {
    return this.#keys
  }

  get(key: string): StoredEntry | undefined {
    const record = this.#buckets.get(bucketOf(key) ?? '')?.records.get(key)
    return record && present(record)
  }

  /** Applies an event; its revision must be the highest so far. `history: false` for entries of a snapshot file. */
  apply(event: StoreEvent, history = true): void {
    const { entry } = event
    const bucket = this.#bucketFor(entry.key)
    let record = bucket.records.get(entry.key)
    const was = record && present(record)
    const version: Version = { revision: entry.revision, entry: event.type === 'put' ? entry : undefined }
    if (!record) {
      record = { key: entry.key, versions: [version] }
      bucket.records.set(entry.key, record)
      insert(bucket.all, record)
    } else record.versions.push(version)
    if (event.type === 'put' && !was) {
      insert(bucket.live, record)
      this.#keys++
    }
    if (event.type === 'delete' && was) {
      remove(bucket.live, record)
      this.#keys--
    }
    if (history) bucket.events.push(event)
    bucket.lastRevision = Math.max(bucket.lastRevision, entry.revision)
    this.revision = Math.max(this.revision, entry.revision)
  }

  count(prefix: string): number {
    let count = 0
    for (const bucket of this.#bucketsFor(prefix)) {
      count += lowerBound(bucket.live, prefixEnd(prefix)) - lowerBound(bucket.live, prefix)
    }
    return count
  }

  /** Entries below a prefix as of `revision`, after the key `after`, at most `limit`. */
  range(prefix: string, revision: number, after: string | undefined, limit = Number.POSITIVE_INFINITY): StoredEntry[] {
    this.checkReadable(revision)
    const entries: StoredEntry[] = []
    for (const bucket of this.#bucketsFor(prefix)) {
      const newest = bucket.lastRevision <= revision
      const records = newest ? bucket.live : bucket.all
      const end = lowerBound(records, prefixEnd(prefix))
      const start = after !== undefined && after >= prefix ? upperBound(records, after) : lowerBound(records, prefix)
      for (let i = start; i < end && entries.length < limit; i++) {
        const record = records[i] as KeyRecord
        const entry = newest ? present(record) : stateAt(record, revision)
        if (entry) entries.push(entry)
      }
      if (entries.length >= limit) break
    }
    return entries
  }

  /** Number of keys below a prefix as of `revision`, after the key `after`. */
  countAfter(prefix: string, revision: number, after: string): number {
    let count = 0
    for (const bucket of this.#bucketsFor(prefix)) {
      const newest = bucket.lastRevision <= revision
      const records = newest ? bucket.live : bucket.all
      const end = lowerBound(records, prefixEnd(prefix))
      const start = Math.max(upperBound(records, after), lowerBound(records, prefix))
      if (newest) count += Math.max(0, end - start)
      else for (let i = start; i < end; i++) if (stateAt(records[i] as KeyRecord, revision)) count++
    }
    return count
  }

  /** Events below a prefix with a revision > `after`, in order. */
  eventsAfter(prefix: string, after: number): StoreEvent[] {
    const found: StoreEvent[] = []
    const buckets = this.#bucketsFor(prefix)
    for (const bucket of buckets) {
      for (let i = firstAfter(bucket.events, after); i < bucket.events.length; i++) {
        const event = bucket.events[i] as StoreEvent
        if (event.entry.key.startsWith(prefix)) found.push(event)
      }
    }
    return buckets.length > 1 ? found.sort((a, b) => a.entry.revision - b.entry.revision) : found
  }

  /** Throws 'compacted' or 'future' for revisions that cannot be read. */
  checkReadable(revision: number): void {
    if (revision > this.revision) throw new StoreError('future', `revision ${revision} is in the future, current: ${this.revision}`)
    if (revision < this.compactedRevision) throw new StoreError('compacted', `revision ${revision} was compacted, oldest: ${this.compactedRevision}`)
  }

  /** Forgets versions that no revision ≥ `revision` shows. Visits only keys that changed since the last compaction. */
  compact(revision: number): void {
    if (revision <= this.compactedRevision) return
    this.compactedRevision = Math.min(revision, this.revision)
    for (const bucket of this.#buckets.values()) {
      const keep = firstAfter(bucket.events, this.compactedRevision)
      if (keep === 0) continue
      for (const key of new Set(bucket.events.slice(0, keep).map(event => event.entry.key))) this.#trim(bucket, key)
      bucket.events = bucket.events.slice(keep)
    }
  }

  #trim(bucket: Bucket, key: string): void {
    const record = bucket.records.get(key)
    if (!record) return
    let first = 0
    while (first + 1 < record.versions.length && (record.versions[first + 1] as Version).revision <= this.compactedRevision) first++
    if (first > 0) record.versions = record.versions.slice(first)
    const only = record.versions[0]
    if (record.versions.length === 1 && only && !only.entry && only.revision <= this.compactedRevision) {
      bucket.records.delete(key)
      remove(bucket.all, record)
    }
  }

  #bucketFor(key: string): Bucket {
    const prefix = bucketOf(key)
    if (prefix === undefined) throw new Error(`not a store key: ${key}`)
    let bucket = this.#buckets.get(prefix)
    if (!bucket) {
      bucket = { prefix, records: new Map(), live: [], all: [], events: [], lastRevision: 0 }
      this.#buckets.set(prefix, bucket)
    }
    return bucket
  }

  #bucketsFor(prefix: string): Bucket[] {
    const one = bucketOf(prefix)
    if (one !== undefined) {
      const bucket = this.#buckets.get(one)
      return bucket ? [bucket] : []
    }
    return [...this.#buckets.values()].filter(bucket => bucket.prefix.startsWith(prefix)).sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
  }
}
