/** Lists and watch events in protobuf. The message of a stored object is made once and shared by lists and watchers. */
import type { AnyResource } from '../../api/resource.ts'
import { groupVersion } from '../../api/meta.ts'
import type { WatchEventType } from '../../api/meta.ts'
import type { StoredEntry } from '../../store/store.ts'
import { encodeMessage, encodeProtobuf, itemHead, listHead, watchFrame } from '../protobuf/protobuf.ts'
import { objectOf } from '../registry/storage.ts'
import { nextTurn } from './list-bytes.ts'

/** Bytes of objects that are encoded before other requests get their turn: some five milliseconds. */
const TURN_BYTES = 128 * 1024
/** Small parts are joined to chunks of this size, because each chunk is a write to the connection. */
const CHUNK_BYTES = 64 * 1024

/** Messages of entries that were listed, as long as the store keeps the entry: as the JSON of an entry is. */
const messages = new WeakMap<StoredEntry, Uint8Array>()

function messageOf(r: AnyResource, apiVersion: string, entry: StoredEntry): Uint8Array {
  // An entry that several versions share has a message in each.
  if (r.conversion) return encodeMessage(apiVersion, r.kind, objectOf(r, entry))
  let message = messages.get(entry)
  if (!message) messages.set(entry, (message = encodeMessage(apiVersion, r.kind, objectOf(r, entry))))
  return message
}

/** Chunks of a list of a built-in kind. `loadTables` must have been awaited. */
export async function listProtobuf(r: AnyResource, metadata: object, entries: readonly StoredEntry[]): Promise<Uint8Array[]> {
  const apiVersion = groupVersion(r.group, r.version)
  const chunks: Uint8Array[] = []
  let waiting: Uint8Array[] = []
  let waitingSize = 0
  let size = 0
  let since = 0
  for (const entry of entries) {
    const message = messageOf(r, apiVersion, entry)
    const head = itemHead(message.length)
    waiting.push(head, message)
    waitingSize += head.length + message.length
    since += entry.bytes.length
    if (waitingSize >= CHUNK_BYTES) {
      chunks.push(Buffer.concat(waiting, waitingSize))
      size += waitingSize
      waiting = []
      waitingSize = 0
    }
    if (since < TURN_BYTES) continue
    since = 0
    await nextTurn()
  }
  const rest = Buffer.concat(waiting, waitingSize)
  return [listHead(apiVersion, r.listKind ?? `${r.kind}List`, metadata, size + waitingSize), ...chunks, ...(rest.length > 0 ? [rest] : [])]
}

/** Events that may be encoded by several watchers at about the same time: a burst of one commit. */
const CACHED_FRAMES = 512
const frames = new Map<StoredEntry, Map<string, Uint8Array>>()

/** A watch event of a stored object, made once for all watchers. */
export function protobufEntryFrame(r: AnyResource, type: WatchEventType, entry: StoredEntry): Uint8Array {
  let known = frames.get(entry)
  if (!known) {
    frames.set(entry, (known = new Map()))
    const oldest = frames.size > CACHED_FRAMES ? frames.keys().next().value : undefined
    if (oldest) frames.delete(oldest)
  }
  const key = `${type} ${r.group}/${r.version}`
  let frame = known.get(key)
  if (!frame) known.set(key, (frame = protobufFrame(type, objectOf(r, entry))))
  return frame
}

/** A watch event of any object that has a protobuf form. */
export function protobufFrame(type: WatchEventType, object: unknown): Uint8Array {
  return watchFrame(type, encodeProtobuf(object) ?? new Uint8Array())
}
