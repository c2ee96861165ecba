/**
 * Protobuf's binary form as plain JSON values, by the field tables. The result is what a client written in Go would have
 * sent as JSON: fields that Go leaves out when they are empty are left out, unknown fields are dropped. Pure.
 */
import { parseJson, setOwn } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import { formatGoDuration } from '../../api/time.ts'
import type { Message, WireField } from './tables.ts'

/** Not a protobuf body, cut off, nested too deep, or of a kind that has no table. */
export class ProtobufError extends Error {}

/** Deeper nesting than any kind but a schema has, and far from the end of the stack. */
const MAX_DEPTH = 200

/** A part of a body that is being read. */
export class Reader {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number

  constructor(bytes: Buffer, from = 0, to = bytes.length) {
    this.#bytes = bytes
    this.#at = from
    this.#end = to
  }

  get isDone(): boolean {
    return this.#at >= this.#end
  }

  /** A number where it is one exactly, else a bigint without sign. */
  varint(): number | bigint {
    let value = 0
    let scale = 1
    for (let i = 0; i < 7; i++, scale *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    let big = BigInt(value)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      big |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, big)
    }
    throw new ProtobufError('a number is too long')
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new ProtobufError('the body is cut off')
    return this.#bytes[this.#at++] as number
  }

  #take(count: number): number {
    if (!(count <= this.#end - this.#at)) throw new ProtobufError('the body is cut off')
    const from = this.#at
    this.#at += count
    return from
  }

  /** The next field's number, and its form in the low three bits. */
  tag(): number {
    return Number(this.varint())
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  /** The content of a length-delimited field. */
  nested(): Reader {
    const length = Number(this.varint())
    const from = this.#take(length)
    return new Reader(this.#bytes, from, from + length)
  }

  skip(form: number): void {
    if (form === 0) this.varint()
    else if (form === 1) this.#take(8)
    else if (form === 2) this.#take(Number(this.varint()))
    else if (form === 5) this.#take(4)
    else throw new ProtobufError('a field has an unknown form')
  }

  /** Everything that is left. */
  rest(): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#end)
    this.#at = this.#end
    return part
  }

  restAsText(): string {
    const part = this.rest()
    const value = part.toString('utf8')
    // What is no UTF-8 reads as U+FFFD; only then is a second look worth its price.
    if (value.includes('\uFFFD')) {
      try {
        strict.decode(part)
      } catch {
        throw new ProtobufError('a text is not valid UTF-8')
      }
    }
    return value
  }
}

const strict = new TextDecoder('utf-8', { fatal: true })

export function readMessage(reader: Reader, message: Message, depth = 0): JsonObject {
  const out: JsonObject = {}
  readInto(out, reader, message, depth)
  return out
}

function readInto(out: JsonObject, reader: Reader, message: Message, depth: number): void {
  if (depth > MAX_DEPTH) throw new ProtobufError('the body is nested too deep')
  while (!reader.isDone) {
    const tag = reader.tag()
    const form = tag & 7
    const field = message.byNumber.get(Math.floor(tag / 8))
    if (!field || form !== formOf(field)) reader.skip(form)
    else if (field.name === '') readInto(out, reader.nested(), field.message ?? message, depth + 1)
    else if (field.isMap) readEntry(out, reader.nested(), field, depth)
    else {
      const value = readValue(reader, field, depth)
      if (field.isRepeated) {
        const list = out[field.name]
        if (Array.isArray(list)) list.push(value)
        else out[field.name] = [value]
      } else if (value !== undefined && !(field.omitsEmpty && isEmpty(value))) out[field.name] = value
    }
  }
}

function formOf(field: WireField): number {
  if (field.isMap) return 2
  return field.type === 'int' || field.type === 'bool' ? 0 : field.type === 'float64' ? 1 : 2
}

/** What Go's `omitempty` leaves out of fields that are no pointers. Structs stay. */
function isEmpty(value: unknown): boolean {
  return value === '' || value === 0 || value === false
}

function readEntry(out: JsonObject, reader: Reader, field: WireField, depth: number): void {
  let key = ''
  let value: unknown
  while (!reader.isDone) {
    const tag = reader.tag()
    if (tag === 10) key = reader.nested().restAsText()
    else if (tag >> 3 === 2) value = readValue(reader, field, depth)
    else reader.skip(tag & 7)
  }
  if (out[field.name] === undefined) out[field.name] = {}
  setOwn(out[field.name] as JsonObject, key, value ?? emptyOf(field))
}

/** The value of a map's entry that carries none. */
function emptyOf(field: WireField): unknown {
  if (field.type === 'list') return []
  if (field.type === 'quantity') return '0'
  return field.type === 'string' || field.type === 'bytes' ? '' : {}
}

function readValue(reader: Reader, field: WireField, depth: number): unknown {
  switch (field.type) {
    case 'string':
      return reader.nested().restAsText()
    case 'int':
      return signed(reader.varint())
    case 'bool':
      return reader.varint() !== 0
    case 'bytes':
      return reader.nested().rest().toString('base64')
    case 'float64':
      return reader.double()
    case 'struct':
      return field.message ? readMessage(reader.nested(), field.message, depth + 1) : undefined
    case 'list':
      return readTexts(reader.nested())
    case 'raw':
      return readRaw(reader.nested())
    case 'schemaOrArray':
    case 'schemaOrBool':
    case 'schemaOrStrings':
      return readSchemaOr(reader.nested(), field, depth)
    default:
      return readScalarMessage(reader.nested(), field)
  }
}

function signed(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value
  const exact = BigInt.asIntN(64, value)
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact
}

function readTexts(reader: Reader): string[] {
  const out: string[] = []
  while (!reader.isDone) {
    const tag = reader.tag()
    if (tag === 10) out.push(reader.nested().restAsText())
    else reader.skip(tag & 7)
  }
  return out
}

function readRaw(reader: Reader): unknown {
  let value: unknown
  while (!reader.isDone) {
    const tag = reader.tag()
    if (tag !== 10) {
      reader.skip(tag & 7)
      continue
    }
    const bytes = reader.nested().rest()
    if (bytes.length === 0) continue
    try {
      value = parseJson(bytes)
    } catch (fault) {
      throw new ProtobufError(`an embedded object is no JSON: ${fault instanceof Error ? fault.message : String(fault)}`)
    }
  }
  return value
}

function readSchemaOr(reader: Reader, field: WireField, depth: number): unknown {
  let allows: boolean | undefined
  let schema: unknown
  const list: unknown[] = []
  const isBool = field.type === 'schemaOrBool'
  while (!reader.isDone) {
    const tag = reader.tag()
    if (isBool && tag === 8) allows = reader.varint() !== 0
    else if (tag === (isBool ? 18 : 10)) schema = field.message ? readMessage(reader.nested(), field.message, depth + 1) : undefined
    else if (!isBool && tag === 18)
      list.push(field.type === 'schemaOrStrings' ? reader.nested().restAsText() : field.message && readMessage(reader.nested(), field.message, depth + 1))
    else reader.skip(tag & 7)
  }
  return schema ?? (isBool ? (allows ?? false) : list)
}

/** Messages that are one value in JSON: at most two numbers (fields 1 and 2) and a text (1 or 3). */
function readScalarMessage(reader: Reader, field: WireField): unknown {
  const numbers: (number | bigint)[] = [0, 0, 0]
  let text: string | undefined
  let isPresent = false
  while (!reader.isDone) {
    const tag = reader.tag()
    isPresent = true
    if ((tag & 7) === 0 && tag >> 3 <= 2) numbers[tag >> 3] = signed(reader.varint())
    else if ((tag & 7) === 2) text = reader.nested().restAsText()
    else reader.skip(tag & 7)
  }
  const [, first = 0, second = 0] = numbers
  switch (field.type) {
    case 'quantity':
      return text ?? '0'
    case 'duration':
      return formatGoDuration(Number(first) / 1e6)
    case 'intOrString':
      return first === 1 ? (text ?? '') : second
    default:
      return isPresent ? timeOf(first, second, field.type === 'microTime') : undefined
  }
}

/** Go's zero time, which JSON shows as null, is left out. */
const ZERO_TIME_SECONDS = -62_135_596_800

function timeOf(seconds: number | bigint, nanos: number | bigint, isMicro: boolean): string | undefined {
  if (seconds <= ZERO_TIME_SECONDS) return undefined
  const date = new Date(Number(seconds) * 1_000)
  if (Number.isNaN(date.getTime())) throw new ProtobufError('a time is out of range')
  const start = date.toISOString().slice(0, 19)
  return isMicro ? `${start}.${String(Math.floor(Number(nanos) / 1_000)).padStart(6, '0')}Z` : `${start}Z`
}
