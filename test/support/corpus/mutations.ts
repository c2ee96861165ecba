/** Changes of an object, one field at a time: left out, emptied, and given what does not fit. Pure. */
import { schemaOf, type Schema } from '../../../src-main/api/schema.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

export interface Mutation {
  readonly title: string
  readonly value: Json
}

const strings = ['', 'x', 'A_', 'a b', '-1', '10.0.0.1']
const numbers = [-1, 0, 1, 70_000, 2_147_483_647]

/** Values to try where the present one stands, by its type. */
function othersFor(value: Json): Json[] {
  if (typeof value === 'string') return strings.filter(one => one !== value)
  if (typeof value === 'number') return numbers.filter(one => one !== value)
  if (typeof value === 'boolean') return [!value]
  if (Array.isArray(value))
    return [[], ...(value.length > 0 ? [[...value, structuredClone(value[0] ?? null)]] : []), ...(value.some(one => one !== null && typeof one === 'object') ? [[{}]] : [])]
  return value === null ? [] : [{}]
}

/** Values for a field that the object leaves out. */
function firstFor(schema: Schema): Json[] {
  switch (schema.type) {
    case 'string':
      return ['x', 'A_']
    case 'integer':
    case 'number':
      return [-1, 1]
    case 'boolean':
      return [true, false]
    case 'quantity':
      return ['1', '-1']
    case 'list':
      return schema.items?.type === 'string' ? [['x'], ['A_']] : schema.items?.type === 'struct' ? [[{}]] : []
    case 'map':
      return schema.items?.type === 'string' ? [{ k: 'v' }, { 'a b': 'c d' }] : []
    case 'struct':
      return [{}]
    case 'intOrString':
      return [-1, 'x', '150%']
    default:
      return []
  }
}

function* walk(value: Json, schema: Schema | undefined, path: string, place: (next: Json | undefined) => Json): Generator<Mutation> {
  if (path !== '') {
    yield { title: `${path} left out`, value: place(undefined) }
    for (const other of othersFor(value)) yield { title: `${path}=${JSON.stringify(other).slice(0, 120)}`, value: place(other) }
  }
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries())
      yield* walk(item, schema?.items, `${path}[${i}]`, next => place(next === undefined ? value.filter((_, j) => j !== i) : value.with(i, next)))
    return
  }
  if (value === null || typeof value !== 'object') return
  const put = (key: string, next: Json | undefined): Json => {
    const { [key]: _old, ...rest } = value
    return place(next === undefined ? rest : { ...rest, [key]: next })
  }
  for (const [key, child] of Object.entries(value)) {
    if (path === '' && (key === 'kind' || key === 'apiVersion' || key === 'metadata')) continue
    yield* walk(child, schema?.type === 'map' ? schema.items : schema?.fields.get(key)?.schema, path === '' ? key : `${path}.${key}`, next => put(key, next))
  }
  if (schema?.type !== 'struct') return
  for (const field of schema.fields.values()) {
    if (Object.hasOwn(value, field.name) || (path === '' && ['metadata', 'kind', 'apiVersion', 'status'].includes(field.name))) continue
    for (const first of firstFor(field.schema)) yield { title: `${path === '' ? '' : `${path}.`}${field.name}=${JSON.stringify(first)} added`, value: put(field.name, first) }
  }
}

export function mutationsOf(object: { [key: string]: Json }, r: AnyResource): Mutation[] {
  return [{ title: 'as it is', value: object }, ...walk(object, schemaOf(r), '', next => next ?? {})]
}
