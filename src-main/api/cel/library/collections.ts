/** Lists, sets, optionals and the map building of two-variable comprehensions. */
import { CelError } from '../errors.ts'
import { global, member } from '../functions.ts'
import type { Library } from '../functions.ts'
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, optionalType, paramType, stringType, timestampType, uintType } from '../types.ts'
import type { CelType } from '../types.ts'
import {
  ArrayList,
  CelDuration,
  CelList,
  CelMap,
  CelOptional,
  CelTimestamp,
  CelUint,
  checkInt,
  checkUint,
  compare,
  equal,
  keyText,
  noneOptional,
  sizeOf,
  typeOf,
  ValueMap,
} from '../values.ts'
import type { CelValue } from '../values.ts'

const t = paramType('T')
const k = paramType('K')
const v = paramType('V')
const listT = listType(t)
const mapKV = mapType(k, v)

const comparable: readonly (readonly [string, CelType])[] = [
  ['int', intType],
  ['uint', uintType],
  ['double', doubleType],
  ['bool', boolType],
  ['duration', durationType],
  ['timestamp', timestampType],
  ['string', stringType],
  ['bytes', bytesType],
]

function order(a: CelValue, b: CelValue): number {
  const result = compare(a, b)
  if (result === undefined) throw new CelError('no such overload')
  return result
}

function isSorted(list: CelList): boolean {
  const items = [...list]
  return items.every((item, i) => i === 0 || order(items[i - 1] ?? null, item) <= 0)
}

function extreme(name: string, sign: number): (list: CelList) => CelValue {
  return list => {
    let best: CelValue | undefined
    for (const item of list) if (best === undefined || order(item, best) * sign > 0) best = item
    if (best === undefined) throw new CelError(`${name} called on empty list`)
    return best
  }
}

const sums: Readonly<Record<string, (list: CelList) => CelValue>> = {
  int: list => [...list].reduce<bigint>((sum, x) => checkInt(sum + (x as bigint)), 0n),
  uint: list => [...list].reduce<CelUint>((sum, x) => checkUint(sum.value + (x as CelUint).value), new CelUint(0n)),
  double: list => [...list].reduce<number>((sum, x) => sum + (x as number), 0),
  duration: list => new CelDuration([...list].reduce<bigint>((sum, x) => sum + (x as CelDuration).ns, 0n)),
}

function position(list: CelList, item: CelValue): bigint {
  return BigInt([...list].findIndex(x => equal(x, item)))
}
function lastPosition(list: CelList, item: CelValue): bigint {
  return BigInt([...list].findLastIndex(x => equal(x, item)))
}

/** Kubernetes' own lists library. `includes` came with v1.37 and is left out: new expressions are held to what v1.36 knew. */
const kubernetesLists: Library = {
  isSorted: comparable.map(([name, type]) => member(`list_${name}_is_sorted_bool`, [listType(type)], boolType, isSorted)),
  sum: comparable.filter(([name]) => Object.hasOwn(sums, name)).map(([name, type]) => member(`list_${name}_sum_${name}`, [listType(type)], type, sums[name])),
  max: comparable.map(([name, type]) => member(`list_${name}_max_${name}`, [listType(type)], type, extreme('max', 1))),
  min: comparable.map(([name, type]) => member(`list_${name}_min_${name}`, [listType(type)], type, extreme('min', -1))),
  indexOf: [member('list_a_index_of_int', [listT, t], intType, position)],
  lastIndexOf: [member('list_a_last_index_of_int', [listT, t], intType, lastPosition)],
}

function slice(list: CelList, start: bigint, end: bigint): CelList {
  if (start < 0n || end < 0n) throw new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`)
  if (start > end) throw new CelError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`)
  if (BigInt(list.size) < end) throw new CelError(`cannot slice(${start}, ${end}), list is length ${list.size}`)
  return new ArrayList([...list].slice(Number(start), Number(end)))
}

function flat(list: CelList, depth: bigint): CelValue[] {
  if (depth < 0n) throw new CelError('level must be non-negative')
  return [...list].flatMap(item => (item instanceof CelList && depth > 0n ? flat(item, depth - 1n) : [item]))
}

function sortBy(list: CelList, keys: CelList): CelList {
  if (list.size !== keys.size)
    throw new CelError(`@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`)
  const order = [...keys].map((key, index) => ({ key, index }))
  const [first] = order
  if (!first) return list
  order.sort((a, b) => {
    if (typeOf(a.key).name !== typeOf(first.key).name || typeOf(b.key).name !== typeOf(first.key).name) throw new CelError('list elements must have the same type')
    const result = compare(a.key, b.key)
    if (result === undefined) throw new CelError('list elements must be comparable')
    return result || a.index - b.index
  })
  return new ArrayList(order.map(({ index }) => list.at(index)))
}

function distinct(list: CelList): CelList {
  const unique: CelValue[] = []
  for (const item of list) if (!unique.some(other => equal(item, other))) unique.push(item)
  return new ArrayList(unique)
}

/** The largest list that lists.range makes: more than any cost limit allows to walk. */
const maxRange = 1_000_000n

function range(count: bigint): CelList {
  if (count < 0n) throw new CelError(`lists.range: size must be non-negative, got ${count}`)
  if (count > maxRange) throw new CelError(`lists.range: size ${count} exceeds maximum allowed (${maxRange})`)
  return new ArrayList(Array.from({ length: Number(count) }, (_, i) => BigInt(i)))
}

/** cel-go's lists extension, version 3. */
const listExtension: Library = {
  slice: [member('list_slice', [listT, intType, intType], listT, slice)],
  flatten: [
    member('list_flatten', [listType(listT)], listT, (list: CelList) => new ArrayList(flat(list, 1n))),
    member('list_flatten_int', [listType(dynType), intType], listType(dynType), (list: CelList, depth: bigint) => new ArrayList(flat(list, depth))),
  ],
  sort: comparable.map(([name, type]) => member(`list_${name}_sort`, [listType(type)], listType(type), (list: CelList) => sortBy(list, list))),
  '@sortByAssociatedKeys': comparable.map(([name, type]) => member(`list_${name}_sortByAssociatedKeys`, [listT, listType(type)], listT, sortBy)),
  'lists.range': [global('lists_range', [intType], listType(intType), range)],
  reverse: [member('list_reverse', [listT], listT, (list: CelList) => new ArrayList([...list].reverse()))],
  distinct: [member('list_distinct', [listT], listT, distinct)],
}

function includesAll(list: CelList, other: CelList): boolean {
  return [...other].every(item => [...list].some(x => equal(x, item)))
}

const sets: Library = {
  'sets.contains': [global('list_sets_contains_list', [listT, listT], boolType, includesAll)],
  'sets.equivalent': [global('list_sets_equivalent_list', [listT, listT], boolType, (a: CelList, b: CelList) => includesAll(a, b) && includesAll(b, a))],
  'sets.intersects': [global('list_sets_intersects_list', [listT, listT], boolType, (a: CelList, b: CelList) => [...a].some(x => [...b].some(y => equal(x, y))))],
}

function isZero(value: CelValue): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true
  if (value instanceof CelUint) return value.value === 0n
  if (value instanceof CelDuration || value instanceof CelTimestamp) return value.ns === 0n
  if (value instanceof Uint8Array || value instanceof CelList || value instanceof CelMap) return sizeOf(value) === 0
  return value instanceof CelOptional && value.value === undefined
}

function valueOf(optional: CelOptional): CelValue {
  if (optional.value === undefined) throw new CelError('optional.none() dereference')
  return optional.value
}

function unwrapAll(list: CelList): CelList {
  return new ArrayList(
    [...list].flatMap(item => {
      if (!(item instanceof CelOptional)) throw new CelError('value is not optional')
      return item.value === undefined ? [] : [item.value]
    }),
  )
}

const ov = optionalType(v)
const firstOf = (list: CelList, index: number): CelOptional => (list.size === 0 ? noneOptional : new CelOptional(list.at(index)))

const optionals: Library = {
  'optional.of': [global('optional_of', [v], ov, (x: CelValue) => new CelOptional(x))],
  'optional.ofNonZeroValue': [global('optional_ofNonZeroValue', [v], ov, (x: CelValue) => (isZero(x) ? noneOptional : new CelOptional(x)))],
  'optional.none': [global('optional_none', [], ov, () => noneOptional)],
  value: [member('optional_value', [ov], v, valueOf)],
  hasValue: [member('optional_hasValue', [ov], boolType, (x: CelOptional) => x.value !== undefined)],
  or: [member('optional_or_optional', [ov, ov], ov)],
  orValue: [member('optional_orValue_value', [ov, v], v)],
  '_?._': [global('select_optional_field', [dynType, stringType], ov)],
  '_[_]': [global('optional_list_index_int', [optionalType(listType(v)), intType], ov), global('optional_map_index_value', [optionalType(mapKV), k], ov)],
  '_[?_]': [
    global('list_optindex_optional_int', [listType(v), intType], ov),
    global('optional_list_optindex_optional_int', [optionalType(listType(v)), intType], ov),
    global('map_optindex_optional_value', [mapKV, k], ov),
    global('optional_map_optindex_optional_value', [optionalType(mapKV), k], ov),
  ],
  first: [member('list_first', [listType(v)], ov, (list: CelList) => firstOf(list, 0))],
  last: [member('list_last', [listType(v)], ov, (list: CelList) => firstOf(list, list.size - 1))],
  'optional.unwrap': [global('optional_unwrap', [listType(ov)], listType(v), unwrapAll)],
  unwrapOpt: [member('optional_unwrapOpt', [listType(ov)], listType(v), unwrapAll)],
}

/** The map is the comprehension's own, made by its first step: it grows in place. */
function insert(map: CelMap, entries: readonly (readonly [CelValue, CelValue])[]): CelMap {
  const target = map instanceof ValueMap ? map : new ValueMap(map.keys().map(key => [key, map.get(key) ?? null] as const))
  for (const entry of entries) if (!target.add(entry)) throw new CelError(`insert failed: key ${keyText(entry[0]).slice(1)} already exists`)
  return target
}

const mapBuilding: Library = {
  'cel.@mapInsert': [
    global('@mapInsert_map_key_value', [mapKV, k, v], mapKV, (map: CelMap, key: CelValue, value: CelValue) => insert(map, [[key, value]])),
    global('@mapInsert_map_map', [mapKV, mapKV], mapKV, (map: CelMap, more: CelMap) =>
      insert(
        map,
        more.keys().map(key => [key, more.get(key) ?? null] as const),
      ),
    ),
  ],
}

export const collectionLibraries: readonly Library[] = [kubernetesLists, listExtension, sets, optionals, mapBuilding]
