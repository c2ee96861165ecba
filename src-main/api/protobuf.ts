/**
 * Kubernetes' protobuf bodies as plain JSON values: what Go's typed clients send (kubectl create, helm, operators). Only
 * reading: answers are JSON, which those clients accept. The result is what the same client would have sent as JSON:
 * fields that Go leaves out when empty are left out. Pure; the field facts (resources/schema/protobuf.json) are passed in.
 */
import { parseJson } from './json.ts'
import { parseGroupVersion } from './meta.ts'

/** [number, JSON name ('' = inlined), type, flags]; flags: p pointer, r repeated, m map, o left out when empty. */
export type FieldFact = readonly [number: number, name: string, type: string, flags: string]
export type ProtobufFacts = Readonly<Record<string, readonly FieldFact[]>>

export const protobufMediaType = 'application/vnd.kubernetes.protobuf'

/** Not a protobuf body, cut off, or of a kind that has no facts. */
export class ProtobufError extends Error {}

/** Deeper nesting than any kind has (a JSONSchemaProps may repeat itself). */
const maxDepth = 64
const magic = [0x6b, 0x38, 0x73, 0x00]

type Plain = Record<string, unknown>

/** The object in a body, envelope included. Throws ProtobufError. */
export function decodeProtobuf(bytes: Uint8Array, facts: ProtobufFacts): Plain {
  if (!magic.every((byte, i) => bytes[i] === byte)) throw new ProtobufError("the body is not in Kubernetes' protobuf form")
  let apiVersion = ''
  let kind = ''
  let raw = new Uint8Array()
  for (const field of fieldsOf(bytes.subarray(magic.length))) {
    if (field.number === 1 && field.bytes) {
      for (const part of fieldsOf(field.bytes)) {
        if (part.number === 1 && part.bytes) apiVersion = text(part.bytes)
        if (part.number === 2 && part.bytes) kind = text(part.bytes)
      }
    }
    if (field.number === 2 && field.bytes) raw = field.bytes as Uint8Array<ArrayBuffer>
  }
  const { group, version } = parseGroupVersion(apiVersion)
  const home = group === '' ? 'core' : (group.split('.')[0] ?? '')
  const name = [`api/${home}/${version}.${kind}`, `apimachinery/pkg/apis/meta/v1.${kind}`].find(candidate => Object.hasOwn(facts, candidate))
  if (name === undefined) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  return { apiVersion, kind, ...struct(raw, name, facts, 0) }
}

interface Field {
  readonly number: number
  readonly varint?: bigint
  readonly fixed?: Uint8Array
  readonly bytes?: Uint8Array
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new ProtobufError('the body is cut off')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('a number is too long')
  }
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw new ProtobufError('the body is cut off')
    const part = bytes.subarray(at, at + count)
    at += count
    return part
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    switch (tag & 7) {
      case 0:
        yield { number, varint: varint() }
        break
      case 1:
        yield { number, fixed: take(8) }
        break
      case 2:
        yield { number, bytes: take(Number(varint())) }
        break
      case 5:
        yield { number, fixed: take(4) }
        break
      default:
        throw new ProtobufError('a field has an unknown form')
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })
function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProtobufError('a text is not valid UTF-8')
  }
}

function set(object: Plain, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true }) // `__proto__` is a legal key of maps
}

function struct(bytes: Uint8Array, type: string, facts: ProtobufFacts, depth: number): Plain {
  if (depth > maxDepth) throw new ProtobufError('the body is nested too deep')
  const known = facts[type] ?? []
  const out: Plain = {}
  for (const field of fieldsOf(bytes)) {
    const fact = known.find(one => one[0] === field.number)
    if (!fact || fact[2] === 'unknown') continue // a newer client's field: as an unknown field in JSON, it is dropped
    const [, name, of, flags] = fact
    if (name === '') {
      Object.assign(out, struct(field.bytes ?? new Uint8Array(), of, facts, depth + 1))
      continue
    }
    if (flags.includes('m')) {
      addEntry(out, name, of, field.bytes ?? new Uint8Array(), facts, depth)
      continue
    }
    const value = valueOf(field, of, facts, depth)
    if (flags.includes('r')) {
      const list = out[name]
      if (Array.isArray(list)) list.push(value)
      else set(out, name, [value])
    } else if (value !== undefined && (flags.includes('p') || !flags.includes('o') || !isEmpty(value))) set(out, name, value)
  }
  return out
}

/** What Go's `omitempty` leaves out of fields that are no pointers. Structs stay. */
function isEmpty(value: unknown): boolean {
  return value === '' || value === 0 || value === false
}

function addEntry(out: Plain, name: string, type: string, bytes: Uint8Array, facts: ProtobufFacts, depth: number): void {
  let key = ''
  let value: unknown = valueOf({ number: 2, bytes: new Uint8Array(), varint: 0n }, type, facts, depth)
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1 && field.bytes) key = text(field.bytes)
    if (field.number === 2) value = valueOf(field, type, facts, depth)
  }
  if (out[name] === undefined) set(out, name, {})
  set(out[name] as Plain, key, value)
}

function valueOf(field: Field, type: string, facts: ProtobufFacts, depth: number): unknown {
  const bytes = field.bytes ?? new Uint8Array()
  if (type.startsWith('list:')) return [...fieldsOf(bytes)].filter(one => one.number === 1).map(one => valueOf(one, type.slice('list:'.length), facts, depth + 1))
  switch (type) {
    case 'string':
      return text(bytes)
    case 'bytes':
      return base64(bytes)
    case 'bool':
      return (field.varint ?? 0n) !== 0n
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
      return integer(field.varint ?? 0n, type)
    case 'float64':
      return field.fixed ? new DataView(field.fixed.buffer, field.fixed.byteOffset).getFloat64(0, true) : 0
    case 'float32':
      return field.fixed ? new DataView(field.fixed.buffer, field.fixed.byteOffset).getFloat32(0, true) : 0
    case 'quantity':
      return textField(bytes)
    case 'time':
      return time(bytes, false)
    case 'microTime':
      return time(bytes, true)
    case 'duration':
      return duration(bytes)
    case 'intOrString':
      return intOrString(bytes)
    case 'raw':
      return rawJson(bytes)
    default:
      return struct(bytes, type, facts, depth + 1)
  }
}

function integer(varint: bigint, type: string): number | bigint {
  const value = type.startsWith('u') ? varint : BigInt.asIntN(64, varint)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

const textField = (bytes: Uint8Array): string => {
  for (const field of fieldsOf(bytes)) if (field.number === 1 && field.bytes) return text(field.bytes)
  return '0'
}

/** An empty time is Go's zero time, which JSON shows as null: left out. */
function time(bytes: Uint8Array, micro: boolean): string | undefined {
  let seconds = 0n
  let nanos = 0n
  let any = false
  for (const field of fieldsOf(bytes)) {
    any = true
    if (field.number === 1) seconds = BigInt.asIntN(64, field.varint ?? 0n)
    if (field.number === 2) nanos = BigInt.asIntN(64, field.varint ?? 0n)
  }
  if (!any || seconds < -62_135_596_800n) return undefined
  const date = new Date(Number(seconds) * 1000)
  if (Number.isNaN(date.getTime())) throw new ProtobufError('a time is out of range')
  const start = date.toISOString().slice(0, 19)
  return micro ? `${start}.${String(nanos / 1000n).padStart(6, '0')}Z` : `${start}Z`
}

/** Go's shortest form would join units; seconds and nanoseconds mean the same to every reader. */
function duration(bytes: Uint8Array): string {
  let nanos = 0n
  for (const field of fieldsOf(bytes)) if (field.number === 1) nanos = BigInt.asIntN(64, field.varint ?? 0n)
  return nanos % 1_000_000_000n === 0n ? `${nanos / 1_000_000_000n}s` : `${nanos}ns`
}

function intOrString(bytes: Uint8Array): number | string {
  let isText = false
  let number = 0
  let string = ''
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) isText = (field.varint ?? 0n) === 1n
    if (field.number === 2) number = Number(BigInt.asIntN(32, field.varint ?? 0n))
    if (field.number === 3 && field.bytes) string = text(field.bytes)
  }
  return isText ? string : number
}

function rawJson(bytes: Uint8Array): unknown {
  for (const field of fieldsOf(bytes)) {
    if (field.number !== 1 || !field.bytes || field.bytes.length === 0) continue
    try {
      return parseJson(field.bytes)
    } catch (fault) {
      throw new ProtobufError(`an embedded object is no JSON: ${fault instanceof Error ? fault.message : String(fault)}`)
    }
  }
  return undefined
}

function base64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary)
}
