/**
 * CEL's values. Booleans, strings, doubles, null and bytes are JavaScript's own; int is bigint; the rest are classes.
 * Values are immutable. Equality never fails: values of unlike types are unequal, numbers compare by value.
 */
import { CelError } from './errors.ts'
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  structType,
  timestampType,
  typeType,
  uintType,
} from './types.ts'

export type CelValue = null | boolean | bigint | number | string | Uint8Array | CelUint | CelTimestamp | CelDuration | CelList | CelMap | CelOptional | CelOpaque | CelType

export class CelUint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** Nanoseconds since 1970. */
export class CelTimestamp {
  readonly ns: bigint
  constructor(ns: bigint) {
    if (ns < minTimestamp || ns > maxTimestamp) throw new CelError('timestamp overflow')
    this.ns = ns
  }
}
const minTimestamp = -62_135_596_800n * 1_000_000_000n
const maxTimestamp = 253_402_300_799n * 1_000_000_000n + 999_999_999n

/** Nanoseconds. */
export class CelDuration {
  readonly ns: bigint
  constructor(ns: bigint) {
    if (ns < minInt || ns > maxInt) throw new CelError('duration overflow')
    this.ns = ns
  }
}

export const maxInt = 2n ** 63n - 1n
export const minInt = -(2n ** 63n)
export const maxUint = 2n ** 64n - 1n

export abstract class CelList {
  abstract readonly size: number
  abstract at(index: number): CelValue
  *[Symbol.iterator](): Generator<CelValue> {
    for (let i = 0; i < this.size; i++) yield this.at(i)
  }
  /** Lists with an equality of their own (sets, maps by key). */
  equals(other: CelList): boolean {
    if (this.size !== other.size) return false
    for (let i = 0; i < this.size; i++) if (!equal(this.at(i), other.at(i))) return false
    return true
  }
  concat(other: CelList): CelList {
    return new ArrayList([...this, ...other])
  }
}

/** A list made by an expression. Lists that grow from one another share what they have in common: collecting n elements takes n steps. */
export class ArrayList extends CelList {
  readonly #items: CelValue[]
  readonly #length: number
  /** Whether `#items` is of lists of this kind only, so that it may grow behind their ends. */
  readonly #shared: boolean
  constructor(items: readonly CelValue[], length: number = items.length, shared = false) {
    super()
    this.#items = items as CelValue[]
    this.#length = length
    this.#shared = shared
  }
  get size(): number {
    return this.#length
  }
  at(index: number): CelValue {
    const item = index < this.#length ? this.#items[index] : undefined
    if (item === undefined) throw new CelError(`index out of bounds: ${index}`)
    return item
  }
  override concat(other: CelList): CelList {
    const grows = this.#shared && this.#items.length === this.#length
    const items = grows ? this.#items : this.#items.slice(0, this.#length)
    const more = other.size
    for (let i = 0; i < more; i++) items.push(other.at(i))
    return new ArrayList(items, items.length, true)
  }
}

/** Maps, and structs: `typeName` is set for those. */
export abstract class CelMap {
  abstract readonly size: number
  /** undefined where the key is missing. */
  abstract get(key: CelValue): CelValue | undefined
  abstract keys(): readonly CelValue[]
  readonly typeName: string | undefined
  constructor(typeName?: string) {
    this.typeName = typeName
  }
  has(key: CelValue): boolean {
    return this.get(key) !== undefined
  }
  equals(other: CelMap): boolean {
    if (this.size !== other.size || this.typeName !== other.typeName) return false
    return this.keys().every(key => {
      const mine = this.get(key)
      const theirs = other.get(key)
      return mine !== undefined && theirs !== undefined && equal(mine, theirs)
    })
  }
}

/** A map made by an expression. */
export class ValueMap extends CelMap {
  readonly #entries: Map<string, readonly [CelValue, CelValue]>
  constructor(entries: Iterable<readonly [CelValue, CelValue]>, typeName?: string) {
    super(typeName)
    const map = new Map<string, readonly [CelValue, CelValue]>()
    for (const entry of entries) map.set(keyText(entry[0]), entry)
    this.#entries = map
  }
  get size(): number {
    return this.#entries.size
  }
  get(key: CelValue): CelValue | undefined {
    return this.#entries.get(keyText(key))?.[1]
  }
  keys(): readonly CelValue[] {
    return [...this.#entries.values()].map(entry => entry[0])
  }
  /** Adds in place: only for the map that a comprehension builds, which nobody else sees. False where the key is there already. */
  add(entry: readonly [CelValue, CelValue]): boolean {
    const text = keyText(entry[0])
    if (this.#entries.has(text)) return false
    this.#entries.set(text, entry)
    return true
  }
}

/** Equal numbers of unlike types are one key. Throws for values that cannot be keys. */
export function keyText(key: CelValue): string {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'boolean') return `b${key}`
  if (typeof key === 'bigint') return `n${key}`
  if (key instanceof CelUint) return `n${key.value}`
  if (typeof key === 'number') return Number.isInteger(key) ? `n${BigInt(key)}` : `n${key}`
  throw new CelError('unsupported key type')
}

export class CelOptional {
  readonly value: CelValue | undefined
  constructor(value: CelValue | undefined) {
    this.value = value
  }
}
export const noneOptional = new CelOptional(undefined)

/** Values of Kubernetes' libraries. */
export abstract class CelOpaque {
  abstract readonly type: CelType
  abstract equals(other: CelOpaque): boolean
  /** What cost reckons with; undefined for values without a size. */
  get size(): number | undefined {
    return undefined
  }
  /** string(x), where the type has it. */
  text(): string | undefined {
    return undefined
  }
}

/** The type of a value at run time; elements of lists and maps are dyn. */
export function typeOf(value: CelValue): CelType {
  if (value === null) return nullType
  switch (typeof value) {
    case 'boolean':
      return boolType
    case 'bigint':
      return intType
    case 'number':
      return doubleType
    case 'string':
      return stringType
    default:
  }
  if (value instanceof CelUint) return uintType
  if (value instanceof Uint8Array) return bytesType
  if (value instanceof CelTimestamp) return timestampType
  if (value instanceof CelDuration) return durationType
  if (value instanceof CelList) return anyList
  if (value instanceof CelMap) return value.typeName === undefined ? anyMap : structType(value.typeName)
  if (value instanceof CelOptional) return anyOptional
  if (value instanceof CelType) return typeType
  return value.type
}
const anyList = listType(dynType)
const anyMap = mapType(dynType, dynType)
const anyOptional = optionalType(dynType)

function numeric(value: CelValue): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value
  return value instanceof CelUint ? value.value : undefined
}

export function equal(a: CelValue, b: CelValue): boolean {
  const left = numeric(a)
  if (left !== undefined) {
    const right = numeric(b)
    // eslint-disable-next-line eqeqeq -- bigint and number are equal by value only this way
    return right !== undefined && left == right
  }
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareByteArrays(a, b) === 0
  if (a instanceof CelTimestamp) return b instanceof CelTimestamp && a.ns === b.ns
  if (a instanceof CelDuration) return b instanceof CelDuration && a.ns === b.ns
  if (a instanceof CelList) return b instanceof CelList && a.equals(b)
  if (a instanceof CelMap) return b instanceof CelMap && a.equals(b)
  if (a instanceof CelOptional) {
    if (!(b instanceof CelOptional)) return false
    return a.value === undefined || b.value === undefined ? a.value === b.value : equal(a.value, b.value)
  }
  if (a instanceof CelType) return b instanceof CelType && a.kind === b.kind && a.name === b.name
  return a instanceof CelOpaque && b instanceof CelOpaque && a.type.name === b.type.name && a.equals(b)
}

function compareByteArrays(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return Math.sign(a.length - b.length)
}

/** By code points, which is by the bytes of UTF-8. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const x = encoder.encode(a)
  const y = encoder.encode(b)
  return compareByteArrays(x, y)
}
const encoder = new TextEncoder()

/** -1, 0 or 1; undefined where the two have no order. Throws for NaN. */
export function compare(a: CelValue, b: CelValue): number | undefined {
  const left = numeric(a)
  const right = numeric(b)
  if (left !== undefined && right !== undefined) {
    if (Number.isNaN(left) || Number.isNaN(right)) throw new CelError('NaN values cannot be ordered')
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareByteArrays(a, b)
  if ((a instanceof CelTimestamp && b instanceof CelTimestamp) || (a instanceof CelDuration && b instanceof CelDuration)) return a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0
  return undefined
}

/** Code points of a string, bytes, elements, entries; 1 for all else. */
export function sizeOf(value: CelValue): number {
  if (typeof value === 'string') return pointCount(value)
  if (value instanceof Uint8Array) return value.length
  if (value instanceof CelList || value instanceof CelMap) return value.size
  if (value instanceof CelOptional) return value.value === undefined ? 1 : sizeOf(value.value)
  if (value instanceof CelOpaque) return value.size ?? 1
  return 1
}

export function pointCount(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xdc00 || unit > 0xdfff) count++
  }
  return count
}

export function checkInt(value: bigint): bigint {
  if (value < minInt || value > maxInt) throw new CelError('integer overflow')
  return value
}

export function checkUint(value: bigint): CelUint {
  if (value < 0n || value > maxUint) throw new CelError('unsigned integer overflow')
  return new CelUint(value)
}

/** A CEL value as plain JSON: ints within 2^53 become numbers, timestamps and durations text. Throws for what JSON cannot say. */
export function toJson(value: CelValue): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') return value
  if (typeof value === 'bigint') return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
  if (value instanceof CelUint) return toJson(value.value)
  if (value instanceof CelList) return [...value].map(toJson)
  if (value instanceof CelMap) {
    return Object.fromEntries(
      value.keys().map(key => {
        if (typeof key !== 'string') throw new CelError('only string keys can be written as JSON')
        return [key, toJson(value.get(key) ?? null)]
      }),
    )
  }
  if (value instanceof CelTimestamp) return formatTimestamp(value.ns)
  if (value instanceof CelDuration) return `${formatSeconds(value.ns)}s`
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value))
  if (value instanceof CelOptional) return value.value === undefined ? null : toJson(value.value)
  throw new CelError(`unsupported conversion of ${typeOf(value).name} to JSON`)
}

const second = 1_000_000_000n

/** RFC 3339 in UTC with as many fractional digits as needed. */
export function formatTimestamp(ns: bigint): string {
  const seconds = ns >= 0n ? ns / second : -((-ns + second - 1n) / second)
  const rest = ns - seconds * second
  const date = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(9, '0').replace(/0+$/, '')}`
  return `${date}${fraction}Z`
}

/** Seconds as decimal text. */
export function formatSeconds(ns: bigint): string {
  const sign = ns < 0n ? '-' : ''
  const size = ns < 0n ? -ns : ns
  const rest = size % second
  return `${sign}${size / second}${rest === 0n ? '' : `.${rest.toString().padStart(9, '0').replace(/0+$/, '')}`}`
}
