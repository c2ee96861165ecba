/** Bytes of watch events, made once an event and shared by every watcher of the plain form. */
import { encodeJson, encodeUtf8 } from '../../api/json.ts'
import type { WatchEventType } from '../../api/meta.ts'
import type { StoredEntry } from '../../store/store.ts'

/** Events that may be encoded by several watchers at about the same time: a burst of one commit. */
const CACHED_FRAMES = 512

const heads = new Map<WatchEventType, Uint8Array>()
for (const type of ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const) heads.set(type, encodeUtf8(`{"type":"${type}","object":`))
const tail = encodeUtf8('}\n')

const cache = new Map<StoredEntry, Map<WatchEventType, Uint8Array>>()

/** One line of a watch, from the stored bytes of the object. */
export function entryFrame(type: WatchEventType, entry: StoredEntry): Uint8Array {
  let frames = cache.get(entry)
  if (!frames) {
    cache.set(entry, (frames = new Map()))
    if (cache.size > CACHED_FRAMES) {
      const oldest = cache.keys().next().value
      if (oldest) cache.delete(oldest)
    }
  }
  let frame = frames.get(type)
  if (!frame) frames.set(type, (frame = frameOf(type, entry.bytes)))
  return frame
}

/** One line of a watch from any value. */
export function valueFrame(type: WatchEventType, value: unknown): Uint8Array {
  return frameOf(type, encodeJson(value))
}

function frameOf(type: WatchEventType, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([heads.get(type) ?? new Uint8Array(), bytes, tail])
}
