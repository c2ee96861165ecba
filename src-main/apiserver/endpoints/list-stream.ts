/**
 * A long list on its way to a connection: one buffer is filled from the stored bytes, written, and filled again. Making
 * the whole answer first costs its size in memory, which is a large part of what such a list costs at all.
 */
import { encodeUtf8 } from '../../api/json.ts'
import { groupVersion } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { StoredEntry } from '../../store/store.ts'
import { isCustom } from '../registry/strategy-facts.ts'
import { nextTurn } from './list-bytes.ts'

const BUFFER_BYTES = 256 * 1024
/** Bytes after which other requests get their turn: a few milliseconds of copying and encrypting. */
const TURN_BYTES = 2 * 1024 * 1024
/** Entries that are measured in one turn. */
const TURN_ENTRIES = 10_000
/** Shorter ones are made at once. */
const LEAST_BYTES = 512 * 1024

const openBrace = 0x7b
const comma = 0x2c

export interface ListStream {
  readonly length: number
  /** Each chunk is good until the next one is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** What stands before the first field that an item of a list has: stored objects begin with apiVersion and kind (registry/storage.ts). */
function prefixOf(r: AnyResource): Buffer {
  return isCustom(r) ? Buffer.alloc(0) : Buffer.from(`{"apiVersion":${JSON.stringify(groupVersion(r.group, r.version))},"kind":${JSON.stringify(r.kind)},`)
}

/** Undefined where the list is short, or where some item is not stored as it is shown. */
export async function listStream(r: AnyResource, metadata: object, entries: readonly StoredEntry[]): Promise<ListStream | undefined> {
  if (r.conversion) return undefined
  const prefix = prefixOf(r)
  const head = encodeUtf8(`${JSON.stringify({ kind: r.listKind ?? `${r.kind}List`, apiVersion: groupVersion(r.group, r.version), metadata }).slice(0, -1)},"items":[`)
  // An item gives up the prefix and gets its brace back; between two stands a comma; two brackets end it all.
  const cut = prefix.length === 0 ? 0 : prefix.length - 1
  let length = head.length + Math.max(0, entries.length - 1) + 2
  for (let i = 0; i < entries.length; i++) {
    const { bytes } = entries[i] as StoredEntry
    if (prefix.length > 0 && (bytes.length <= prefix.length || prefix.compare(bytes, 0, prefix.length) !== 0)) return undefined
    length += bytes.length - cut
    if (i % TURN_ENTRIES === TURN_ENTRIES - 1) await nextTurn()
  }
  return length < LEAST_BYTES ? undefined : { length, chunks: chunksOf(head, prefix.length, entries) }
}

async function* chunksOf(head: Uint8Array, prefixLength: number, entries: readonly StoredEntry[]): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  buffer.set(head, 0)
  let used = head.length
  let since = 0
  for (let i = 0; i < entries.length; i++) {
    const { bytes } = entries[i] as StoredEntry
    // With a comma, a brace, and the two brackets of the end.
    if (used + bytes.length + 4 > BUFFER_BYTES) {
      yield buffer.subarray(0, used)
      since += used
      used = 0
      if (since >= TURN_BYTES) {
        since = 0
        await nextTurn()
      }
    }
    if (i > 0) buffer[used++] = comma
    if (prefixLength > 0) buffer[used++] = openBrace
    const item = prefixLength > 0 ? bytes.subarray(prefixLength) : bytes
    if (used + item.length + 4 <= BUFFER_BYTES) {
      buffer.set(item, used)
      used += item.length
    } else {
      // Larger than the buffer: it goes as it is.
      yield buffer.subarray(0, used)
      yield item
      used = 0
    }
  }
  buffer.write(']}', used, 'latin1')
  yield buffer.subarray(0, used + 2)
}
