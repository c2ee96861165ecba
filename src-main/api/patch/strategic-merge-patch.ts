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
    if (key.startsWith(deletePrefix)) {
      deleteFromPrimitives(original, key.slice(deletePrefix.length), patch[key])
    } else mergeKey(original, key, patch[key], schema)
  }
  for (const [key, order] of orders) applyOrder(original, key, order, patch, schema)
  return original
}

function takeDirective(patch: JsonObject): string {
  if (!Object.hasOwn(patch, directiveKey)) return ''
  const directive = patch[directiveKey]
  delete patch[directiveKey]
  if (directive === 'replace' || directive === 'delete' || directive === 'merge') return directive
  throw unknownError(`unknown patch type found: ${typeof directive === 'string' ? directive : goMap(directive)}`)
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

function takeOrders(patch: JsonObject): [string, unknown[]][] {
  const orders: [string, unknown[]][] = []
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(orderPrefix)) continue
    const order = patch[key]
    delete patch[key]
    if (!Array.isArray(order)) throw unknownError('cannot get the list of the order')
    orders.push([key.slice(orderPrefix.length), order])
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

function mergeKey(original: JsonObject, key: string, value: unknown, schema: Schema | undefined): void {
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
  } else if (Array.isArray(value)) setOwn(original, key, mergeList(present, value, field, child))
  else setOwn(original, key, value)
}

function mergeList(present: unknown, patch: unknown[], field: SchemaField | undefined, schema: Schema | undefined): unknown {
  if (!field?.patchStrategies.has('merge') || (present !== undefined && !Array.isArray(present))) return withoutDirectives(patch)
  const list = Array.isArray(present) ? present : []
  if (field.mergeKey === undefined || patch.some(item => !isObject(item))) {
    if (field.mergeKey !== undefined && patch.length > 0 && list.length > 0) throw unknownError(`the elements of the list are of different types`)
    return mergePrimitives(list, patch)
  }
  return mergeObjects(list, patch as JsonObject[], field.mergeKey, schema?.items)
}

function mergePrimitives(list: unknown[], patch: unknown[]): unknown[] {
  const out = [...list]
  for (const item of patch) if (!out.some(present => deepEqual(present, item))) out.push(item)
  return out
}

function mergeObjects(list: unknown[], patch: JsonObject[], mergeKeyName: string, schema: Schema | undefined): unknown[] {
  if (patch.some(item => item[directiveKey] === 'replace' && Object.keys(item).length === 1)) {
    return patch.filter(item => item[directiveKey] !== 'replace').map(stripDirectives)
  }
  let out = [...list]
  for (const item of patch) {
    const directive = takeDirective(item)
    if (directive === 'replace') {
      // A replace with more fields replaces the whole list by what stands in the patch.
      return patch.map(stripDirectives)
    }
    if (!Object.hasOwn(item, mergeKeyName)) throw unknownError(`map: ${goMap(item)} does not contain declared merge key: ${mergeKeyName}`)
    const id = item[mergeKeyName]
    const at = out.findIndex(present => isObject(present) && Object.hasOwn(present, mergeKeyName) && deepEqual(present[mergeKeyName], id))
    if (directive === 'delete') out = out.filter(present => !(isObject(present) && deepEqual(present[mergeKeyName], id)))
    else if (at >= 0) out[at] = mergeMap(out[at] as JsonObject, item, schema)
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

/** Sorts a list as $setElementOrder says; items that it does not name keep their place relative to their neighbours. */
function applyOrder(original: JsonObject, key: string, order: unknown[], patch: JsonObject, schema: Schema | undefined): void {
  const { field } = fieldOf(schema, key)
  const list = Object.hasOwn(original, key) ? original[key] : undefined
  const mergeKeyName = field?.mergeKey
  const idOf = (item: unknown): unknown => (mergeKeyName === undefined ? item : isObject(item) && Object.hasOwn(item, mergeKeyName) ? item[mergeKeyName] : missing)
  const ids = order.map(item => checkedId(idOf(item), item, mergeKeyName))
  checkCovers(patch[key], ids, idOf)
  if (!Array.isArray(list)) return
  const rank = (item: unknown): number => ids.findIndex(id => deepEqual(id, idOf(item)))
  setOwn(original, key, mergeOrders(list, rank))
}

const missing = Symbol('no merge key')

function checkedId(id: unknown, item: unknown, mergeKeyName: string | undefined): unknown {
  if (id === missing) throw unknownError(`map: ${goMap(item)} does not contain declared merge key: ${mergeKeyName ?? ''}`)
  return id
}

/** Every item of the patch must stand in the order, in its sequence. */
function checkCovers(patchList: unknown, ids: unknown[], idOf: (item: unknown) => unknown): void {
  if (!Array.isArray(patchList)) return
  const kept = patchList.filter(item => !(isObject(item) && Object.hasOwn(item, directiveKey))).map(idOf)
  let at = 0
  for (const id of kept) {
    while (at < ids.length && !deepEqual(ids[at], id)) at++
    if (at >= ids.length) throw unknownError('The order in patch list:\n' + `${goMap(kept)}` + '\n doesn\'t match $setElementOrder list:\n' + `${goMap(ids)}` + '\n')
    at++
  }
}

/** Named items in the order's sequence; others stay in front of the named item that they stood in front of. */
function mergeOrders(list: readonly unknown[], rank: (item: unknown) => number): unknown[] {
  const named = list.filter(item => rank(item) >= 0).sort((a, b) => rank(a) - rank(b))
  const others = list.filter(item => rank(item) < 0)
  const place = new Map(list.map((item, i) => [item, i]))
  const out: unknown[] = []
  let n = 0
  let o = 0
  while (n < named.length || o < others.length) {
    const other = others[o]
    const next = named[n]
    const takeOther = n >= named.length || (o < others.length && (place.get(other) ?? 0) < (place.get(next) ?? 0))
    out.push(takeOther ? other : next)
    if (takeOther) o++
    else n++
  }
  return out
}
