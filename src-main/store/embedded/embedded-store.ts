/**
 * The default store: the whole state in memory, every write in a log on disk before anybody sees it. Why so, and its
 * figures: docs/adr/0001-store.md.
 *
 * Writes wait in a queue; one batch at a time becomes one frame and one sync, off the event loop. Whatever arrives
 * meanwhile is the next batch. A batch is durable as a whole or not at all. When the disk refuses, everything that waits
 * is refused with 'readonly' and reads go on; a full disk is tried again with the next write, a failed sync only after
 * the acknowledged state was written to new files.
 */
import type { Env } from '../../base/env.ts'
import { StoreError } from '../store.ts'
import type { Expectation, StorableObject, Store, StoredEntry, StoreEvent, StoreStats } from '../store.ts'
import { makeEntry } from '../entry.ts'
import { checkExpectation } from '../memory/memory-store.ts'
import type { KeyIndex } from '../memory/key-index.ts'
import { IndexedReads } from '../reads.ts'
import { noEncryption } from '../transform.ts'
import type { ValueTransform } from '../transform.ts'
import type { Disk } from './disk.ts'
import { LogFiles } from './log-files.ts'
import type { AppendFault } from './log-files.ts'
import { nodeDisk } from './node-disk.ts'
import { recover } from './recovery.ts'
import { SyncTimes } from './sync-times.ts'

/** A batch larger than this would keep its first writer waiting for the disk's throughput. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** The log may grow to this, or to twice the snapshot, before the state is written out: at most two thirds of the disk space are history. */
const MIN_LOG_BYTES = 16 * 1024 * 1024
/** Between attempts to get a failed disk back. */
const REPAIR_MS = 2_000

interface Waiting {
  readonly event: StoreEvent
  readonly resolve: (entry: StoredEntry) => void
  readonly reject: (fault: StoreError) => void
}

export interface EmbeddedStoreOptions {
  readonly dir: string
  readonly env: Env
  /** Seals values on disk. Default: none. */
  readonly transform?: ValueTransform
  /** For tests. Default: the directory `dir`. */
  readonly disk?: Disk
  /** For tests. Default 16 MiB. */
  readonly minLogBytes?: number
}

/** Opens or makes the store in `dir`. Rejects with StoreError 'locked', 'corrupt' or 'newer-format'. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const disk = options.disk ?? (await nodeDisk(options.dir))
  const unlock = await disk.lock()
  try {
    const transform = options.transform ?? noEncryption
    const found = await recover(disk, transform)
    if (found.droppedBytes > 0) options.env.log.log('warn', 'dropped an unfinished write from the end of the log', { bytes: found.droppedBytes })
    const files = await LogFiles.open(disk, transform, found, found.index.revision)
    const store = new EmbeddedStore(options.env, files, found.index, unlock, options.minLogBytes ?? MIN_LOG_BYTES)
    if (found.isStale) await store.writeAnew()
    return store
  } catch (fault) {
    await unlock()
    throw fault
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

class EmbeddedStore extends IndexedReads implements Store {
  readonly #env: Env
  readonly #files: LogFiles
  readonly #unlock: () => Promise<void>
  readonly #times = new SyncTimes()
  readonly #minLogBytes: number
  /** Newest accepted state of keys with a write that is not durable yet; undefined: deleted. */
  readonly #pending = new Map<string, StoredEntry | undefined>()
  #queue: Waiting[] = []
  #running: Promise<void> | undefined
  #assigned: number
  /** Why nothing can be written now. */
  #broken: string | undefined
  #lastRepairMs = Number.NEGATIVE_INFINITY
  #repairing: Promise<void> | undefined
  #snapshotting: Promise<void> | undefined
  /** The log's length at which the next snapshot is due. */
  #snapshotAt: number
  #closed: Promise<void> | undefined

  constructor(env: Env, files: LogFiles, index: KeyIndex, unlock: () => Promise<void>, minLogBytes: number) {
    super(index)
    this.#env = env
    this.#files = files
    this.#unlock = unlock
    this.#minLogBytes = minLogBytes
    this.#assigned = index.revision
    this.#snapshotAt = this.#nextSnapshotAt()
  }

  put(key: string, object: StorableObject, expect: Expectation): Promise<StoredEntry> {
    return this.#write(key, expect, previous => {
      const revision = this.#assigned + 1
      const entry = makeEntry(key, revision, previous?.createRevision ?? revision, object)
      // Only now: an object that cannot be written takes no revision.
      this.#assigned = revision
      return previous ? { type: 'put', entry, previous } : { type: 'put', entry }
    })
  }

  delete(key: string, expect: Expectation): Promise<StoredEntry> {
    return this.#write(key, expect, previous => {
      if (!previous) throw new StoreError('missing', `key not found: ${key}`)
      return { type: 'delete', entry: makeEntry(key, ++this.#assigned, previous.createRevision, previous.object), previous }
    })
  }

  stats(): StoreStats {
    const { logBytes, olderBytes, snapshotBytes } = this.#files
    return { keys: this.index.keys, bytesOnDisk: logBytes + olderBytes + snapshotBytes, syncP50Ms: this.#times.quantile(0.5), syncP99Ms: this.#times.quantile(0.99) }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    while (this.#running || this.#snapshotting || this.#repairing) await Promise.all([this.#running, this.#snapshotting, this.#repairing])
    this.hub.end(new StoreError('closed', 'the store was closed'))
    try {
      await this.#files.close(this.index.revision, this.#broken === undefined)
    } catch (error) {
      this.#env.log.log('warn', 'the log could not be closed cleanly', { error: textOf(error) })
    } finally {
      await this.#unlock()
    }
  }

  protected override checkOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the store was closed')
  }

  async #write(key: string, expect: Expectation, make: (previous: StoredEntry | undefined) => StoreEvent): Promise<StoredEntry> {
    for (;;) {
      this.checkOpen()
      if (this.#broken !== undefined) await this.#repair()
      const isPending = this.#pending.has(key)
      const previous = isPending ? this.#pending.get(key) : this.index.get(key)
      try {
        checkExpectation(key, previous, expect)
      } catch (fault) {
        // A refusal must not tell of a write that may still fail.
        if (!isPending) throw fault
        await this.#running
        continue
      }
      const event = make(previous)
      this.#pending.set(key, event.type === 'put' ? event.entry : undefined)
      return new Promise((resolve, reject) => {
        this.#queue.push({ event, resolve, reject })
        this.#running ??= this.#run()
      })
    }
  }

  async #run(): Promise<void> {
    // Writes of the same turn share the first batch too.
    await Promise.resolve()
    try {
      while (this.#queue.length > 0) {
        const batch = this.#takeBatch()
        if (!(await this.#commit(batch))) return
        if (this.#files.logBytes >= this.#snapshotAt && !this.#snapshotting) await this.#beginSnapshot()
      }
    } finally {
      this.#running = undefined
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || bytes < MAX_BATCH_BYTES)) bytes += this.#queue[count++]?.event.entry.bytes.length ?? 0
    const batch = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    return batch
  }

  /** True when the batch is durable and everybody has been told. */
  async #commit(batch: readonly Waiting[]): Promise<boolean> {
    const records = batch.map(({ event }) => ({
      type: event.type,
      revision: event.entry.revision,
      createRevision: event.entry.createRevision,
      key: event.entry.key,
      value: event.entry.bytes,
    }))
    try {
      this.#times.add(await this.#files.append(records, () => this.#env.clock.awakeMs()))
    } catch (fault) {
      await this.#fail(batch, fault as AppendFault)
      return false
    }
    for (const { event } of batch) {
      this.index.apply(event)
      if (this.#pending.get(event.entry.key) === (event.type === 'put' ? event.entry : undefined)) this.#pending.delete(event.entry.key)
    }
    this.hub.publish(
      batch.map(waiting => waiting.event),
      this.index.revision,
    )
    for (const { event, resolve } of batch) resolve(event.entry)
    return true
  }

  /** Refuses what waits: later writes may rest on earlier ones of the failed batch. */
  async #fail(batch: readonly Waiting[], fault: AppendFault): Promise<void> {
    const text = textOf(fault.error)
    this.#env.log.log('error', 'the store could not write', { at: fault.at, error: text })
    if (fault.at === 'sync') this.#broken = `sync failed: ${text}`
    else
      await this.#files.cutBack().catch((error: unknown) => {
        this.#broken = `write failed: ${text}; then: ${textOf(error)}`
      })
    const refused = [...batch, ...this.#queue]
    this.#queue = []
    this.#pending.clear()
    for (const { reject } of refused) reject(new StoreError('readonly', `the store is read-only: ${text}`))
  }

  /** Tries to get a failed disk back, now and then; throws while it is not. */
  async #repair(): Promise<void> {
    const now = this.#env.clock.awakeMs()
    if (!this.#repairing && now - this.#lastRepairMs >= REPAIR_MS) {
      this.#lastRepairMs = now
      this.#repairing = this.#rewrite().finally(() => {
        this.#repairing = undefined
      })
    }
    await this.#repairing
    if (this.#broken !== undefined) throw new StoreError('readonly', `the store is read-only: ${this.#broken}`)
  }

  async #rewrite(): Promise<void> {
    await this.#snapshotting
    try {
      // Revisions that failed are not given out again.
      await this.#files.rewrite(this.#assigned, this.index.range('/', this.index.revision, undefined))
      this.#broken = undefined
      this.#snapshotAt = this.#nextSnapshotAt()
      this.#env.log.log('info', 'the store can write again')
    } catch (error) {
      this.#env.log.log('warn', 'the store is still read-only', { error: textOf(error) })
    }
  }

  /** Writes the whole state and removes what was there before, so that nothing stays as it was sealed then. */
  async writeAnew(): Promise<void> {
    await this.#beginSnapshot()
    await this.#snapshotting
  }

  #nextSnapshotAt(): number {
    return Math.max(this.#minLogBytes, 2 * this.#files.snapshotBytes)
  }

  /** Between two batches: a new log begins, then the state up to here is written beside the running writes. */
  async #beginSnapshot(): Promise<void> {
    try {
      await this.#files.startLog(this.index.revision)
    } catch (error) {
      // The old log goes on; the next try comes when it has grown by half.
      this.#snapshotAt = this.#files.logBytes * 1.5
      this.#env.log.log('warn', 'could not start a new log', { error: textOf(error) })
      return
    }
    const sequence = this.#files.sequence
    const entries = this.index.range('/', this.index.revision, undefined)
    this.#snapshotting = this.#files
      .writeSnapshot(sequence, this.index.revision, entries)
      .catch((error: unknown) => {
        this.#env.log.log('warn', 'could not write a snapshot', { error: textOf(error) })
      })
      .finally(() => {
        this.#snapshotting = undefined
        this.#snapshotAt = this.#nextSnapshotAt()
      })
  }
}
