/**
 * What the rules of a definition may cost at worst: each rule by itself, times how often its part of the schema can
 * stand in one object, and all together. Numbers are Kubernetes' (apiextensions validation); sums stop at the largest
 * uint64. Pure.
 */
import { maxRequestBytes } from '../cel/limits.ts'
import type { FieldPath } from '../field-errors.ts'
import type { JsonObject } from '../json.ts'

export const ruleCostLimit = 10_000_000
export const definitionCostLimit = 100_000_000
const largest = 2 ** 64

/** How often a part of a schema can stand in one object; undefined: as often as fits into a request. */
export type Cardinality = number | undefined

/** Times that the values inside of `schema` are more than `schema` itself. */
export function childCardinality(own: Cardinality, schema: Readonly<JsonObject>): Cardinality {
  if (own === undefined) return undefined
  const factor = factorOf(schema)
  return factor === undefined ? undefined : product(own, factor)
}

function factorOf(schema: Readonly<JsonObject>): Cardinality {
  const bound = (key: string): Cardinality => {
    const value = schema[key]
    return typeof value === 'number' || typeof value === 'bigint' ? Math.max(0, Number(value)) : undefined
  }
  if (schema['type'] === 'array') return bound('maxItems')
  if (schema['type'] === 'object' && schema['additionalProperties'] !== undefined) return bound('maxProperties')
  return 1
}

function product(a: number, b: number): number {
  return Math.min(largest, a * b)
}

/** The cost of a rule in all the places where it may run; `minSize` is the least that a value takes in a request. */
export function totalCost(cost: number, cardinality: Cardinality, minSize: number): number {
  return product(cost, cardinality ?? Math.floor(maxRequestBytes / (minSize + 1)))
}

export class CostSum {
  total = 0
  readonly #expensive: { readonly path: FieldPath; readonly cost: number }[] = []

  add(path: FieldPath, cost: number): void {
    this.total = Math.min(largest, this.total + cost)
    if (cost >= definitionCostLimit / 100) this.#expensive.push({ path, cost })
  }

  /** The four that cost most. */
  get mostExpensive(): readonly FieldPath[] {
    return [...this.#expensive]
      .sort((a, b) => b.cost - a.cost)
      .slice(0, 4)
      .map(one => one.path)
  }
}

export function costText(name: string, cost: number, limit: number): string {
  const factor = cost / limit
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`
  return `${name} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}
