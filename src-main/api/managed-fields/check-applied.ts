/** The checks of an applied configuration against its schema, with structured-merge-diff's texts. */
import { isObject, stringifyJson } from '../json.ts'
import type { Schema } from '../schema.ts'
import { showPath } from './field-set.ts'
import { elementOf, placeOf, placeOfKey } from './typed.ts'
import type { Place } from './typed.ts'

/** `.spec.replicas: expected numeric (int or float), got string` and so on; empty when the configuration fits. */
export function appliedFaults(value: unknown, schema: Schema): string[] {
  const faults: string[] = []
  check(value, placeOf(schema), [], faults)
  return faults
}

function check(value: unknown, place: Place, path: string[], faults: string[]): void {
  const { schema } = place
  if (schema === undefined || value === null || value === undefined || schema.type === 'any') return
  const fault = typeFault(value, schema)
  if (fault !== undefined) faults.push(`${showPath(path)}: ${fault}`)
  else if (isObject(value)) checkMap(value, place, schema, path, faults)
  else if (Array.isArray(value)) checkList(value, schema, path, faults)
}

function typeFault(value: unknown, schema: Schema): string | undefined {
  switch (schema.type) {
    case 'struct':
    case 'map':
      return isObject(value) ? undefined : `expected map, got ${shown(value)}`
    case 'list':
      return Array.isArray(value) ? undefined : `expected list, got ${shown(value)}`
    case 'integer':
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? undefined : `expected numeric (int or float), got ${kindOf(value)}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got ${shown(value)}`
    case 'string':
    case 'bytes':
    case 'time':
    case 'microTime':
      return typeof value === 'string' ? undefined : `expected string, got ${shown(value)}`
    case 'quantity':
    case 'intOrString':
      return typeof value === 'object' || typeof value === 'boolean' ? `expected untyped, got ${shown(value)}` : undefined
    default:
      return undefined
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  return typeof value === 'object' ? 'map' : typeof value === 'boolean' ? 'boolean' : typeof value
}

function shown(value: unknown): string {
  return `&value.valueUnstructured{Value:${stringifyJson(value)}}`
}

function checkMap(value: Record<string, unknown>, place: Place, schema: Schema, path: string[], faults: string[]): void {
  for (const key of Object.keys(value)) {
    path.push(`f:${key}`)
    if (schema.type === 'struct' && !schema.preserveUnknown && !schema.fields.has(key)) faults.push(`${showPath(path)}: field not declared in schema`)
    else check(value[key], placeOfKey(place, key), path, faults)
    path.pop()
  }
}

function checkList(value: readonly unknown[], schema: Schema, path: string[], faults: string[]): void {
  const seen = new Set<string>()
  value.forEach((item, i) => {
    const element = schema.listType === 'atomic' ? `i:${i}` : elementOf(schema, item)
    if (element === undefined) {
      const keys = `[${schema.mapKeys.map(key => JSON.stringify(key)).join(' ')}]`
      faults.push(
        `${showPath(path)}: element ${i}: associative list with keys has an element that omits all key fields ${keys} (and doesn't have default values for any key fields)`,
      )
      return
    }
    if (seen.has(element)) faults.push(`${showPath(path)}: duplicate entries for key ${showPath([element])}`)
    seen.add(element)
    path.push(element)
    check(item, schema.items ? placeOf(schema.items) : { schema: undefined, atomic: false }, path, faults)
    path.pop()
  })
}
