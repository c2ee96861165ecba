/**
 * Kubernetes' protobuf media type: an envelope of four magic bytes and a runtime.Unknown around the object's message, and
 * watches as frames with their length in front. Reading gives plain JSON values and writing takes them, so that nothing
 * behind the endpoints knows of it. Kinds without a table (custom resources, Table) have no protobuf form.
 */
import type { JsonObject } from '../../api/json.ts'
import { isObject } from '../../api/json.ts'
import type { WatchEventType } from '../../api/meta.ts'
import { ProtobufError, Reader, readMessage } from './read.ts'
import { loadedTables } from './tables.ts'
import type { Message } from './tables.ts'
import { BackwardWriter, writeMessage } from './write.ts'

export const protobufMediaType = 'application/vnd.kubernetes.protobuf'
export const protobufWatchType = `${protobufMediaType};stream=watch`

/** One for all: what is written is taken before anybody else writes. */
const writer = new BackwardWriter()

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00])

/** The object in a body, envelope included. Throws ProtobufError. `loadTables` must have been awaited. */
export function decodeProtobuf(bytes: Uint8Array): JsonObject {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!hasMagic(buffer)) throw new ProtobufError(`provided data does not appear to be a protobuf message, expected prefix [${[...magic].join(' ')}]`)
  let apiVersion = ''
  let kind = ''
  let raw = new Reader(buffer, buffer.length)
  const envelope = new Reader(buffer, magic.length)
  while (!envelope.isDone) {
    const tag = envelope.tag()
    if (tag === 10) {
      const typeMeta = envelope.nested()
      while (!typeMeta.isDone) {
        const part = typeMeta.tag()
        if (part === 10) apiVersion = typeMeta.nested().restAsText()
        else if (part === 18) kind = typeMeta.nested().restAsText()
        else typeMeta.skip(part & 7)
      }
    } else if (tag === 18) raw = envelope.nested()
    else envelope.skip(tag & 7)
  }
  const message = tableOf(apiVersion, kind)
  if (!message) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  return { apiVersion, kind, ...readMessage(raw, message) }
}

/** Whether the bytes begin as Kubernetes' protobuf does. */
export function hasMagic(bytes: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte)
}

function tableOf(apiVersion: string, kind: string): Message | undefined {
  return loadedTables()?.kind(apiVersion, kind)
}

/** Whether objects of a kind have a protobuf form. `loadTables` must have been awaited, else nothing has. */
export function hasProtobufForm(apiVersion: string, kind: string): boolean {
  return tableOf(apiVersion, kind) !== undefined
}

/** The message of an object without its envelope: what lists hold. */
export function encodeMessage(apiVersion: string, kind: string, object: unknown): Uint8Array {
  const message = tableOf(apiVersion, kind)
  if (!message) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const out = writer.reset()
  writeMessage(out, message, object)
  return out.take()
}

/** An object with its envelope; undefined when its kind has no protobuf form. */
export function encodeProtobuf(object: unknown): Uint8Array | undefined {
  if (!isObject(object)) return undefined
  const { apiVersion, kind } = object
  const message = typeof kind === 'string' ? tableOf(typeof apiVersion === 'string' ? apiVersion : '', kind) : undefined
  if (!message) return undefined
  const out = writer.reset()
  writeMessage(out, message, object)
  closeEnvelope(out, String(apiVersion), String(kind), 0)
  return out.take()
}

/** Writes what stands before the message, whose last `already` bytes stand elsewhere. */
function closeEnvelope(out: BackwardWriter, apiVersion: string, kind: string, already: number): void {
  out.varint(out.size + already)
  out.tag(2, 2)
  const from = out.size
  out.textField(2, kind)
  out.textField(1, apiVersion)
  out.close(1, from)
  out.raw(magic)
}

/** Fields of every list: metadata is 1, items are 2. */
const ITEMS_FIELD = 2

/** The bytes before an item of `size` bytes in a list. */
export function itemHead(size: number): Uint8Array {
  const out = writer.reset()
  out.varint(size)
  out.tag(ITEMS_FIELD, 2)
  return out.take()
}

/** The bytes before the items of a list, which take `itemsSize` bytes with their heads. */
export function listHead(apiVersion: string, kind: string, metadata: object, itemsSize: number): Uint8Array {
  const message = tableOf(apiVersion, kind)
  if (!message) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const out = writer.reset()
  writeMessage(out, message, { metadata })
  closeEnvelope(out, apiVersion, kind, itemsSize)
  return out.take()
}

/** A frame of a watch: four bytes of length, a metav1.WatchEvent without an envelope, in it the object with one. */
export function watchFrame(type: WatchEventType, object: Uint8Array): Uint8Array {
  const out = writer.reset()
  out.bytesField(1, object)
  out.close(2, 0)
  out.textField(1, type)
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(out.size)
  out.raw(head)
  return out.take()
}
