/**
 * Plain JSON values in protobuf's binary form, by the field tables. Written from the end to the front, so that the length
 * of a message is known when it is written before it: one pass, one buffer, no copies of nested messages. Pure.
 */
import { isObject, stringifyJson } from '../../api/json.ts'
import { parseGoDuration } from '../../api/time.ts'
import type { Message, WireField } from './tables.ts'

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2

const SHORT_TEXT = 64
/** A writer that grew beyond this for one object does not keep the memory. */
const KEPT_CAPACITY = 64 * 1024

/** Bytes that grow to the front. */
export class BackwardWriter {
  #buffer: Buffer
  #at: number

  constructor(capacity = 1_024) {
    this.#buffer = Buffer.allocUnsafe(capacity)
    this.#at = capacity
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#buffer.length - this.#at
  }

  /** Forgets what was written. */
  reset(): this {
    this.#at = this.#buffer.length
    return this
  }

  /** A copy of what was written; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.#buffer.subarray(this.#at))
    if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = Buffer.allocUnsafe(KEPT_CAPACITY)
    this.#at = this.#buffer.length
    return taken
  }

  /** Where the next `count` bytes go. It may replace the buffer, so it is called before the buffer is named. */
  #reserve(count: number): number {
    if (this.#at < count) {
      const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.size + count))
      const at = grown.length - this.size
      this.#buffer.copy(grown, at, this.#at)
      this.#buffer = grown
      this.#at = at
    }
    this.#at -= count
    return this.#at
  }

  varint(value: number): void {
    if (value >= 0 && value < 128 && Number.isInteger(value)) {
      const at = this.#reserve(1)
      this.#buffer[at] = value
      return
    }
    if (!Number.isSafeInteger(value) || value < 0) {
      this.bigVarint(BigInt(Math.trunc(Number.isFinite(value) ? value : 0)))
      return
    }
    let length = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
    let at = this.#reserve(length)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) | 0x80
    this.#buffer[at] = rest
  }

  /** 64 bits, in two's complement when negative. */
  bigVarint(value: bigint): void {
    const bytes: number[] = []
    let rest = BigInt.asUintN(64, value)
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
    bytes.push(Number(rest))
    const at = this.#reserve(bytes.length)
    this.#buffer.set(bytes, at)
  }

  text(value: string): void {
    const count = value.length
    if (count <= SHORT_TEXT) {
      // Names, labels and enums are short and plain: a loop is faster than the way into the runtime.
      let at = this.#reserve(count)
      let i = 0
      for (; i < count; i++) {
        const code = value.charCodeAt(i)
        if (code >= 0x80) break
        this.#buffer[at++] = code
      }
      if (i === count) {
        this.varint(count)
        return
      }
      this.#at += count
    }
    const length = Buffer.byteLength(value)
    const at = this.#reserve(length)
    this.#buffer.write(value, at, length, 'utf8')
    this.varint(length)
  }

  raw(value: Uint8Array): void {
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
  }

  double(value: number): void {
    const at = this.#reserve(8)
    this.#buffer.writeDoubleLE(value, at)
  }

  tag(number: number, form: number): void {
    this.varint(number * 8 + form)
  }

  /** Ends a nested message that began when `size` was `from`: its length, then its tag. */
  close(number: number, from: number): void {
    this.varint(this.size - from)
    this.tag(number, LENGTH_DELIMITED)
  }

  textField(number: number, value: string): void {
    this.text(value)
    this.tag(number, LENGTH_DELIMITED)
  }

  intField(number: number, value: number | bigint): void {
    if (typeof value === 'bigint') this.bigVarint(value)
    else this.varint(value)
    this.tag(number, VARINT)
  }

  bytesField(number: number, value: Uint8Array): void {
    this.raw(value)
    this.varint(value.length)
    this.tag(number, LENGTH_DELIMITED)
  }

  doubleField(number: number, value: number): void {
    this.double(value)
    this.tag(number, FIXED64)
  }
}

/** Writes the fields of `object` that the table knows; others have no form on the wire. */
export function writeMessage(out: BackwardWriter, message: Message, object: unknown): void {
  if (!isObject(object)) return
  for (let i = message.fields.length - 1; i >= 0; i--) {
    const field = message.fields[i] as WireField
    if (field.name === '') writeInlined(out, field, object)
    else if (Object.hasOwn(object, field.name)) {
      const value = object[field.name]
      if (value !== undefined && value !== null) writeField(out, field, value)
    }
  }
}

/** An inlined struct is a message of its own on the wire; one without fields is left out. */
function writeInlined(out: BackwardWriter, field: WireField, object: unknown): void {
  const from = out.size
  if (field.message) writeMessage(out, field.message, object)
  if (out.size > from) out.close(field.number, from)
}

function writeField(out: BackwardWriter, field: WireField, value: unknown): void {
  if (field.isMap) {
    if (!isObject(value)) return
    for (const key of Object.keys(value).reverse()) {
      const from = out.size
      writeValue(out, field, 2, value[key])
      out.textField(1, key)
      out.close(field.number, from)
    }
  } else if (field.isRepeated) {
    if (Array.isArray(value)) for (let i = value.length - 1; i >= 0; i--) writeValue(out, field, field.number, value[i])
  } else writeValue(out, field, field.number, value)
}

function writeValue(out: BackwardWriter, field: WireField, number: number, value: unknown): void {
  switch (field.type) {
    case 'string':
      out.textField(number, typeof value === 'string' ? value : value === null || value === undefined ? '' : String(value))
      return
    case 'int':
      out.intField(number, typeof value === 'bigint' ? value : Number(value))
      return
    case 'bool':
      out.intField(number, value === true ? 1 : 0)
      return
    case 'bytes':
      out.bytesField(number, Buffer.from(typeof value === 'string' ? value : '', 'base64'))
      return
    case 'float64':
      out.doubleField(number, Number(value))
      return
    default: {
      const from = out.size
      writeNested(out, field, value)
      out.close(number, from)
    }
  }
}

function writeNested(out: BackwardWriter, field: WireField, value: unknown): void {
  switch (field.type) {
    case 'struct':
      if (field.message) writeMessage(out, field.message, value)
      return
    case 'list':
      if (Array.isArray(value)) for (let i = value.length - 1; i >= 0; i--) out.textField(1, String(value[i]))
      return
    case 'quantity':
      out.textField(1, String(value))
      return
    case 'time':
    case 'microTime':
      writeTime(out, value)
      return
    case 'duration':
      out.intField(1, BigInt(Math.round((parseGoDuration(String(value)) ?? 0) * 1e6)))
      return
    case 'intOrString':
      if (typeof value === 'string') {
        out.textField(3, value)
        out.intField(1, 1)
      } else out.intField(2, Number(value))
      return
    case 'raw':
      if (value !== undefined && value !== null) out.bytesField(1, Buffer.from(stringifyJson(value)))
      return
    default:
      writeSchemaOr(out, field, value)
  }
}

/** Schemas or something simpler in their place, which JSON tells apart by type. */
function writeSchemaOr(out: BackwardWriter, field: WireField, value: unknown): void {
  if (Array.isArray(value)) {
    for (let i = value.length - 1; i >= 0; i--) {
      if (field.type === 'schemaOrStrings') out.textField(2, String(value[i]))
      else writeSchema(out, field, 2, value[i])
    }
  } else if (typeof value === 'boolean') out.intField(1, value ? 1 : 0)
  else if (field.type === 'schemaOrBool') {
    writeSchema(out, field, 2, value)
    out.intField(1, 1)
  } else writeSchema(out, field, 1, value)
}

function writeSchema(out: BackwardWriter, field: WireField, number: number, value: unknown): void {
  const from = out.size
  if (field.message) writeMessage(out, field.message, value)
  out.close(number, from)
}

/** Seconds and nanoseconds since 1970; the fraction is kept as far as it is written. */
function writeTime(out: BackwardWriter, value: unknown): void {
  const text = String(value)
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) return
  const fraction = /\.(\d{1,9})/.exec(text)?.[1]
  if (fraction !== undefined) out.intField(2, Number(fraction.padEnd(9, '0')))
  out.intField(1, Math.floor(ms / 1_000))
}
