/**
 * Values seen through their schema, as structured-merge-diff sees them: which fields stand in a value, what differs
 * between two, merging an applied configuration into an object, and taking fields out. Pure: nothing given is mutated.
 */
import { compareBytes, deepEqual, isObject, setOwn, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { Schema, SchemaField } from '../schema.ts'
import { FieldSet } from './field-set.ts'

/** A place in a schema. `deduced` is a value without schema: objects are granular, lists have one owner. */
export interface Place {
  readonly schema: Schema | undefined
  readonly atomic: boolean
}

const deduced: Place = { schema: undefined, atomic: false }

export function placeOf(schema: Schema): Place {
  return { schema, atomic: schema.atomic }
}

/** The place of a field of a struct or an entry of a map. */
export function placeOfKey({ schema }: Place, key: string): Place {
  if (schema === undefined || schema.type === 'any') return deduced
  if (schema.type === 'map') return schema.items ? placeOf(schema.items) : deduced
  const field = schema.fields.get(key)
  if (field === undefined) return deduced
  return { schema: field.schema, atomic: field.atomic || field.schema.atomic }
}

function placeOfItem({ schema }: Place): Place {
  return schema?.items ? placeOf(schema.items) : deduced
}

/** How a value is owned: as a whole, by its keys, or by its items. */
export function relationOf(place: Place, value: unknown): 'leaf' | 'map' | 'list' {
  const { schema, atomic } = place
  if (atomic || typeof value !== 'object' || value === null) return atomic || schema === undefined ? 'leaf' : granularType(schema)
  if (schema === undefined) return Array.isArray(value) ? 'leaf' : 'map'
  if (schema.type === 'any') return schema.structural && !Array.isArray(value) ? 'map' : 'leaf'
  const relation = granularType(schema)
  return (relation === 'map') === !Array.isArray(value) || relation === 'leaf' ? relation : 'leaf'
}

function granularType(schema: Schema): 'leaf' | 'map' | 'list' {
  if (schema.type === 'struct' || schema.type === 'map') return 'map'
  return schema.type === 'list' && schema.listType !== 'atomic' ? 'list' : 'leaf'
}

/** Keys of lists whose value the API server fills in before items are told apart. */
const keyDefaults: Readonly<Record<string, unknown>> = { protocol: 'TCP' }

/** The element that names an item of a set or map list; undefined where a map item has none of the keys. */
export function elementOf(schema: Schema, item: unknown): string | undefined {
  if (schema.listType === 'set') return `v:${stringifyJson(item)}`
  const keys: JsonObject = {}
  for (const key of [...schema.mapKeys].sort(compareBytes)) {
    const own = isObject(item) && Object.hasOwn(item, key) ? item[key] : undefined
    const value = own ?? schema.items?.fields.get(key)?.default ?? (schema.structural ? undefined : keyDefaults[key])
    if (value !== undefined && value !== null) setOwn(keys, key, value)
  }
  return Object.keys(keys).length === 0 ? undefined : `k:${stringifyJson(keys)}`
}

/** Items by their element, in order of first appearance; items without keys are told apart by place. */
export function itemsByElement(schema: Schema, list: readonly unknown[]): Map<string, unknown[]> {
  const out = new Map<string, unknown[]>()
  list.forEach((item, i) => {
    const element = elementOf(schema, item) ?? `i:${i}`
    const same = out.get(element)
    if (same) same.push(item)
    else out.set(element, [item])
  })
  return out
}

/** The fields that stand in a value: leaves, items of lists, entries of maps, empty objects. */
export function fieldsOf(value: unknown, place: Place): FieldSet {
  const set = new FieldSet()
  collect(value, place, [], set)
  return set
}

function collect(value: unknown, place: Place, path: string[], set: FieldSet): void {
  const relation = relationOf(place, value)
  if (relation === 'map' && isObject(value)) {
    for (const key of Object.keys(value)) collectEntry(value[key], place, key, path, set)
  } else if (relation === 'list' && Array.isArray(value) && place.schema) {
    for (const [element, items] of itemsByElement(place.schema, value)) {
      path.push(element)
      for (const item of items) collect(item, placeOfItem(place), path, set)
      set.insert(path)
      path.pop()
    }
  } else if (relation === 'leaf') set.insert(path)
}

function collectEntry(value: unknown, place: Place, key: string, path: string[], set: FieldSet): void {
  if (value === undefined) return
  path.push(`f:${key}`)
  collect(value, placeOfKey(place, key), path, set)
  const declared = place.schema?.type === 'struct' && place.schema.fields.has(key)
  if (!declared || value === null || (isObject(value) && Object.keys(value).length === 0)) set.insert(path)
  path.pop()
}

export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

/** What differs between two values of one schema. */
export function compare(before: unknown, after: unknown, place: Place): Comparison {
  const comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() }
  new Comparer(comparison).walk(before, after, place)
  return comparison
}

class Comparer {
  readonly #result: Comparison
  readonly #path: string[] = []

  constructor(result: Comparison) {
    this.#result = result
  }

  walk(before: unknown, after: unknown, place: Place): void {
    if (before === after) return
    const relation = this.#relation(before, after, place)
    if (relation === 'leaf') return this.#leaf(before, after)
    if (relation === 'map') this.#map(before, after, place)
    else this.#list(Array.isArray(before) ? before : [], Array.isArray(after) ? after : [], place)
    if (before === undefined) this.#result.added.insert(this.#path)
    else if (after === undefined) this.#result.removed.insert(this.#path)
  }

  #relation(before: unknown, after: unknown, place: Place): 'leaf' | 'map' | 'list' {
    const relation = relationOf(place, after ?? before)
    if (relation === 'leaf' || (before !== undefined && before !== null && relationOf(place, before) !== relation)) return 'leaf'
    // Two empty ones are leaves, so that null, {} and absent stay apart.
    return isEmpty(before) && isEmpty(after) ? 'leaf' : relation
  }

  #leaf(before: unknown, after: unknown): void {
    if (before === undefined) this.#result.added.insert(this.#path)
    else if (after === undefined) this.#result.removed.insert(this.#path)
    else if (!deepEqual(before, after)) this.#result.modified.insert(this.#path)
  }

  #map(left: unknown, right: unknown, place: Place): void {
    const before = isObject(left) ? left : {}
    const after = isObject(right) ? right : {}
    // Both stand: what one has as null (always written) and the other leaves out is then the same nothing.
    const both = left !== undefined && right !== undefined && place.schema?.structural === false
    for (const key of Object.keys(before)) this.#entry(before[key], Object.hasOwn(after, key) ? after[key] : undefined, place, key, both)
    for (const key of Object.keys(after)) if (!Object.hasOwn(before, key)) this.#entry(undefined, after[key], place, key, both)
    if (left === undefined && isObject(right) && place.schema) this.#nulls(after, place.schema)
  }

  /** A new item of a list brings along what is written as null although nobody sent it (`f:lastProbeTime`). */
  #nulls(after: JsonObject, schema: Schema): void {
    for (const name of writtenAsNull(schema)) {
      if (Object.hasOwn(after, name)) continue
      this.#path.push(`f:${name}`)
      this.#result.added.insert(this.#path)
      this.#path.pop()
    }
  }

  #entry(before: unknown, after: unknown, place: Place, key: string, both: boolean): void {
    if (before === after || (both && isNothing(before) && isNothing(after))) return
    this.#path.push(`f:${key}`)
    this.walk(before, after, placeOfKey(place, key))
    this.#path.pop()
  }

  #list(before: unknown[], after: unknown[], place: Place): void {
    // Most lists are as they were; telling their items apart costs more than comparing them.
    if (!place.schema || deepEqual(before, after)) return
    const left = itemsByElement(place.schema, before)
    const right = itemsByElement(place.schema, after)
    for (const [element, items] of left) this.#items(items, right.get(element) ?? [], place, element)
    for (const [element, items] of right) if (!left.has(element)) this.#items([], items, place, element)
  }

  #items(before: unknown[], after: unknown[], place: Place, element: string): void {
    this.#path.push(element)
    if (before.length <= 1 && after.length <= 1) this.walk(before[0], after[0], placeOfItem(place))
    else if (!deepEqual(before, after)) this.#leaf(before[0], after[0] === undefined || before[0] === undefined ? after[0] : after)
    this.#path.pop()
  }
}

const nullFields = new WeakMap<Schema, readonly string[]>()

/** Times that Kubernetes' encoder writes even when they are not set. */
function writtenAsNull(schema: Schema): readonly string[] {
  const known = nullFields.get(schema)
  if (known) return known
  const isTime = (field: SchemaField): boolean => field.schema.type === 'time' || field.schema.type === 'microTime'
  const names =
    schema.type === 'struct' && !schema.structural
      ? [...schema.fields.values()].filter(field => isTime(field) && !field.pointer && field.omit !== 'zero').map(field => field.name)
      : []
  nullFields.set(schema, names)
  return names
}

/** What Kubernetes keeps as nil: the schema's required lists are null in the store, [] after decoding, or not there. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return !isObject(value) || Object.keys(value).length === 0
}

/** An applied configuration laid over an object. */
export function merge(live: unknown, applied: unknown, place: Place): unknown {
  if (applied === undefined) return live
  if (live === undefined || applied === null || live === null) return applied
  const relation = relationOf(place, applied)
  if (relation === 'leaf' || relationOf(place, live) !== relation) return applied
  if (relation === 'map' && isObject(live) && isObject(applied)) return mergeMaps(live, applied, place)
  return Array.isArray(live) && Array.isArray(applied) ? mergeLists(live, applied, place) : applied
}

function mergeMaps(live: JsonObject, applied: JsonObject, place: Place): JsonObject {
  const out: JsonObject = { ...live }
  for (const key of Object.keys(applied)) setOwn(out, key, merge(Object.hasOwn(live, key) ? live[key] : undefined, applied[key], placeOfKey(place, key)))
  return out
}

/** Applied items keep their order; items of the object alone keep their place among their neighbours. */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], place: Place): unknown[] {
  const { schema } = place
  if (!schema) return [...applied]
  const left = itemsByElement(schema, live)
  const right = itemsByElement(schema, applied)
  const leftOrder = live.map((item, i) => elementOf(schema, item) ?? `i:${i}`)
  const rightOrder = [...right.keys()]
  const shared = rightOrder.filter(element => left.has(element))
  const merged = new Set<string>()
  const out: unknown[] = []
  const take = (element: string): void => {
    out.push(merge(left.get(element)?.[0], right.get(element)?.[0], placeOfItem(place)))
    merged.add(element)
    if (shared[0] === element) shared.shift()
  }
  let l = 0
  let r = 0
  while (l < leftOrder.length || r < rightOrder.length) {
    const own = leftOrder[l]
    const next = rightOrder[r]
    if (own !== undefined && own === next) {
      take(own)
      l++
      r++
    } else if (own !== undefined && next !== undefined && right.has(own) && shared[0] !== undefined && shared[0] !== own) l++
    else if (own !== undefined && !right.has(own)) out.push(live[l++])
    else {
      if (own !== undefined && merged.has(own)) l++
      if (next !== undefined) {
        take(next)
        r++
      }
    }
  }
  return out
}

/** The value without the fields of a set; what is left empty by that becomes undefined. */
export function withoutFields(value: unknown, set: FieldSet, place: Place): unknown {
  const relation = relationOf(place, value)
  if (relation === 'map' && isObject(value)) return mapWithout(value, set, place)
  if (relation === 'list' && Array.isArray(value) && place.schema) return listWithout(value, set, place, place.schema)
  return value
}

function mapWithout(value: JsonObject, set: FieldSet, place: Place): unknown {
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const element = `f:${key}`
    if (set.members.has(element)) continue
    const below = set.children.get(element)
    const at = placeOfKey(place, key)
    const child = below && !below.isEmpty ? withoutFields(value[key], below, at) : value[key]
    if (child !== undefined) setOwn(out, key, child)
    // In custom kinds nothing turns an emptied list or map into an absent one, as upstream: validation may refuse the null.
    else if (at.schema?.structural === true && value[key] !== undefined) setOwn(out, key, null)
  }
  return Object.keys(out).length === 0 && Object.keys(value).length > 0 ? undefined : out
}

function listWithout(value: readonly unknown[], set: FieldSet, place: Place, schema: Schema): unknown {
  const out: unknown[] = []
  value.forEach((item, i) => {
    const element = elementOf(schema, item) ?? `i:${i}`
    if (set.members.has(element)) return
    const below = set.children.get(element)
    const child = below && !below.isEmpty ? withoutFields(item, below, placeOfItem(place)) : item
    if (child !== undefined) out.push(child)
  })
  return out.length === 0 && value.length > 0 ? undefined : out
}

/** The set with every struct field on the way to a member made a member itself. */
export function withNamedFields(set: FieldSet, place: Place): FieldSet {
  const out = new FieldSet()
  for (const member of set.members) out.members.add(member)
  for (const [element, child] of set.children) {
    const named = element.startsWith('f:')
    const key = element.slice(2)
    if (named && place.schema?.type === 'struct' && place.schema.fields.has(key)) out.members.add(element)
    out.children.set(element, withNamedFields(child, named ? placeOfKey(place, key) : placeOfItem(place)))
  }
  return out
}
