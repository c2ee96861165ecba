/** Whether the values of a custom kind have the types that its OpenAPI schema declares: validation behind it may rely on them. */
import { invalidValue, type FieldErrorList, type FieldPath } from './field-errors.ts'
import { getOwn, isObject } from './json.ts'

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return value === null ? 'null' : typeof value
}

/** Faults of `value` and all it holds; absent values have none. */
export function structuralTypeFaults(value: unknown, schema: unknown, at: FieldPath): FieldErrorList {
  const wanted = getOwn(schema, 'type')
  if (value === undefined || (value === null && getOwn(schema, 'nullable') === true)) return []
  const found = typeOf(value)
  if (typeof wanted === 'string' && found !== wanted && !(wanted === 'number' && found === 'integer'))
    return [invalidValue(at, found, `must be of type ${wanted}: ${JSON.stringify(found)}`)]
  if (Array.isArray(value)) return value.flatMap((item, index) => structuralTypeFaults(item, getOwn(schema, 'items'), at.index(index)))
  if (!isObject(value)) return []
  return Object.keys(value).flatMap(key => structuralTypeFaults(value[key], getOwn(getOwn(schema, 'properties'), key) ?? getOwn(schema, 'additionalProperties'), at.child(key)))
}
