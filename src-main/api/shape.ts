/** The last touch before an object is stored: exactly the fields that Kubernetes' encoder would write. */
import type { Schema, SchemaField } from './schema.ts'
import type { JsonObject } from './json.ts'
import { isObject } from './json.ts'

/**
 * Brings an object of a built-in kind into the form Kubernetes stores and shows, in place: zero values that its encoder
 * leaves out are removed; what it always writes is added, also as null (`rules: null`, `lastProbeTime: null`).
 * Readers of lists that are required must therefore expect null, as in Kubernetes.
 */
export function finishShape(object: object, schema: Schema): void {
  if (schema.type === 'struct' && !schema.structural) finishStruct(object as JsonObject, schema)
}

function finishStruct(object: JsonObject, schema: Schema): void {
  for (const field of schema.fields.values()) {
    const value = Object.hasOwn(object, field.name) ? object[field.name] : undefined
    if (value === undefined || value === null) finishAbsent(object, field)
    else if (!field.pointer && isEmpty(value, field)) finishEmpty(object, field)
    else finishValue(value, field.schema)
  }
}

function isEmpty(value: unknown, field: SchemaField): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (isObject(value)) return field.schema.type === 'map' && Object.keys(value).length === 0
  return value === '' || value === 0 || value === false
}

function finishEmpty(object: JsonObject, field: SchemaField): void {
  if (field.omit !== 'always') delete object[field.name]
  // An empty list or map that is always written is stored as nil, and nil is written as null.
  else if (typeof object[field.name] === 'object') object[field.name] = null
}

function finishAbsent(object: JsonObject, field: SchemaField): void {
  const { type } = field.schema
  if (field.pointer) {
    if (field.omit !== 'always') delete object[field.name]
    else if (object[field.name] !== null) object[field.name] = null
  } else if (type === 'struct' && field.omit !== 'zero') {
    const empty: JsonObject = {}
    finishStruct(empty, field.schema)
    object[field.name] = empty
  } else if ((type === 'time' || type === 'microTime') && field.omit !== 'zero') object[field.name] = null
  else if (field.omit === 'always') object[field.name] = zeroOf(type)
  else delete object[field.name]
}

function zeroOf(type: Schema['type']): unknown {
  switch (type) {
    case 'string':
      return ''
    case 'quantity':
      return '0'
    case 'integer':
    case 'number':
    case 'intOrString':
      return 0
    case 'boolean':
      return false
    default:
      return null
  }
}

function finishValue(value: unknown, schema: Schema): void {
  const items = schema.items
  if (schema.type === 'struct') {
    if (isObject(value)) finishStruct(value, schema)
  } else if (items !== undefined && (items.type === 'struct' || items.items !== undefined)) {
    if (Array.isArray(value)) value.forEach(item => finishValue(item, items))
    else if (isObject(value)) for (const key of Object.keys(value)) finishValue(value[key], items)
  }
}
