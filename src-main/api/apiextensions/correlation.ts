/**
 * Which part of an object's previous state belongs to a part of its next one (Kubernetes' CorrelatedObject): fields and
 * entries by their key, items of lists of type map by theirs. Items of other lists have no past.
 */
import { deepEqual, getOwn, isObject, stringifyJson } from '../json.ts'
import { schemaUnder } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Identity of an item of a list of type map: its keys, defaults filled in. */
export function mapItemKey(item: unknown, schema: StructuralSchema): string {
  return stringifyJson(
    schema.listMapKeys.map(key => {
      const value = getOwn(item, key)
      return value === undefined ? (schema.items?.properties.get(key)?.default ?? null) : [value]
    }),
  )
}

export class Correlation {
  readonly next: unknown
  readonly previous: unknown
  readonly #schema: StructuralSchema | undefined
  readonly #children = new Map<string | number, Correlation | undefined>()
  #byKey: Map<string, unknown> | undefined
  #equal: boolean | undefined

  constructor(next: unknown, previous: unknown, schema: StructuralSchema | undefined) {
    this.next = next
    this.previous = previous
    this.#schema = schema
  }

  key(field: string): Correlation | undefined {
    if (this.#children.has(field)) return this.#children.get(field)
    const child = this.#keyOf(field)
    this.#children.set(field, child)
    return child
  }

  #keyOf(field: string): Correlation | undefined {
    const { next, previous } = this
    const schema = schemaUnder(this.#schema, field)
    if (!schema || !isObject(next) || !isObject(previous) || !Object.hasOwn(next, field) || !Object.hasOwn(previous, field)) return undefined
    return new Correlation(next[field], previous[field], schema)
  }

  index(i: number): Correlation | undefined {
    if (this.#children.has(i)) return this.#children.get(i)
    const child = this.#indexOf(i)
    this.#children.set(i, child)
    return child
  }

  #indexOf(i: number): Correlation | undefined {
    const { next, previous } = this
    const schema = this.#schema
    if (schema?.listType !== 'map' || !schema.items || !Array.isArray(next) || !Array.isArray(previous) || i >= next.length) return undefined
    this.#byKey ??= new Map(previous.map((item: unknown) => [mapItemKey(item, schema), item]))
    const item: unknown = next[i]
    const old = isObject(item) ? this.#byKey.get(mapItemKey(item, schema)) : undefined
    return old === undefined || old === null ? undefined : new Correlation(item, old, schema.items)
  }

  /** Whether nothing changed. Lists of type map may be in another order; fields that the schema does not know count as changed. */
  get isUnchanged(): boolean {
    this.#equal ??= this.#compare()
    return this.#equal
  }

  #compare(): boolean {
    const { next, previous } = this
    if (Array.isArray(next)) {
      if (!Array.isArray(previous) || next.length !== previous.length) return false
      if (this.#schema?.listType !== 'map') return deepEqual(next, previous)
      return next.every((_, i) => this.index(i)?.isUnchanged === true)
    }
    if (!isObject(next)) return deepEqual(next ?? null, previous ?? null)
    if (!isObject(previous)) return false
    const keys = Object.keys(next)
    return keys.length === Object.keys(previous).length && keys.every(key => this.key(key)?.isUnchanged === true)
  }
}
