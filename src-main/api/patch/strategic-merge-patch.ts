/**
 * Strategic merge patch: lists with the patch strategy `merge` are merged by their key, and the directives $patch
 * (replace, delete, merge), $retainKeys, $setElementOrder/<list> and $deleteFromPrimitiveList/<list> are obeyed, as
 * apimachinery's strategicpatch does. Strategies and keys come from the schema.
 */
import type { JsonObject } from '../json.ts'
import type { Schema, SchemaField } from '../schema.ts'
import { cloneJson, deepEqual, isObject, setOwn } from '../json.ts'
import { badRequest, unknownError } from '../status-error.ts'
import { goMap } from './go-format.ts'

const deletePrefix = '$deleteFromPrimitiveList/'
const orderPrefix = '$setElementOrder/'
const retainKey = '$retainKeys'
const directiveKey = '$patch'

/** The patched document; `document` is altered in place. Throws StatusError: 400 where the patch is no object, 500 (as Kubernetes) for bad directives. */
export function applyStrategicMergePatch(document: unknown, patch: unknown, schema: Schema): unknown {
  if (!isObject(patch)) {
    const type = Array.isArray(patch) ? 'array' : patch === null ? 'null' : typeof patch === 'boolean' ? 'bool' : typeof patch
    throw badRequest(`error decoding patch: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`)
  }
  const merged = mergeMap(isObject(document) ? document : {}, cloneJson(patch), schema)
  return merged
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = takeDirective(patch)
  if (directive === 'replace') return stripDirectives(patch) as JsonObject
  if (directive === 'delete') return {}
  applyRetainKeys(original, patch)
  const orders = takeOrders(patch)
  for (const key of Object.keys(patch)) {
    if (key.startsWith(deletePrefix)) deleteFromPrimitives(original, key.slice(deletePrefix.length), patch[key])
  }
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(deletePrefix)) mergeKey(original, key, patch[key], schema, orders.get(key))
    orders.delete(key)
  }
  // Orders of lists that the patch does not touch otherwise.
  for (const [key, order] of orders) mergeKey(original, key, [], schema, order)
  return original
}

function takeDirective(patch: JsonObject): string {
  if (!Object.hasOwn(patch, directiveKey)) return ''
  const directive = patch[directiveKey]
  delete patch[directiveKey]
  if (directive === 'replace' || directive === 'delete' || directive === 'merge') return directive
  throw unknownError(`unknown patch type: ${goMap(directive)} in map: ${goMap({ ...patch, [directiveKey]: directive })}`)
}

/** $retainKeys: fields of the original that are not listed go away first. */
function applyRetainKeys(original: JsonObject, patch: JsonObject): void {
  if (!Object.hasOwn(patch, retainKey)) return
  const keys = patch[retainKey]
  delete patch[retainKey]
  if (!Array.isArray(keys)) throw unknownError('unable to parse the list of keys: invalid patch format of retainKeys')
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && !keys.includes(key)) throw unknownError('invalid patch format of retainKeys')
  }
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key]
}

function takeOrders(patch: JsonObject): Map<string, unknown[]> {
  const orders = new Map<string, unknown[]>()
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(orderPrefix)) continue
    const order = patch[key]
    delete patch[key]
    if (!Array.isArray(order)) throw unknownError('cannot get the list of the order')
    orders.set(key.slice(orderPrefix.length), order)
  }
  return orders
}

function deleteFromPrimitives(original: JsonObject, key: string, values: unknown): void {
  const list = Object.hasOwn(original, key) ? original[key] : undefined
  if (!Array.isArray(values)) throw unknownError('invalid patch format of deleteFromPrimitiveList')
  if (Array.isArray(list)) original[key] = list.filter(item => !values.some(value => deepEqual(value, item)))
}

function fieldOf(schema: Schema | undefined, key: string): { schema: Schema | undefined; field: SchemaField | undefined } {
  if (schema?.type === 'map') return { schema: schema.items, field: undefined }
  const field = schema?.fields.get(key)
  return { schema: field?.schema, field }
}

function mergeKey(original: JsonObject, key: string, value: unknown, schema: Schema | undefined, order: unknown[] | undefined): void {
  if (value === null) {
    delete original[key]
    return
  }
  const { schema: child, field } = fieldOf(schema, key)
  const present = Object.hasOwn(original, key) ? original[key] : undefined
  if (isObject(value)) {
    // `replace` on the field means the same as a $patch: replace inside.
    const base = isObject(present) && !field?.patchStrategies.has('replace') ? present : {}
    if (isObject(present) || present === undefined) setOwn(original, key, mergeMap(base, value, child))
    else setOwn(original, key, stripDirectives(value))
  } else if (Array.isArray(value)) {
    if (order !== undefined && present === undefined && value.length === 0) return
    setOwn(original, key, mergeList(present, value, field, child, order))
  } else setOwn(original, key, value)
}

function mergeList(present: unknown, patch: unknown[], field: SchemaField | undefined, schema: Schema | undefined, order: unknown[] | undefined): unknown {
  if (!field?.patchStrategies.has('merge') || (present !== undefined && present !== null && !Array.isArray(present))) return withoutDirectives(patch)
  const list: unknown[] = Array.isArray(present) ? present : []
  if (field.mergeKey === undefined) return ordered(mergePrimitives(list, patch), list, patch, order ?? patch, item => item)
  const name = field.mergeKey
  const items = patch.map(item => objectItem(item, 'the elements of the list are not maps'))
  if (items.some(item => item[directiveKey] === 'replace')) return items.filter(item => item[directiveKey] !== 'replace').map(stripDirectives)
  const idOf = (item: unknown): unknown => (isObject(item) && Object.hasOwn(item, name) ? item[name] : undefined)
  const kept = items.filter(item => item[directiveKey] !== 'delete')
  const sequence = order ?? kept.map(item => cloneJson(item))
  const named = sequence.map((item, i) => keyed(objectItem(item, `value for key ${i} is not a map`), name))
  if (order !== undefined) checkCovers(kept, order, idOf)
  return ordered(mergeObjects(list, items, name, schema?.items), list, kept, named, idOf)
}

function objectItem(item: unknown, fault: string): JsonObject {
  if (!isObject(item)) throw unknownError(fault)
  return item
}

function keyed(item: JsonObject, name: string): JsonObject {
  if (!Object.hasOwn(item, name)) throw unknownError(`map: ${goMap(item)} does not contain declared merge key: ${name}`)
  return item
}

function mergePrimitives(list: unknown[], patch: unknown[]): unknown[] {
  const out = [...list]
  for (const item of patch) if (!out.some(present => deepEqual(present, item))) out.push(item)
  return out
}

function mergeObjects(list: unknown[], patch: JsonObject[], name: string, schema: Schema | undefined): unknown[] {
  let out = [...list]
  for (const item of patch) {
    const directive = takeDirective(item)
    const id = keyed(item, name)[name]
    const same = (present: unknown): boolean => isObject(present) && Object.hasOwn(present, name) && deepEqual(present[name], id)
    const at = out.findIndex(same)
    if (directive === 'delete') out = out.filter(present => !same(present))
    else if (at >= 0) out[at] = mergeMap(objectItem(out[at], 'the elements of the list are not maps'), item, schema)
    else out.push(mergeMap({}, item, schema))
  }
  return out
}

function withoutDirectives(list: unknown[]): unknown[] {
  if (list.some(item => isObject(item) && item[directiveKey] === 'replace')) {
    return list.filter(item => !(isObject(item) && item[directiveKey] === 'replace' && Object.keys(item).length === 1)).map(stripDirectives)
  }
  return list.map(stripDirectives)
}

/** What remains of a patch when there is nothing to merge it with: directives and nulls fall away. */
function stripDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(item => !(isObject(item) && item[directiveKey] === 'delete')).map(stripDirectives)
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    if (key === directiveKey || key === retainKey || key.startsWith(deletePrefix) || key.startsWith(orderPrefix) || value[key] === null) continue
    setOwn(out, key, stripDirectives(value[key]))
  }
  return out
}

/** Every item of the patch must stand in the order, in its sequence. */
function checkCovers(patch: readonly unknown[], order: readonly unknown[], idOf: (item: unknown) => unknown): void {
  let at = 0
  for (const item of patch) {
    while (at < order.length && !deepEqual(idOf(order[at]), idOf(item))) at++
    if (at >= order.length) throw unknownError(`The order in patch list:\n${goMap(patch)}\n doesn't match $setElementOrder list:\n${goMap(order)}\n`)
    at++
  }
}

/**
 * The merged list with the named items in the order's sequence. Others keep their sequence, and stand before a named
 * item that the original had behind them; new items come as early as the order allows.
 */
function ordered(merged: readonly unknown[], original: readonly unknown[], patch: readonly unknown[], order: readonly unknown[], idOf: (item: unknown) => unknown): unknown[] {
  if (order.length === 0 && patch.length === 0) return [...merged]
  const indexIn = (list: readonly unknown[], item: unknown): number => list.findIndex(other => deepEqual(idOf(other), idOf(item)))
  const named = merged.filter(item => indexIn(order, item) >= 0).sort((a, b) => indexIn(order, a) - indexIn(order, b))
  const others = merged.filter(item => indexIn(order, item) < 0)
  const out: unknown[] = []
  let n = 0
  let o = 0
  while (n < named.length || o < others.length) {
    const takeOther = n >= named.length || (o < others.length && isBefore(indexIn(original, others[o]), indexIn(original, named[n])))
    out.push(takeOther ? others[o++] : named[n++])
  }
  return out
}

function isBefore(a: number, b: number): boolean {
  return a >= 0 && b >= 0 && a < b
}
