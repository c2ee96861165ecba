/**
 * Types and values of data that a schema describes: structural schemas of custom kinds, and our facts of built-in ones.
 * Names that are no CEL identifiers are escaped as Kubernetes does.
 */
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { Schema } from '../schema.ts'
import { CelError } from './errors.ts'
import { maxRequestBytes } from './limits.ts'
import { parseDuration, parseTimestamp } from './library/time.ts'
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, stringType, structType, timestampType } from './types.ts'
import type { CelType } from './types.ts'
import { ArrayList, CelList, CelMap, CelTimestamp, equal } from './values.ts'
import type { CelValue } from './values.ts'

/** A type with what cost estimates need: sizes. */
export interface DeclType {
  readonly cel: CelType
  /** The largest number of characters, bytes, elements or entries. */
  readonly maxElements: number
  /** The fewest bytes of JSON that a value takes. */
  readonly minSize: number
  /** Of lists and maps. */
  readonly element?: DeclType
  /** Of structs, by escaped name. */
  readonly fields?: ReadonlyMap<string, DeclField>
  readonly format?: string
  /** x-kubernetes-list-type of a list and its keys. */
  readonly listType?: 'set' | 'map'
  readonly mapKeys?: readonly string[]
}

export interface DeclField {
  /** As in the data. */
  readonly name: string
  readonly type: DeclType
  readonly required: boolean
}

const reservedWords = new Set('true false null in as break const continue else for function if import let loop package namespace return'.split(' '))
const escapes: Readonly<Record<string, string>> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' }

/** A property's name as an identifier; undefined where it has none. */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined
  if (reservedWords.has(name)) return `__${name}__`
  return name.replace(/__|[.\-/]/g, part => escapes[part] ?? part)
}

const simple = (cel: CelType, minSize: number, maxElements = 0, format?: string): DeclType => ({ cel, minSize, maxElements, ...(format ? { format } : {}) })
const wholeRequest = maxRequestBytes - 2
let structCount = 0

/** The type of a structural schema (JSON of openAPIV3Schema); undefined where no rule can see such values. `root`: a resource or an embedded one. */
export function declTypeOfSchema(schema: unknown, { root }: { readonly root: boolean }): DeclType | undefined {
  if (!isObject(schema)) return undefined
  if (schema['x-kubernetes-int-or-string'] === true) {
    const { maxLength } = schema
    return simple(dynType, 1, typeof maxLength === 'number' ? Math.max(0, maxLength) * 4 : wholeRequest)
  }
  const s = root ? withResourceFields(schema) : schema
  switch (s['type']) {
    case 'array':
      return arrayType(s)
    case 'object':
      return objectType(s)
    case 'string':
      return stringDecl(s)
    case 'boolean':
      return simple(boolType, 4)
    case 'number':
      return simple(doubleType, 1)
    case 'integer':
      return simple(intType, 1)
    default:
      return undefined
  }
}

const text = { type: 'string' }

function withResourceFields(s: JsonObject): JsonObject {
  const metadata = { type: 'object', properties: { name: text, generateName: text } }
  return { ...s, type: 'object', properties: { ...(isObject(s['properties']) ? s['properties'] : {}), kind: text, apiVersion: text, metadata } }
}

const bound = (value: unknown): number | undefined => (typeof value === 'number' || typeof value === 'bigint' ? Math.max(0, Number(value)) : undefined)
const embedded = (s: unknown): boolean => isObject(s) && s['x-kubernetes-embedded-resource'] === true

function arrayType(s: JsonObject): DeclType | undefined {
  const element = declTypeOfSchema(s['items'], { root: embedded(s['items']) })
  if (!element) return undefined
  const kind = s['x-kubernetes-list-type']
  const keys = s['x-kubernetes-list-map-keys']
  return {
    cel: listType(element.cel),
    element,
    minSize: 2,
    maxElements: bound(s['maxItems']) ?? Math.floor(wholeRequest / (element.minSize + 1)),
    ...(kind === 'set' || kind === 'map' ? { listType: kind } : {}),
    ...(Array.isArray(keys) ? { mapKeys: keys as string[] } : {}),
  }
}

function objectType(s: JsonObject): DeclType | undefined {
  if (isObject(s['additionalProperties'])) {
    const element = declTypeOfSchema(s['additionalProperties'], { root: embedded(s['additionalProperties']) })
    if (!element) return undefined
    return { cel: mapType(stringType, element.cel), element, minSize: 2, maxElements: bound(s['maxProperties']) ?? Math.floor(wholeRequest / (element.minSize + 6)) }
  }
  const required = new Set(Array.isArray(s['required']) ? (s['required'] as unknown[]) : [])
  const fields = new Map<string, DeclField>()
  let minSize = 2
  for (const [name, property] of Object.entries(isObject(s['properties']) ? s['properties'] : {})) {
    const type = declTypeOfSchema(property, { root: embedded(property) })
    if (!type) continue
    const escaped = escapeName(name)
    if (escaped !== undefined) fields.set(escaped, { name, type, required: required.has(name) })
    if (required.has(name) && isObject(property) && property['default'] === undefined) minSize += name.length + type.minSize + 4
  }
  return { cel: structType(`object#${++structCount}`), fields, minSize, maxElements: 0 }
}

function stringDecl(s: JsonObject): DeclType {
  const max = bound(s['maxLength'])
  switch (s['format']) {
    case 'byte':
      return simple(bytesType, 2, max ?? wholeRequest, 'byte')
    case 'duration':
      return simple(durationType, 3, 32, 'duration')
    case 'date':
      return simple(timestampType, 12, 12, 'date')
    case 'date-time':
      return simple(timestampType, 21, 32, 'date-time')
    default:
  }
  const options = s['enum']
  const longest = Array.isArray(options) && options.length > 0 ? Math.max(0, ...options.map(o => (typeof o === 'string' ? new TextEncoder().encode(o).length : 0))) : wholeRequest
  return simple(stringType, 2, max === undefined ? longest : max * 4)
}

const builtIn = new Map<Schema, DeclType>()

/** The type of a built-in kind's part by our schema facts; dyn where the facts allow anything. Sizes are those of a whole request. */
export function declTypeOfFacts(schema: Schema): DeclType {
  const known = builtIn.get(schema)
  if (known) return known
  const fields = new Map<string, DeclField>()
  if (schema.type === 'struct') {
    const type: DeclType = { cel: structType(schema.goType || `object#${++structCount}`), fields, minSize: 2, maxElements: 0 }
    // Known before its fields are, for kinds that contain themselves.
    builtIn.set(schema, type)
    for (const [name, field] of schema.fields) {
      const escaped = escapeName(name)
      if (escaped !== undefined) fields.set(escaped, { name, type: declTypeOfFacts(field.schema), required: false })
    }
    return type
  }
  const type = factType(schema)
  builtIn.set(schema, type)
  return type
}

function factType(schema: Schema): DeclType {
  const element = schema.items ? declTypeOfFacts(schema.items) : simple(dynType, 1)
  switch (schema.type) {
    case 'list':
      return { cel: listType(element.cel), element, minSize: 2, maxElements: Math.floor(wholeRequest / (element.minSize + 1)) }
    case 'map':
      return { cel: mapType(stringType, element.cel), element, minSize: 2, maxElements: Math.floor(wholeRequest / (element.minSize + 6)) }
    case 'string':
    case 'quantity':
      return simple(stringType, 2, wholeRequest)
    case 'integer':
      return simple(intType, 1)
    case 'number':
      return simple(doubleType, 1)
    case 'boolean':
      return simple(boolType, 4)
    case 'time':
    case 'microTime':
      return simple(timestampType, 21, 32, 'date-time')
    case 'bytes':
      return simple(bytesType, 2, wholeRequest, 'byte')
    default:
      return simple(dynType, 1, wholeRequest)
  }
}

/** JSON as a CEL value: typed by `type`, else by what it is (whole numbers are ints). Lists and maps are read as they are used. */
export function celValue(json: unknown, type?: DeclType): CelValue {
  if (json === null || json === undefined) return null
  if (typeof json === 'boolean') return json
  if (typeof json === 'bigint') return type?.cel.kind === 'double' ? Number(json) : json
  if (typeof json === 'number') return type?.cel.kind === 'double' || !Number.isInteger(json) ? json : BigInt(json)
  if (typeof json === 'string') return typedText(json, type)
  if (Array.isArray(json)) return listValue(json, type)
  return isObject(json) ? new JsonMap(json, type) : null
}

function typedText(json: string, type: DeclType | undefined): CelValue {
  switch (type?.format) {
    case 'byte':
      try {
        return Uint8Array.from(atob(json), c => c.charCodeAt(0))
      } catch {
        throw new CelError(`byte formatted string ${JSON.stringify(json)} is not base64`)
      }
    case 'duration':
      return parseDuration(json)
    case 'date':
      return parseTimestamp(`${json}T00:00:00Z`)
    case 'date-time':
      return parseTimestamp(json)
    default:
      return json
  }
}

function listValue(json: readonly unknown[], type: DeclType | undefined): CelList {
  if (type?.listType === 'set') return new SetList(json, type.element)
  return type?.listType === 'map' ? new KeyedList(json, type) : new JsonList(json, type?.element)
}

class JsonList extends CelList {
  readonly items: readonly unknown[]
  readonly element: DeclType | undefined
  constructor(items: readonly unknown[], element: DeclType | undefined) {
    super()
    this.items = items
    this.element = element
  }
  get size(): number {
    return this.items.length
  }
  at(index: number): CelValue {
    return celValue(this.items[index], this.element)
  }
}

/** x-kubernetes-list-type: set. Order does not count, + is the union. */
class SetList extends JsonList {
  override equals(other: CelList): boolean {
    if (this.size !== other.size) return false
    const rest = [...other]
    return [...this].every(item => rest.some(x => equal(x, item)))
  }
  override concat(other: CelList): CelList {
    const mine = [...this]
    return new ArrayList([...mine, ...[...other].filter(item => !mine.some(x => equal(x, item)))])
  }
}

/** x-kubernetes-list-type: map. Elements are known by their keys; + replaces those of the same keys. */
class KeyedList extends JsonList {
  readonly #keys: readonly string[]
  constructor(items: readonly unknown[], type: DeclType) {
    super(items, type.element)
    this.#keys = type.mapKeys ?? []
  }
  #same(a: CelValue, b: CelValue): boolean {
    if (!(a instanceof CelMap) || !(b instanceof CelMap)) return false
    return this.#keys.every(name => {
      const key = escapeName(name) ?? name
      return equal(a.get(key) ?? null, b.get(key) ?? null)
    })
  }
  override equals(other: CelList): boolean {
    if (this.size !== other.size) return false
    const rest = [...other]
    return [...this].every(item => rest.some(x => this.#same(item, x) && equal(item, x)))
  }
  override concat(other: CelList): CelList {
    const theirs = [...other]
    const mine = [...this].map(item => theirs.find(x => this.#same(item, x)) ?? item)
    return new ArrayList([...mine, ...theirs.filter(x => !mine.includes(x))])
  }
}

class JsonMap extends CelMap {
  readonly #json: JsonObject
  readonly #type: DeclType | undefined
  constructor(json: JsonObject, type: DeclType | undefined) {
    super(type?.fields ? type.cel.name : undefined)
    this.#json = json
    this.#type = type
  }
  get size(): number {
    return this.keys().length
  }
  get(key: CelValue): CelValue | undefined {
    if (typeof key !== 'string') return undefined
    const field = this.#type?.fields?.get(key)
    const name = field?.name ?? key
    if (this.#type?.fields && !field) return undefined
    if (!Object.hasOwn(this.#json, name)) return undefined
    const value = this.#json[name]
    return value === undefined ? undefined : celValue(value, field?.type ?? this.#type?.element)
  }
  override has(key: CelValue): boolean {
    if (typeof key !== 'string') return false
    const field = this.#type?.fields?.get(key)
    if (this.#type?.fields && !field) return false
    const name = field?.name ?? key
    return Object.hasOwn(this.#json, name) && this.#json[name] !== undefined && !(field && this.#json[name] === null)
  }
  keys(): readonly CelValue[] {
    const { fields } = this.#type ?? {}
    if (!fields) return Object.keys(this.#json)
    return [...fields].filter(([, field]) => Object.hasOwn(this.#json, field.name)).map(([escaped]) => escaped)
  }
}

/** All struct types in a type, by name. */
export function structsOf(type: DeclType, into: Map<string, DeclType>): void {
  if (type.fields) {
    if (into.has(type.cel.name)) return
    into.set(type.cel.name, type)
    for (const field of type.fields.values()) structsOf(field.type, into)
  }
  if (type.element) structsOf(type.element, into)
}

/** The type at a path below `type`, as cost estimates name them. */
export function typeAt(type: DeclType, path: readonly string[]): DeclType | undefined {
  let current: DeclType | undefined = type
  for (const step of path) {
    if (step === '@items' || step === '@values') current = current?.element
    else if (step === '@keys') current = current?.element && simple(stringType, 2, wholeRequest)
    else current = current?.fields?.get(step)?.type
  }
  return current
}

/** The current time and such as values. */
export function timestampOf(ms: number): CelTimestamp {
  return new CelTimestamp(BigInt(Math.trunc(ms)) * 1_000_000n)
}
