/** Every node of an OpenAPI schema, wherever it may hide. Pure. */
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'

const lists = ['allOf', 'anyOf', 'oneOf'] as const
const maps = ['properties', 'patternProperties', 'definitions', 'dependencies'] as const
const singles = ['not', 'additionalProperties', 'additionalItems'] as const

/** The node itself, then those below it: items, alternatives, properties in order of their names. */
export function schemaNodes(schema: JsonObject, into: JsonObject[] = []): JsonObject[] {
  into.push(schema)
  const { items } = schema
  for (const item of Array.isArray(items) ? items : [items]) if (isObject(item)) schemaNodes(item, into)
  for (const key of lists) {
    const list = schema[key]
    if (Array.isArray(list)) for (const item of list) if (isObject(item)) schemaNodes(item, into)
  }
  for (const key of maps) {
    const map = schema[key]
    if (isObject(map)) for (const name of Object.keys(map).sort()) if (isObject(map[name])) schemaNodes(map[name], into)
  }
  for (const key of singles) if (isObject(schema[key])) schemaNodes(schema[key], into)
  return into
}
