/** Lists that are sets or maps hold nothing twice (Kubernetes' listtype validation). Pure. */
import { duplicate, invalidValue } from '../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../field-errors.ts'
import { isObject, setOwn, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Faults of all lists in an object. */
export function listTypeFaults(object: JsonObject, schema: StructuralSchema | undefined, at: FieldPath): FieldErrorList {
  if (!schema?.hasListTypes) return []
  const faults: FieldErrorList = []
  const additional = schema.additionalProperties?.schema
  for (const key of Object.keys(object)) {
    // As upstream: additional properties apply to declared ones too; a schema has one or the other.
    if (additional) faults.push(...valueFaults(object[key], additional, at.key(key)))
    const property = schema.properties.get(key)
    if (property) faults.push(...valueFaults(object[key], property, at.child(key)))
  }
  return faults
}

function valueFaults(value: unknown, schema: StructuralSchema, at: FieldPath): FieldErrorList {
  if (isObject(value)) return listTypeFaults(value, schema, at)
  if (!Array.isArray(value) || !schema.hasListTypes) return []
  const faults: FieldErrorList = []
  if (schema.listType === 'set') for (const i of repeated(value)) faults.push(duplicate(at.index(i), value[i]))
  if (schema.listType === 'map') faults.push(...mapFaults(value, schema, at))
  const { items } = schema
  if (items) for (const [i, item] of value.entries()) faults.push(...valueFaults(item, items, at.index(i)))
  return faults
}

/** Where something stands a second time. */
function repeated(values: readonly unknown[]): number[] {
  const times = new Map<string, number>()
  return values.flatMap((value, i) => {
    const key = canonical(value)
    const before = times.get(key) ?? 0
    times.set(key, before + 1)
    return before === 1 ? [i] : []
  })
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!isObject(value)) return value === undefined ? 'undefined' : stringifyJson(value)
  return `{${Object.keys(value)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join()}}`
}

function mapFaults(list: readonly unknown[], schema: StructuralSchema, at: FieldPath): FieldErrorList {
  const wrong = list.findIndex(item => item !== null && !isObject(item))
  if (wrong >= 0) return [invalidValue(at.index(wrong), list[wrong], 'must be an object for an array of list-type map')]
  const keys = list.map(item => {
    const key: JsonObject = {}
    for (const name of schema.listMapKeys) if (isObject(item) && Object.hasOwn(item, name)) setOwn(key, name, item[name])
    return key
  })
  return repeated(keys).map(i => duplicate(at.index(i), keys[i]))
}
