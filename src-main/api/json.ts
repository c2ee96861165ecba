/**
 * JSON as Kubernetes reads and writes it. Differences from JSON.parse/JSON.stringify: integers beyond 2^53 that fit
 * int64 are kept exactly (as bigint), numbers beyond float64 are refused, nesting is bounded, invalid UTF-8 is refused,
 * lone surrogates become U+FFFD, and syntax errors have the wording of Go's encoding/json. `__proto__`, `constructor`
 * and `toJSON` are ordinary keys: use setOwn/getOwn where a key comes from outside.
 */
import { scanJson } from './json-scanner.ts'

export { duplicateKeys, inOrderOfText } from './json-scanner.ts'

export type JsonObject = Record<string, unknown>

/** Bound of nesting. Kubernetes' own is 10,000; a tenth of it keeps every recursive walk far from the end of the stack. */
export const maxJsonDepth = 1_000

/** Text that is not JSON. `message` is what Go's decoder would say. */
export class JsonError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JsonError'
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

const maxInt64 = 2n ** 63n - 1n
const minInt64 = -(2n ** 63n)

/** The text of UTF-8 bytes; throws JsonError where they are not UTF-8. A byte order mark is kept (and no JSON). */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new JsonError('invalid UTF-8 in request body')
  }
}

/** The value of a JSON text. Integers beyond 2^53 are bigint. Throws JsonError. */
export function parseJson(input: string | Uint8Array): unknown {
  const text = typeof input === 'string' ? input : decodeUtf8(input)
  // Each level takes two characters, so short texts cannot pass the bound.
  if (text.length > 2 * maxJsonDepth && deeperThan(text, maxJsonDepth)) {
    scanJson(text, {
      maxDepth: Number.MAX_SAFE_INTEGER,
      fail: message => {
        throw new JsonError(message)
      },
    })
    throw new JsonError('exceeded max depth')
  }
  let value: unknown
  try {
    value = /\d{16}|\d[eE][+]?\d\d/.test(text) ? parseExact(text) : JSON.parse(text)
  } catch (error) {
    if (error instanceof JsonError) throw error
    scanJson(text, {
      maxDepth: maxJsonDepth,
      fail: message => {
        throw new JsonError(message)
      },
    })
    throw new JsonError(error instanceof Error ? error.message : String(error))
  }
  return /\\u[dD][89a-fA-F]/.test(text) ? wellFormed(value) : value
}

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

function parseExact(text: string): unknown {
  const reviver: Reviver = (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    if (!Number.isFinite(value)) throw new JsonError(`json: cannot unmarshal number ${source} into Go value of type float64`)
    if (Number.isSafeInteger(value) || !/^-?\d+$/.test(source)) return value
    const exact = BigInt(source)
    return exact >= minInt64 && exact <= maxInt64 ? exact : value
  }
  return (JSON.parse as (text: string, reviver: Reviver) => unknown)(text, reviver)
}

/** Whether brackets outside strings nest deeper than `bound`. Reads each character once. */
function deeperThan(text: string, bound: number): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x22) {
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > bound) return true
    } else if (c === 0x7d || c === 0x5d) depth--
  }
  return false
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value)) setOwn(out, key.toWellFormed(), wellFormed(value[key]))
  return out
}

const raw = JSON as unknown as { rawJSON(text: string): unknown }

/** JSON text of a plain value; bigint becomes an integer, absent (undefined) fields are left out. */
export function stringifyJson(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    // The fast path refuses bigint; only then is a replacer worth its price.
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(value, (_key, v: unknown) => (typeof v === 'bigint' ? raw.rawJSON(v.toString()) : v), indent)
  }
}

/** UTF-8 bytes of stringifyJson. */
export function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(stringifyJson(value))
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

/** True for a JSON object: neither null nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The own value of a key, never an inherited one. */
export function getOwn(object: unknown, key: string): unknown {
  return isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined
}

/** Sets an own property, whatever the key is called. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

/** Same JSON: order of keys does not count, absent and undefined are the same. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Number.isNaN(a) && Number.isNaN(b)
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false
    return true
  }
  if (Array.isArray(b)) return false
  return equalObjects(a as JsonObject, b as JsonObject)
}

function equalObjects(a: JsonObject, b: JsonObject): boolean {
  let count = 0
  for (const key of Object.keys(a)) {
    const left = a[key]
    if (left === undefined) continue
    count++
    if (!Object.hasOwn(b, key) || !deepEqual(left, b[key])) return false
  }
  for (const key of Object.keys(b)) if (b[key] !== undefined) count--
  return count === 0
}

/** Freezes a value and all it holds; returns it. Stops at what is frozen already. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key of Object.keys(value)) deepFreeze((value as JsonObject)[key])
  return value
}

/** A copy that shares nothing and is not frozen. Absent (undefined) fields are left out. */
export function cloneJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const list: unknown[] = new Array(value.length)
    for (let i = 0; i < value.length; i++) list[i] = cloneJson(value[i] as unknown)
    return list as T
  }
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const child = (value as JsonObject)[key]
    if (child !== undefined) setOwn(out, key, cloneJson(child))
  }
  return out as T
}

/** Orders strings by their UTF-8 bytes, as Go does. */
export function compareBytes(a: string, b: string): number {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    // UTF-16 puts surrogates (beyond U+FFFF) before U+E000..U+FFFF; UTF-8 puts them after.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000
    }
    return x < y ? -1 : 1
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1
}

/** How Go's %q prints a text. */
export function quoteGo(text: string): string {
  let out = '"'
  for (const c of text) {
    const code = c.codePointAt(0) ?? 0
    if (c === '"' || c === '\\') out += `\\${c}`
    else if (code >= 0x20 && code !== 0x7f && /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(c)) out += c
    else out += escapeGo(code)
  }
  return `${out}"`
}

const goEscapes: Readonly<Record<number, string>> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' }

function escapeGo(code: number): string {
  const short = goEscapes[code]
  if (short !== undefined) return short
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
}
