/**
 * WATCH: every change after a revision in order, selectors turned into ADDED and DELETED as objects come into them and
 * leave them, initial events, bookmarks, time limits. A watcher that reads too slowly is ended with 410, so that it
 * lists again; nobody else waits for it.
 */
import type { KubernetesObject, WatchEvent, WatchEventType } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import { badRequest, expired, internalError, StatusError } from '../../api/status-error.ts'
import { StoreError } from '../../store/store.ts'
import type { StoredEntry, StoreEvent } from '../../store/store.ts'
import { objectOf, prefixFor, prepareEntries, sharesBytes, storeFault } from '../registry/storage.ts'
import type { Call } from './call.ts'
import { EventQueue } from './event-queue.ts'
import { collectionForms, negotiate } from './negotiation.ts'
import type { Form } from './negotiation.ts'
import { listQuery } from './query-options.ts'
import type { ListQuery } from './query-options.ts'
import { protobufMediaType, protobufWatchType } from '../protobuf/protobuf.ts'
import { protobufEntryFrame, protobufFrame } from './protobuf-forms.ts'
import { formsOf, headersFor, partialOf, tableOf } from './respond.ts'
import type { WatchFigures } from './request-metrics.ts'
import { selectionOf } from './selection.ts'
import type { Selection } from './selection.ts'
import { entryFrame, valueFrame } from './watch-frames.ts'

/** Events that may wait for one watcher beyond its initial ones: a burst of several seconds at full write rate. */
const MAX_WAITING_EVENTS = 10_000
/** As upstream: bookmarks about once a minute, and two seconds before the end. */
const BOOKMARK_MS = 60_000
const LAST_BOOKMARK_MS = 2_000
/** As upstream: a watch without a limit ends after 30 to 60 minutes. */
const LEAST_TIMEOUT_S = 1_800

type Item = WatchEvent<unknown> | Uint8Array

/** What waits for the watcher to read it. */
type Waiting =
  { readonly type: WatchEventType; readonly entry: StoredEntry } | { readonly type: WatchEventType; readonly object: KubernetesObject } | { readonly fault: StatusError }

/** What is sent for one object: shared bytes where possible. */
interface Encoder {
  entry(type: WatchEventType, entry: StoredEntry): Item
  object(type: WatchEventType, object: KubernetesObject): Item
  error(fault: StatusError): Item
}

export async function watchEndpoint(call: Call): Promise<ApiResponse> {
  const form = negotiate(call.request.headers['accept'], formsOf(call.resource, collectionForms))
  const query = listQuery(call.info.query, true)
  const selection = selectionOf(call.resource, query.labelSelector, namedSelector(call, query))
  const { resourceVersion } = query
  if (!/^[0-9]*$/.test(resourceVersion)) {
    throw new StatusError(
      500,
      '',
      `resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}: strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`,
    )
  }
  const watcher = new Watcher(call, query, selection, encoderFor(call, form))
  await watcher.start()
  const headers = headersFor(form.mediaType === protobufMediaType ? protobufWatchType : 'application/json', call.warnings)
  return call.request.answer === 'objects'
    ? { status: 200, headers, body: { kind: 'events', events: watcher.queue as AsyncIterable<WatchEvent<unknown>> } }
    : { status: 200, headers, body: { kind: 'stream', chunks: watcher.queue as AsyncIterable<Uint8Array> } }
}

/** The old form /watch/<resource>/<name> names one object in the path. */
function namedSelector(call: Call, query: ListQuery): string {
  const { name } = call.info
  if (name === '') return query.fieldSelector
  if (/[,=\\]/.test(name)) throw badRequest('invalid name')
  // Always there, and first, where no escape can reach it: the name is what the caller was allowed to read.
  return query.fieldSelector === '' ? `metadata.name=${name}` : `metadata.name=${name},${query.fieldSelector}`
}

function encoderFor(call: Call, form: Form): Encoder {
  const { resource: r } = call
  const asObjects = call.request.answer === 'objects'
  const inProtobuf = form.mediaType === protobufMediaType && !asObjects
  const plain = (type: WatchEventType, object: unknown): Item => (asObjects ? { type, object } : inProtobuf ? protobufFrame(type, object) : valueFrame(type, object))
  const error = (fault: StatusError): Item => plain('ERROR', fault.status)
  if (form.as === 'object' && inProtobuf) return { entry: (type, entry) => protobufEntryFrame(r, type, entry), object: plain, error }
  if (form.as === 'object') {
    return { entry: (type, entry) => (!asObjects && sharesBytes(r, entry) ? entryFrame(type, entry) : plain(type, objectOf(r, entry))), object: plain, error }
  }
  let isFirst = true
  const shape = (type: WatchEventType, object: KubernetesObject): Item => {
    if (form.as !== 'Table') return plain(type, partialOf(object, form.metaVersion))
    const withColumns = isFirst
    isFirst = false
    return plain(type, tableOf(call, [object], form, undefined, withColumns))
  }
  return { entry: (type, entry) => shape(type, objectOf(r, entry)), object: shape, error }
}

class Watcher {
  readonly queue: EventQueue<Waiting, Item>
  readonly #call: Call
  readonly #query: ListQuery
  readonly #selection: Selection
  readonly #encoder: Encoder
  readonly #stops: (() => void)[] = []
  readonly #figures: WatchFigures
  /** Everything up to here was put into the queue. */
  #seen = 0
  #limit = MAX_WAITING_EVENTS
  /** What a webhook still converts. */
  #turns: Promise<void> = Promise.resolve()

  constructor(call: Call, query: ListQuery, selection: Selection, encoder: Encoder) {
    this.#call = call
    this.#query = query
    this.#selection = selection
    this.#encoder = encoder
    this.#figures = call.metrics.watches(call.resource)
    this.#figures.open++
    this.queue = new EventQueue<Waiting, Item>(
      waiting => this.#encode(waiting),
      () => {
        this.#figures.open--
        for (const stop of this.#stops.splice(0)) stop()
      },
    )
  }

  #encode(waiting: Waiting): Item {
    if ('fault' in waiting) return this.#encoder.error(waiting.fault)
    const item = 'entry' in waiting ? this.#encoder.entry(waiting.type, waiting.entry) : this.#encoder.object(waiting.type, waiting.object)
    this.#figures.events++
    if (item instanceof Uint8Array) this.#figures.bytes += item.length
    return item
  }

  /** Rejects with a StatusError where the answer is no watch at all. */
  async start(): Promise<void> {
    const { resourceVersion, sendInitialEvents } = this.#query
    const fromNow = resourceVersion === '' || resourceVersion === '0'
    const initial = sendInitialEvents ?? fromNow
    if (initial) await this.#sendInitial(sendInitialEvents === true)
    else this.#seen = fromNow ? this.#call.registry.store.revision : Math.min(Number(resourceVersion), this.#call.registry.store.revision)
    this.#subscribe(fromNow || initial ? 0 : Number(resourceVersion))
    if (this.queue.isClosed) return
    this.#limitTime()
    this.#endWithKind()
    const onAbort = (): void => {
      void this.queue.return()
    }
    const { signal } = this.#call.request
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#add(() => {
      signal?.removeEventListener('abort', onAbort)
    })
  }

  /** What happened before is sent first. */
  #endWithKind(): void {
    const { retired } = this.#call.resource
    const end = (): void => {
      void this.#turns.then(() => {
        this.queue.close()
      })
    }
    if (retired?.aborted) end()
    retired?.addEventListener('abort', end, { once: true })
    this.#add(() => {
      retired?.removeEventListener('abort', end)
    })
  }

  #add(stop: () => void): void {
    if (this.queue.isClosed) stop()
    else this.#stops.push(stop)
  }

  async #sendInitial(withBookmark: boolean): Promise<void> {
    const { resource: r } = this.#call
    const filter = this.#selection.isEverything ? undefined : (entry: StoredEntry) => this.#selection.matches(objectOf(r, entry))
    const listed = await this.#listed(filter).catch((fault: unknown) => {
      throw storeFault(fault, r, '')
    })
    const { entries, revision } = listed
    for (const entry of entries) this.queue.push({ type: 'ADDED', entry })
    this.#limit += entries.length
    this.#seen = revision
    if (withBookmark && this.#query.allowWatchBookmarks) this.#bookmark({ 'k8s.io/initial-events-end': 'true' })
  }

  /** Where a webhook converts, everything is converted before the selection looks at it. */
  async #listed(filter: ((entry: StoredEntry) => boolean) | undefined): Promise<{ entries: readonly StoredEntry[]; revision: number }> {
    const { registry, resource: r, info } = this.#call
    const prefix = prefixFor(r, info.namespace)
    if (!r.conversion?.prepare) return registry.store.list(prefix, filter ? { filter } : {})
    const { entries, revision } = await registry.store.list(prefix)
    await prepareEntries(r, entries)
    return { entries: filter ? entries.filter(filter) : entries, revision }
  }

  #subscribe(from: number): void {
    const { registry, resource: r, info } = this.#call
    const { store } = registry
    let replaying = true
    try {
      const stop = store.watch(prefixFor(r, info.namespace), {
        after: this.#seen,
        onEvent: event => {
          if (event.entry.revision <= from) return
          if (r.conversion?.prepare) this.#inTurn(async () => this.#onPrepared(event))
          else this.#onEvent(event, replaying)
        },
        onProgress: revision => {
          const progress = (): void => {
            this.#seen = Math.max(this.#seen, revision)
          }
          if (r.conversion?.prepare) this.#inTurn(async () => progress())
          else progress()
        },
        onEnd: reason => {
          this.queue.abandon({ fault: reason.code === 'compacted' ? expired(reason.message) : internalError(reason.message) })
        },
      })
      replaying = false
      this.#add(stop)
    } catch (fault) {
      if (!(fault instanceof StoreError) || fault.code !== 'compacted') throw storeFault(fault, r, '')
      this.queue.abandon({ fault: expired(`too old resource version: ${this.#seen} (${store.compactedRevision})`) })
    }
  }

  /** Events that a webhook converts stay in order. A webhook that fails ends the watch, so that the client lists again. */
  #inTurn(step: () => Promise<void>): void {
    this.#turns = this.#turns.then(step).catch((fault: unknown) => {
      this.queue.abandon({ fault: fault instanceof StatusError ? fault : internalError(fault instanceof Error ? fault.message : String(fault)) })
    })
  }

  async #onPrepared(event: StoreEvent): Promise<void> {
    if (this.queue.isClosed) return
    await prepareEntries(this.#call.resource, event.previous ? [event.entry, event.previous] : [event.entry])
    this.#onEvent(event, false)
  }

  #onEvent(event: StoreEvent, replaying: boolean): void {
    if (this.queue.isClosed) return
    // What is replayed is held by the store's history anyway; only what waits later costs memory of its own.
    if (replaying) this.#limit++
    if (this.queue.size >= this.#limit) {
      this.queue.abandon({ fault: expired(`too old resource version: ${this.#seen} (${event.entry.revision}): the watcher was too slow`) })
      return
    }
    const item = this.#itemOf(event)
    if (item) this.queue.push(item)
  }

  #itemOf(event: StoreEvent): Waiting | undefined {
    const r = this.#call.resource
    const { entry, previous } = event
    const was = previous !== undefined && this.#selection.matches(objectOf(r, previous))
    if (event.type === 'delete') return was ? { type: 'DELETED', entry } : undefined
    const is = this.#selection.matches(objectOf(r, entry))
    if (is) return { type: was ? 'MODIFIED' : 'ADDED', entry }
    if (!was || !previous) return undefined
    // It left the selector: its last matching state, at the revision at which it left.
    const last = objectOf(r, previous)
    return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion: String(entry.revision) } } }
  }

  #bookmark(annotations?: Record<string, string>): void {
    const r = this.#call.resource
    const object: KubernetesObject = {
      kind: r.kind,
      apiVersion: groupVersion(r.group, r.version),
      metadata: { resourceVersion: String(this.#seen), ...(annotations ? { annotations } : {}) },
    }
    this.queue.push({ type: 'BOOKMARK', object })
  }

  #limitTime(): void {
    const { clock, random } = this.#call.env
    const asked = this.#query.timeoutSeconds
    const timeoutMs = (asked !== undefined && asked > 0 ? asked : LEAST_TIMEOUT_S * (1 + random.next())) * 1_000
    this.#add(
      clock.after(timeoutMs, () => {
        this.queue.close()
      }),
    )
    if (!this.#query.allowWatchBookmarks) return
    const schedule = (): void => {
      this.#add(
        clock.after(BOOKMARK_MS, () => {
          if (this.queue.isClosed) return
          this.#bookmark()
          schedule()
        }),
      )
    }
    schedule()
    if (timeoutMs > LAST_BOOKMARK_MS)
      this.#add(
        clock.after(timeoutMs - LAST_BOOKMARK_MS, () => {
          this.#bookmark()
        }),
      )
  }
}
