/** JSON of a list from the stored bytes of its items: nothing is encoded again. */
import { encodeJson, encodeUtf8, stringifyJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { StoredEntry } from '../../store/store.ts'
import { objectOf, sharesBytes } from '../registry/storage.ts'
import { isCustom } from '../registry/strategy-facts.ts'

/** Small items are gathered into chunks of this size, because each chunk is a write to the connection. */
const CHUNK_BYTES = 64 * 1024
/** Items from this size on are passed on as they are. */
const OWN_CHUNK_BYTES = 16 * 1024

const open = encodeUtf8('{')
const comma = encodeUtf8(',')
const close = encodeUtf8(']}')

class Gatherer {
  readonly chunks: Uint8Array[] = []
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  #used = 0

  add(bytes: Uint8Array): void {
    if (bytes.length >= OWN_CHUNK_BYTES) {
      this.flush()
      this.chunks.push(bytes)
      return
    }
    if (this.#used + bytes.length > CHUNK_BYTES) this.flush()
    this.#buffer.set(bytes, this.#used)
    this.#used += bytes.length
  }

  flush(): void {
    if (this.#used === 0) return
    this.chunks.push(this.#buffer.subarray(0, this.#used))
    this.#buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    this.#used = 0
  }
}

/** Items of built-in kinds carry neither apiVersion nor kind in a list. */
export function listItem(r: AnyResource, object: KubernetesObject): unknown {
  if (isCustom(r)) return object
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object
  return rest
}

/** Lets other requests have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}

/** Bytes after which other requests get their turn: a few milliseconds of copying or encoding. */
const TURN_BYTES = 4 * 1024 * 1024
const TURN_ENCODED_BYTES = 256 * 1024

/** Chunks of `head` with one more field, an array of values that are encoded one by one. */
export async function arrayBytes(head: object, field: string, items: readonly unknown[]): Promise<Uint8Array[]> {
  const out = new Gatherer()
  out.add(encodeUtf8(`${stringifyJson(head).slice(0, -1)},${JSON.stringify(field)}:[`))
  let since = 0
  for (const [index, item] of items.entries()) {
    if (index > 0) out.add(comma)
    const bytes = encodeJson(item)
    out.add(bytes)
    since += bytes.length
    if (since < TURN_ENCODED_BYTES) continue
    since = 0
    await nextTurn()
  }
  out.add(close)
  out.flush()
  return out.chunks
}

/** Chunks of `{kind, apiVersion, metadata, items}`. */
export async function listBytes(r: AnyResource, metadata: object, entries: readonly StoredEntry[]): Promise<Uint8Array[]> {
  let since = 0
  const out = new Gatherer()
  const head = JSON.stringify({ kind: r.listKind ?? `${r.kind}List`, apiVersion: groupVersion(r.group, r.version), metadata })
  out.add(encodeUtf8(`${head.slice(0, -1)},"items":[`))
  // Stored objects begin with these two fields (registry/storage.ts), so cutting them off is a matter of an offset.
  const prefix =
    isCustom(r) || r.conversion ? undefined : Buffer.from(encodeUtf8(`{"apiVersion":${JSON.stringify(groupVersion(r.group, r.version))},"kind":${JSON.stringify(r.kind)},`))
  for (const [index, entry] of entries.entries()) {
    since += entry.bytes.length
    if (since >= TURN_BYTES) {
      since = 0
      await nextTurn()
    }
    if (index > 0) out.add(comma)
    if (isCustom(r) && sharesBytes(r, entry)) out.add(entry.bytes)
    else if (prefix && entry.bytes.length > prefix.length && prefix.equals(entry.bytes.subarray(0, prefix.length))) {
      out.add(open)
      out.add(entry.bytes.subarray(prefix.length))
    } else out.add(encodeJson(listItem(r, objectOf(r, entry))))
  }
  out.add(close)
  out.flush()
  return out.chunks
}
