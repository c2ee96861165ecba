/**
 * Objects of custom kinds as their structural schema wants them: fields that it does not know are dropped, nulls that it
 * does not allow too, defaults are filled in. All functions leave their argument alone and return the very same value
 * where there is nothing to do, so that stored bytes can be shared.
 */
import { cloneJson, setOwn } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { metaFields, schemaUnder } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Called with the path of each dropped field: `spec.a[0].b`. */
export type OnUnknown = (path: string) => void

/** A copy of `object` with some keys changed (undefined: left out). */
function changed(object: JsonObject, changes: ReadonlyMap<string, unknown>): JsonObject {
  const out: JsonObject = {}
  for (const key of Object.keys(object)) {
    const value = changes.has(key) ? changes.get(key) : object[key]
    if (value !== undefined) setOwn(out, key, value)
  }
  for (const [key, value] of changes) if (!Object.hasOwn(object, key) && value !== undefined) setOwn(out, key, value)
  return out
}

/** The list with each item replaced by what `change` makes of it; the list itself where nothing changes. */
function mapItems(list: readonly unknown[], change: (item: unknown, index: number) => unknown): readonly unknown[] {
  let out: unknown[] | undefined
  for (const [index, item] of list.entries()) {
    const next = change(item, index)
    if (next === item) continue
    out ??= [...list]
    out[index] = next
  }
  return out ?? list
}

/** Drops what the schema does not know. `isRoot` keeps apiVersion, kind and metadata. */
export function pruneUnknown(object: JsonObject, schema: StructuralSchema | undefined, isRoot: boolean, onUnknown?: OnUnknown): JsonObject {
  return prune(object, schema, isRoot, '', onUnknown) as JsonObject
}

function prune(value: unknown, schema: StructuralSchema | undefined, keepsMeta: boolean, path: string, onUnknown: OnUnknown | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (schema?.preserveUnknownFields === true) return skip(value, schema, keepsMeta, path, onUnknown)
  if (Array.isArray(value)) return mapItems(value, (item, index) => prune(item, schema?.items, schema?.items?.embeddedResource ?? false, `${path}[${index}]`, onUnknown))
  const object = value as JsonObject
  const changes = new Map<string, unknown>()
  for (const key of Object.keys(object)) {
    if (keepsMeta && metaFields.has(key)) continue
    const known = schema?.properties.get(key)
    const at = path === '' ? key : `${path}.${key}`
    if (known || schema?.additionalProperties) {
      const child = known ?? schema?.additionalProperties?.schema
      const next = prune(object[key], child, child?.embeddedResource ?? false, at, onUnknown)
      if (next !== object[key]) changes.set(key, next)
      continue
    }
    if (path !== '' || !metaFields.has(key)) onUnknown?.(at)
    changes.set(key, undefined)
  }
  return changes.size === 0 ? object : changed(object, changes)
}

/** Below x-kubernetes-preserve-unknown-fields everything stays, but what is specified is pruned again. */
function skip(value: object, schema: StructuralSchema | undefined, keepsMeta: boolean, path: string, onUnknown: OnUnknown | undefined): unknown {
  if (!schema) return value
  if (Array.isArray(value)) {
    const items = schema.items
    return mapItems(value, (item, index) =>
      typeof item === 'object' && item !== null ? skip(item, items, items?.embeddedResource ?? false, `${path}[${index}]`, onUnknown) : item,
    )
  }
  const object = value as JsonObject
  const changes = new Map<string, unknown>()
  for (const key of Object.keys(object)) {
    if (keepsMeta && metaFields.has(key)) continue
    if (!schema.properties.has(key) && !schema.additionalProperties) continue
    const child = schemaUnder(schema, key)
    const next = prune(object[key], child, child?.embeddedResource ?? false, path === '' ? key : `${path}.${key}`, onUnknown)
    if (next !== object[key]) changes.set(key, next)
  }
  return changes.size === 0 ? object : changed(object, changes)
}

/** Drops nulls where the schema allows none and has no default for them. */
export function pruneNulls<T>(value: T, schema: StructuralSchema | undefined): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return mapItems(value, item => pruneNulls(item, schema?.items)) as T
  const object = value as JsonObject
  const changes = new Map<string, unknown>()
  for (const key of Object.keys(object)) {
    const child = schemaUnder(schema, key)
    if (object[key] === null) {
      if (child && !child.nullable && child.default === undefined) changes.set(key, undefined)
      continue
    }
    const next = pruneNulls(object[key], child)
    if (next !== object[key]) changes.set(key, next)
  }
  return (changes.size === 0 ? object : changed(object, changes)) as T
}

/** Fills in the defaults of absent fields, and of nulls that are not allowed. */
export function applyDefaults<T>(value: T, schema: StructuralSchema | undefined): T {
  if (!schema?.hasDefaults || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return mapItems(value, item => applyDefaults(isForbiddenNull(item, schema.items) ? cloneJson(schema.items?.default ?? null) : item, schema.items)) as T
  const object = value as JsonObject
  const changes = new Map<string, unknown>()
  for (const [key, child] of schema.properties) {
    if (child.default !== undefined && (!Object.hasOwn(object, key) || object[key] === undefined || isForbiddenNull(object[key], child))) changes.set(key, cloneJson(child.default))
  }
  for (const key of new Set([...Object.keys(object), ...changes.keys()])) {
    const child = schemaUnder(schema, key)
    const present = changes.has(key) ? changes.get(key) : object[key]
    const filled = applyDefaults(isForbiddenNull(present, child) ? cloneJson(child?.default ?? null) : present, child)
    if (filled !== object[key]) changes.set(key, filled)
  }
  return (changes.size === 0 ? object : changed(object, changes)) as T
}

function isForbiddenNull(value: unknown, schema: StructuralSchema | undefined): boolean {
  return value === null && schema !== undefined && !schema.nullable
}
