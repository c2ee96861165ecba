/**
 * Three-way merge of objects: what one person changed is put onto what the object has become meanwhile. Lists of equal
 * length are merged element by element, others as a whole; what both changed differently is a clash, named by its path.
 */
import { deepEqual } from '../../../src-main/api/json.ts'

export interface Merged {
  merged: unknown
  clashes: string[]
}

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Absent members are `undefined`; `base` is what both began with. */
export function mergeThreeWay(base: unknown, mine: unknown, theirs: unknown, path = ''): Merged {
  if (deepEqual(mine, theirs) || deepEqual(base, mine)) return { merged: theirs, clashes: [] }
  if (deepEqual(base, theirs)) return { merged: mine, clashes: [] }
  if (isFields(mine) && isFields(theirs)) return mergeFields(isFields(base) ? base : {}, mine, theirs, path)
  if (Array.isArray(base) && Array.isArray(mine) && Array.isArray(theirs) && base.length === mine.length && base.length === theirs.length) {
    const parts = mine.map((value, i) => mergeThreeWay(base[i], value, theirs[i], `${path}[${i}]`))
    return { merged: parts.map(p => p.merged), clashes: parts.flatMap(p => p.clashes) }
  }
  return { merged: mine, clashes: [path] }
}

function mergeFields(base: Fields, mine: Fields, theirs: Fields, path: string): Merged {
  const merged: Fields = {}
  const clashes: string[] = []
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const part = mergeThreeWay(base[name], mine[name], theirs[name], path === '' ? name : `${path}.${name}`)
    if (part.merged !== undefined) merged[name] = part.merged
    clashes.push(...part.clashes)
  }
  return { merged, clashes }
}
