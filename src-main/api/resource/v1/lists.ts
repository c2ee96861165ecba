/** Lists and maps whose size is bounded, as the kinds of this group check them. */
import { duplicate, tooMany } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'

/** Faults of the items; only the size, when there are too many. */
export function itemsFaults<T>(items: readonly T[] | undefined, max: number, path: FieldPath, check: (item: T, at: FieldPath) => FieldErrorList): FieldErrorList {
  const list = items ?? []
  return list.length > max ? [tooMany(path, list.length, max)] : list.flatMap((item, i) => check(item, path.index(i)))
}

/** As itemsFaults; no two items with one key. `shown` is what a duplicate's text repeats. */
export function setFaults<T>(
  items: readonly T[] | undefined,
  max: number,
  path: FieldPath,
  check: (item: T, at: FieldPath) => FieldErrorList,
  keyOf: (item: T) => string,
  shown: (item: T) => unknown = keyOf,
): FieldErrorList {
  const list = items ?? []
  if (list.length > max) return [tooMany(path, list.length, max)]
  const seen = new Set<string>()
  const repeated = list.flatMap((item, i) => {
    const known = seen.has(keyOf(item))
    seen.add(keyOf(item))
    return known ? [duplicate(path.index(i), shown(item))] : []
  })
  return [...list.flatMap((item, i) => check(item, path.index(i))), ...repeated]
}

/** Keys are checked at the map's own path, values at their key. */
export function mapFaults<T>(
  map: Readonly<Record<string, T>> | undefined,
  max: number,
  path: FieldPath,
  checkKey: (key: string, at: FieldPath) => FieldErrorList,
  check: (item: T, at: FieldPath) => FieldErrorList = () => [],
): FieldErrorList {
  const entries = Object.entries(map ?? {})
  if (entries.length > max) return [tooMany(path, entries.length, max)]
  return entries.flatMap(([key, item]) => [...checkKey(key, path), ...check(item, path.key(key))])
}
