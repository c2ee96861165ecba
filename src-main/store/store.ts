/**
 * The contract of every store (memory, embedded, etcd). One conformance suite, test/conformance/store, runs over all.
 *
 * - A store maps keys to API objects. A key is `/<group>/<plural>/<namespace>/<name>` (cluster-scoped kinds leave the
 *   namespace empty: `/<group>/<plural>//<name>`; the core group is `core`), so a prefix selects a kind, or a kind in a namespace. Keys sort by bytes.
 * - Every successful write gets the next revision: revisions are integers > 0 that never repeat nor decrease, also
 *   across restarts, and are shared by all keys. `object.metadata.resourceVersion` is the revision in decimal.
 * - A write resolves only when it is durable. Nobody sees a write (get, list, watch) before it is durable.
 * - Objects handed out are deeply frozen by convention and shared: nobody mutates them. `bytes` is the object's JSON in UTF-8,
 *   made once and shared by every reader and watcher.
 * - Writes of one store are serialised: `expect` is checked against the newest accepted write, pending ones included.
 * - History: revisions after `compactedRevision` can still be listed and watched; older ones throw StoreError('compacted').
 */

/** A plain JSON object with metadata. The store sets metadata.resourceVersion and touches nothing else. */
export interface StorableObject {
  readonly metadata: { readonly resourceVersion?: string }
}

export interface StoredEntry {
  readonly key: string
  /** Revision of the last write of this key. */
  readonly revision: number
  /** Revision at which this key was created. */
  readonly createRevision: number
  readonly object: StorableObject
  /** UTF-8 JSON of `object`, resourceVersion included; encoded once. */
  readonly bytes: Uint8Array
}

export type Expectation = { readonly absent: true } | { readonly revision: number } | { readonly any: true }

export interface ListOptions {
  /** Snapshot to read: undefined = newest. Must be > compactedRevision and ≤ the current revision. */
  readonly revision?: number
  /** Only keys strictly after this one (to continue a page). */
  readonly after?: string
  /** At most this many entries; undefined = all. */
  readonly limit?: number
  /** Only entries for which this is true count towards `limit`. Must be pure and fast. */
  readonly filter?: (entry: StoredEntry) => boolean
}

export interface ListResult {
  readonly entries: readonly StoredEntry[]
  /** The revision of the snapshot that was read. */
  readonly revision: number
  /** True when more entries follow after the last one. */
  readonly more: boolean
  /** Keys below the prefix that follow the last entry, whatever the filter; 0 when `more` is false. */
  readonly remaining: number
}

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: StoredEntry; readonly previous?: StoredEntry }
  /** `entry` is the last state, with revision (and resourceVersion) of the deletion. */
  | { readonly type: 'delete'; readonly entry: StoredEntry; readonly previous: StoredEntry }

export interface WatchOptions {
  /** Events with a revision > `after` are delivered. Must be ≥ compactedRevision. */
  readonly after: number
  /**
   * Called synchronously, in revision order, once per event below the prefix. Must not throw and must return fast;
   * a consumer that needs to buffer bounds its own buffer.
   */
  readonly onEvent: (event: StoreEvent) => void
  /**
   * Called once for each committed batch after its events, with the newest revision: everything ≤ revision was delivered.
   * For bookmarks and "wait until fresh".
   */
  readonly onProgress?: (revision: number) => void
  /** The watch ended on the store's side (compacted while behind, store closed). No further call comes. */
  readonly onEnd?: (reason: StoreError) => void
}

export interface Store {
  /** Newest durable revision; ≥ 1 once open. */
  readonly revision: number
  readonly compactedRevision: number
  get(key: string): Promise<StoredEntry | undefined>
  list(prefix: string, options?: ListOptions): Promise<ListResult>
  /** Number of keys below a prefix now. */
  count(prefix: string): Promise<number>
  /**
   * Writes `object` (its metadata.resourceVersion is set by the store). Throws StoreError 'exists' (expect.absent on an
   * existing key), 'conflict' (expect.revision differs, with `current`), 'missing' (expect.revision on a missing key),
   * 'readonly' (disk full or failed; nothing was written).
   */
  put(key: string, object: StorableObject, expect: Expectation): Promise<StoredEntry>
  /** Removes the key; resolves with the event's entry. Same errors; 'missing' when there is nothing to delete. */
  delete(key: string, expect: Expectation): Promise<StoredEntry>
  /** Begins a watch; returns the function that ends it. Throws StoreError 'compacted' or 'future'. */
  watch(prefix: string, options: WatchOptions): () => void
  /** Forgets history up to and including `revision`. */
  compact(revision: number): Promise<void>
  /** Figures for /metrics and warning C19. */
  stats(): StoreStats
  close(): Promise<void>
}

export interface StoreStats {
  readonly keys: number
  readonly bytesOnDisk: number
  /** Milliseconds; over the last 1,000 group commits. 0 for memory. */
  readonly syncP50Ms: number
  readonly syncP99Ms: number
}

export type StoreErrorCode = 'exists' | 'conflict' | 'missing' | 'compacted' | 'future' | 'readonly' | 'corrupt' | 'locked' | 'newer-format' | 'closed' | 'too-large'

export class StoreError extends Error {
  readonly code: StoreErrorCode
  /** With 'conflict': what stands there now. */
  readonly current: StoredEntry | undefined
  constructor(code: StoreErrorCode, message: string, current?: StoredEntry) {
    super(message)
    this.name = 'StoreError'
    this.code = code
    this.current = current
  }
}
