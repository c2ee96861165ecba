/** Reading and watching over a KeyIndex: the part that every store with its state in memory shares. */
import { StoreError } from './store.ts'
import type { ListOptions, ListResult, StoredEntry, WatchOptions } from './store.ts'
import type { KeyIndex } from './memory/key-index.ts'
import { WatchHub } from './watch-hub.ts'

/** The reading half of a store whose state is in memory; a store adds how it writes and what `checkOpen` refuses. */
export abstract class IndexedReads {
  protected readonly index: KeyIndex
  protected readonly hub = new WatchHub()

  constructor(index: KeyIndex) {
    this.index = index
  }

  /** Throws StoreError 'closed'. */
  protected abstract checkOpen(): void

  get revision(): number {
    return this.index.revision
  }
  get compactedRevision(): number {
    return this.index.compactedRevision
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    this.checkOpen()
    return this.index.get(key)
  }

  async list(prefix: string, options?: ListOptions): Promise<ListResult> {
    this.checkOpen()
    return listIndex(this.index, prefix, options)
  }

  async count(prefix: string): Promise<number> {
    this.checkOpen()
    return this.index.count(prefix)
  }

  watch(prefix: string, options: WatchOptions): () => void {
    this.checkOpen()
    return watchIndex(this.index, this.hub, prefix, options)
  }

  async compact(revision: number): Promise<void> {
    this.checkOpen()
    this.index.compact(revision)
  }
}

/** Entries that a filter looks at before other work gets its turn: about a millisecond of selector matching. */
const FILTER_CHUNK = 2_000

/** Lists at one revision; a long filter lets other work run in between, on the entries as they were at the start. */
async function listIndex(index: KeyIndex, prefix: string, options: ListOptions = {}): Promise<ListResult> {
  const revision = options.revision ?? index.revision
  const { limit, filter, after } = options
  if (!filter) {
    const found = index.range(prefix, revision, after, limit === undefined ? undefined : limit + 1)
    const more = limit !== undefined && found.length > limit
    const entries = more ? found.slice(0, limit) : found
    const last = entries[entries.length - 1]
    return { entries, revision, more, remaining: more && last ? index.countAfter(prefix, revision, last.key) : 0 }
  }
  const candidates = index.range(prefix, revision, after)
  const entries: StoredEntry[] = []
  for (let i = 0; i < candidates.length; i++) {
    const entry = candidates[i] as StoredEntry
    if (i > 0 && i % FILTER_CHUNK === 0) await new Promise<void>(resolve => setImmediate(resolve))
    if (!filter(entry)) continue
    if (limit !== undefined && entries.length === limit) {
      const last = entries[entries.length - 1] as StoredEntry
      return { entries, revision, more: true, remaining: candidates.length - 1 - candidates.lastIndexOf(last) }
    }
    entries.push(entry)
  }
  return { entries, revision, more: false, remaining: 0 }
}

/** Delivers what happened since `after`, then subscribes; nothing can come between. */
function watchIndex(index: KeyIndex, hub: WatchHub, prefix: string, options: WatchOptions): () => void {
  if (options.after < index.compactedRevision) {
    throw new StoreError('compacted', `too old resource version: ${options.after} (${index.compactedRevision})`)
  }
  if (options.after > index.revision) throw new StoreError('future', `Too large resource version: ${options.after}, current: ${index.revision}`)
  const missed = options.after < index.revision ? index.eventsAfter(prefix, options.after) : []
  const stop = hub.add(prefix, options)
  for (const event of missed) options.onEvent(event)
  options.onProgress?.(index.revision)
  return stop
}
