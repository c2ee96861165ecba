/**
 * What a checked expression may cost at most, before it ever runs: cel-go's estimator with the functions of Kubernetes'
 * libraries. Sizes come from literals, from bounds of the schema (by path) and from what calls make of sizes.
 */
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Select, StructExpr } from './ast.ts'
import { accumulator } from './ast.ts'
import type { Checked } from './checker.ts'
import { listCost, mapCost, regexFactor, stringTraversalFactor, structCost, unbounded } from './limits.ts'
import type { CelType } from './types.ts'
import { boolType, doubleType, dynType, durationType, intType, optionalValueType, sameType, timestampType, uintType } from './types.ts'
import { CelMap, pointCount } from './values.ts'
import { listOfRequirements } from './runtime-cost.ts'

/** A range of costs or sizes; `max` may be `unbounded`. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** The largest number of elements that the schema allows at a path (`self`, `spec`, `@items` …); undefined where unknown. */
export type SizeLookup = (path: readonly string[]) => number | undefined

export function estimateCost(checked: Checked, sizes: SizeLookup): Range {
  return new Estimator(checked, sizes).cost(checked.parsed.expr)
}

const cap = (x: number): number => Math.min(x, unbounded)
const exactly = (x: number): Range => ({ min: x, max: x })
const zero = exactly(0)
const one = exactly(1)
const unknown: Range = { min: 0, max: unbounded }
const add = (a: Range, b: Range): Range => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) })
const multiply = (a: Range, b: Range): Range => ({ min: a.min === 0 || b.min === 0 ? 0 : cap(a.min * b.min), max: a.max === 0 || b.max === 0 ? 0 : cap(a.max * b.max) })
const scale = (a: Range, factor: number): Range => ({ min: cap(Math.ceil(a.min * factor)), max: cap(Math.ceil(a.max * factor)) })
const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) })

interface EntrySize {
  readonly container: 'list' | 'map'
  readonly key: Range
  readonly value: Range
}

interface LocalVariable {
  readonly path: readonly string[]
  readonly size: Range | undefined
  readonly entry: EntrySize | undefined
}

interface CallEstimate {
  readonly cost: Range
  readonly size?: Range
}

const scalars = new Set<CelType['kind']>([boolType, doubleType, durationType, intType, timestampType, uintType].map(t => t.kind))

function isScalar(t: CelType): boolean {
  const inner = optionalValueType(t)
  return inner ? isScalar(inner) : scalars.has(t.kind)
}

const accessors = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast ' +
    'isLinkLocalUnicast isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch ' +
    'getScheme getHostname getHost getPort getEscapedPath getQuery'
  ).split(' '),
)

class Estimator {
  readonly #checked: Checked
  readonly #lookup: SizeLookup
  readonly #paths = new Map<number, readonly string[]>()
  readonly #sizes = new Map<number, Range>()
  readonly #entries = new Map<number, EntrySize>()
  readonly #locals = new Map<string, LocalVariable[]>()

  constructor(checked: Checked, lookup: SizeLookup) {
    this.#checked = checked
    this.#lookup = lookup
  }

  cost(e: Expr): Range {
    switch (e.kind) {
      case 'literal':
        return zero
      case 'ident':
        this.#paths.set(e.id, this.#local(e.name)?.path ?? [e.name])
        return one
      case 'select':
        return this.#select(e)
      case 'call':
        return this.#call(e)
      case 'list':
        return this.#list(e)
      case 'map':
        return this.#map(e)
      case 'struct':
        return this.#struct(e)
      case 'comprehension':
        return isBinding(e) ? this.#binding(e) : this.#comprehension(e)
    }
  }

  #local(name: string): LocalVariable | undefined {
    return this.#locals.get(name)?.at(-1)
  }
  #push(name: string, variable: LocalVariable): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), variable])
  }
  #pop(name: string): void {
    this.#locals.get(name)?.pop()
  }
  #type(e: Expr): CelType {
    return this.#checked.types.get(e.id) ?? dynType
  }
  #path(e: Expr): readonly string[] {
    return (e.kind === 'ident' ? this.#local(e.name)?.path : undefined) ?? this.#paths.get(e.id) ?? []
  }

  #select(e: Select): Range {
    const operand = this.cost(e.operand)
    if (e.testOnly) return operand
    const counted = ['map', 'struct', 'param'].includes(this.#type(e.operand).kind)
    const path = this.#path(e.operand)
    this.#paths.set(e.id, [...path, e.field])
    return counted ? add(operand, one) : operand
  }

  #list(e: ListExpr): Range {
    let sum = zero
    let item: Range = { min: e.elements.length === 0 ? 0 : unbounded, max: 0 }
    for (const element of e.elements) {
      sum = add(sum, this.cost(element))
      item = union(item, this.#sizeOrUnknown(element))
    }
    this.#entries.set(e.id, { container: 'list', key: one, value: item })
    return add(sum, exactly(listCost))
  }

  #map(e: MapExpr): Range {
    let sum = zero
    const start = { min: e.entries.length === 0 ? 0 : unbounded, max: 0 }
    let [key, value]: [Range, Range] = [start, start]
    for (const entry of e.entries) {
      sum = add(add(sum, this.cost(entry.key)), this.cost(entry.value))
      key = union(key, this.#sizeOrUnknown(entry.key))
      value = union(value, this.#sizeOrUnknown(entry.value))
    }
    this.#entries.set(e.id, { container: 'map', key, value })
    return add(sum, exactly(mapCost))
  }

  #struct(e: StructExpr): Range {
    return e.fields.reduce((sum, field) => add(sum, this.cost(field.value)), exactly(structCost))
  }

  #size(e: Expr): Range | undefined {
    const known = this.#sizes.get(e.id) ?? literalSize(e)
    if (known) return known
    const bound = this.#bound(this.#path(e))
    if (bound) {
      this.#sizes.set(e.id, bound)
      return bound
    }
    if (isScalar(this.#type(e))) return one
    return e.kind === 'ident' ? this.#local(e.name)?.size : undefined
  }

  #bound(path: readonly string[]): Range | undefined {
    if (path.length === 0 || path[0] === accumulator) return undefined
    const max = this.#lookup(path)
    return max === undefined ? undefined : { min: 0, max }
  }

  #sizeOrUnknown(e: Expr | undefined): Range {
    return (e && this.#size(e)) ?? unknown
  }

  #entry(e: Expr): EntrySize | undefined {
    return this.#entries.get(e.id) ?? (e.kind === 'ident' ? this.#local(e.name)?.entry : undefined)
  }

  #iterate(name: string, range: Expr, what: 'key' | 'value' | 'single'): void {
    const entry = this.#entry(range)
    const isList = (entry?.container ?? this.#type(range).kind) === 'list'
    const byValue = what === 'value' || (what === 'single' && isList)
    const sub = byValue ? (isList ? '@items' : '@values') : isList ? '@indices' : '@keys'
    this.#push(name, { path: [...this.#path(range), sub], size: byValue ? entry?.value : entry?.key, entry: undefined })
  }

  #comprehension(e: Comprehension): Range {
    let sum = add(this.cost(e.range), this.cost(e.init))
    this.#push(e.accuVar, { path: this.#path(e.init), size: this.#size(e.init), entry: this.#entry(e.init) })
    if (e.iterVar2 === undefined) this.#iterate(e.iterVar, e.range, 'single')
    else {
      this.#iterate(e.iterVar, e.range, 'key')
      this.#iterate(e.iterVar2, e.range, 'value')
    }
    const each = add(this.cost(e.condition), this.cost(e.step))
    const stepEntry = this.#entry(e.step)
    this.#pop(e.iterVar)
    if (e.iterVar2 !== undefined) this.#pop(e.iterVar2)
    sum = add(sum, this.cost(e.result))
    this.#pop(e.accuVar)
    const count = this.#sizeOrUnknown(e.range)
    if (e.init.kind === 'literal') this.#setSize(e, this.#size(e.init))
    else if (e.init.kind === 'list' || e.init.kind === 'map') {
      this.#setSize(e, count)
      if (stepEntry) this.#entries.set(e.id, stepEntry)
    }
    return add(sum, multiply(count, each))
  }

  #binding(e: Comprehension): Range {
    const sum = add(this.cost(e.range), this.cost(e.init))
    this.#push(e.accuVar, { path: this.#path(e.init), size: this.#size(e.init), entry: this.#entry(e.init) })
    const total = add(sum, this.cost(e.result))
    const [size, entry] = [this.#size(e.result), this.#entry(e.result)]
    this.#pop(e.accuVar)
    this.#setSize(e, size)
    if (entry) this.#entries.set(e.id, entry)
    return total
  }

  #setSize(e: Expr, size: Range | undefined): void {
    if (size) this.#sizes.set(e.id, size)
  }

  #call(e: Call): Range {
    const [first] = e.args
    if (e.fn === 'dyn' && first) {
      const cost = add(one, this.cost(first))
      this.#setSize(e, this.#size(first))
      const entry = this.#entry(first)
      if (entry) this.#entries.set(e.id, entry)
      return cost
    }
    const argCosts = e.args.map(arg => this.cost(arg))
    const ids = e.fn === '_?._' ? ['select_optional_field'] : (this.#checked.overloads.get(e.id) ?? []).map(o => o.id)
    if (ids.length === 0) return zero
    const target = e.target ? this.cost(e.target) : zero
    let total: Range = { min: unbounded, max: 0 }
    let size: Range | undefined
    for (const id of ids) {
      const estimate = this.#overload(e, id, argCosts)
      total = union(total, estimate.cost)
      if (estimate.size) size = size ? union(size, estimate.size) : estimate.size
      if ((id === 'index_list' || id === 'index_map') && first) {
        size = this.#entry(first)?.value
        this.#paths.set(e.id, [...this.#path(first), id === 'index_list' ? '@items' : '@values'])
      }
      size ??= this.#size(e)
    }
    this.#setSize(e, size)
    return add(target, total)
  }

  #overload(e: Call, id: string, argCosts: readonly Range[]): CallEstimate {
    const args = argCosts.reduce(add, zero)
    const library = this.#extension(e, id) ?? this.#kubernetes(e, id)
    if (library) return { ...library, cost: add(library.cost, args) }
    return this.#standard(e, id, argCosts, args)
  }

  /** cel-go's lists and sets extensions. */
  #extension(e: Call, id: string): CallEstimate | undefined {
    const target = this.#sizeOrUnknown(e.target)
    const literal = (index: number, otherwise: number): number => {
      const arg = e.args[index]
      return arg?.kind === 'literal' && typeof arg.value === 'bigint' ? Math.max(0, Number(arg.value)) : otherwise
    }
    const makes = (size: Range, factor = 1): CallEstimate => ({ cost: add(scale(size, factor), exactly(1 + listCost)), size })
    const sorted = (size: Range): CallEstimate => makes(multiply(size, size), /^list_(string|bytes)_/.test(id) ? 2 + stringTraversalFactor : 2)
    if (id === 'list_distinct' || /^list_\w+_sort$/.test(id)) return sorted(target)
    if (id.endsWith('_sortByAssociatedKeys')) return sorted(this.#sizeOrUnknown(e.args[0]))
    const product = (): Range => multiply(this.#sizeOrUnknown(e.args[0]), this.#sizeOrUnknown(e.args[1]))
    switch (id) {
      case 'lists_range':
        return makes(exactly(literal(0, unbounded)))
      case 'list_slice':
        return makes(exactly(Math.max(0, literal(1, target.max) - literal(0, 0))))
      case 'list_reverse':
      case 'list_flatten':
        return makes(target)
      case 'list_flatten_int':
        return makes(target, literal(0, unbounded))
      case 'list_sets_contains_list':
      case 'list_sets_intersects_list':
        return { cost: add(product(), one) }
      case 'list_sets_equivalent_list':
        return { cost: add(scale(product(), 2), one) }
      default:
        return undefined
    }
  }

  #kubernetes(e: Call, id: string): CallEstimate | undefined {
    const first = this.#sizeOrUnknown(e.args[0])
    const text = (size: Range, factor = stringTraversalFactor): CallEstimate => ({ cost: scale(size, factor) })
    if (e.fn === 'check') return { cost: exactly(350_000) }
    if (accessors.has(e.fn)) return { cost: one }
    switch (e.fn) {
      case 'fieldSelector':
      case 'labelSelector':
        return { cost: { min: listOfRequirements(first.min), max: cap(listOfRequirements(first.max)) } }
      case 'url':
      case 'jsonpatch.escapeKey':
        return { ...text(first), size: first }
      case 'cidr':
      case 'isIP':
      case 'isCIDR':
      case 'quantity':
      case 'isQuantity':
      case 'semver':
      case 'isSemver':
        return text(first)
      case 'ip':
        return id === 'cidr_ip' ? { cost: one } : text(first)
      case 'ip.isCanonical':
        return text(first, 2 * stringTraversalFactor)
      case 'containsIP':
      case 'containsCIDR':
        return this.#containment(e.fn, id, first)
      case 'validate':
        return { cost: scale(scale(first, stringTraversalFactor), 128 * regexFactor) }
      case '_==_':
        return this.#equality(e)
      default:
        return e.target ? this.#member(e, e.target, first) : undefined
    }
  }

  #member(e: Call, target: Expr, first: Range): CallEstimate | undefined {
    const size = this.#sizeOrUnknown(target)
    switch (e.fn) {
      case 'isSorted':
      case 'sum':
      case 'max':
      case 'min':
      case 'indexOf':
      case 'lastIndexOf':
        return this.#listWalk(target, size)
      case 'lowerAscii':
      case 'upperAscii':
      case 'substring':
      case 'trim':
        return { cost: scale(size, stringTraversalFactor), size }
      case 'replace':
        return { cost: scale(size, 2 * stringTraversalFactor), size: replacedSize(size, first, this.#sizeOrUnknown(e.args[1])) }
      case 'split': {
        const limit = e.args[1]
        const most = limit?.kind === 'literal' && typeof limit.value === 'bigint' && limit.value >= 0n ? Number(limit.value) : size.max
        return { cost: scale(size, 2 * stringTraversalFactor), size: { min: 0, max: most } }
      }
      case 'join':
        return this.#join(e, target, size)
      case 'find':
      case 'findAll':
        return { cost: multiply(scale(add(size, one), stringTraversalFactor), scale(first, regexFactor)), size: { min: 0, max: size.max } }
      default:
        return undefined
    }
  }

  #listWalk(target: Expr, size: Range): CallEstimate {
    const [element] = this.#type(target).parameters
    if (!element) return { cost: scale(size, stringTraversalFactor) }
    const isText = element.kind === 'string' || element.kind === 'bytes'
    const each = isText ? add(one, scale(this.#items(target), stringTraversalFactor)) : one
    return { cost: multiply(size, each) }
  }

  #items(target: Expr): Range {
    const path = this.#path(target)
    return (path.length > 0 ? this.#bound([...path, '@items']) : undefined) ?? unknown
  }

  #join(e: Call, target: Expr, list: Range): CallEstimate {
    let size = this.#type(target).parameters.length > 0 ? multiply(list, this.#items(target)) : zero
    const [separator] = e.args
    if (separator) size = add(size, multiply(this.#sizeOrUnknown(separator), { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) }))
    return { cost: scale(size, stringTraversalFactor), size }
  }

  #containment(fn: string, id: string, other: Range): CallEstimate {
    const bytes: Range = { min: 4, max: 16 }
    let cost = scale(add(bytes, bytes), stringTraversalFactor)
    if (fn === 'containsCIDR') cost = add(add(cost, scale(bytes, stringTraversalFactor)), one)
    return { cost: id.endsWith('_string') ? add(cost, scale(other, stringTraversalFactor)) : cost }
  }

  #equality(e: Call): CallEstimate | undefined {
    const [left, right] = e.args
    if (!left || !right) return undefined
    const type = this.#type(left)
    if (!sameType(type, this.#type(right))) return undefined
    if (type.kind === 'opaque' && (type.name === 'net.IP' || type.name === 'net.CIDR')) return { cost: one }
    if (type.kind !== 'struct' || !type.name.startsWith('kubernetes.')) return undefined
    if (type.name === 'kubernetes.NamedFormat') return { cost: scale({ min: 1, max: 64 }, stringTraversalFactor) }
    return { cost: type.name === 'kubernetes.URL' ? scale({ min: 1, max: this.#sizeOrUnknown(right).max }, stringTraversalFactor) : one }
  }

  #standard(e: Call, id: string, argCosts: readonly Range[], args: Range): CallEstimate {
    const size = (index: number): Range => this.#sizeOrUnknown(e.args[index])
    const text = (range: Range): Range => add(scale(range, stringTraversalFactor), args)
    switch (id) {
      case 'string_format':
        return { cost: text(this.#sizeOrUnknown(e.target)) }
      case 'string_to_bytes':
        return { cost: text(size(0)), size: { min: size(0).min, max: cap(size(0).max * 4) } }
      case 'bytes_to_string':
        return { cost: text(size(0)), size: { min: size(0).min / 4, max: size(0).max } }
      case 'strings_quote':
        return { cost: text(size(0)), size: { min: size(0).min + 2, max: cap(size(0).max * 2 + 2) } }
      case 'starts_with_string':
      case 'ends_with_string':
        return { cost: text(size(0)) }
      case 'in_list':
        return { cost: add(size(1), args) }
      case 'matches':
        return { cost: add(multiply(scale(add(size(0), one), stringTraversalFactor), scale(size(1), regexFactor)), args) }
      case 'matches_string':
        return { cost: add(multiply(scale(add(this.#sizeOrUnknown(e.target), one), stringTraversalFactor), scale(size(0), regexFactor)), args) }
      case 'contains_string':
        return { cost: add(multiply(scale(this.#sizeOrUnknown(e.target), stringTraversalFactor), scale(size(0), stringTraversalFactor)), args) }
      case 'logical_or':
      case 'logical_and':
        return { cost: { min: argCosts[0]?.min ?? 0, max: args.max } }
      case 'conditional':
        return this.#conditional(e, argCosts)
      case 'add_string':
      case 'add_bytes':
      case 'add_list':
        return this.#addition(e, id, args)
      default:
        return { cost: /^((less|greater)(_equals)?_(string|bytes)|equals|not_equals)$/.test(id) ? comparisonCost(size(0), size(1), args) : add(one, args) }
    }
  }

  #conditional(e: Call, [condition = zero, yes = zero, no = zero]: readonly Range[]): CallEstimate {
    const [, a, b] = e.args
    const [left, right] = [a && this.#entry(a), b && this.#entry(b)]
    if (left && right) this.#entries.set(e.id, { container: left.container, key: union(left.key, right.key), value: union(left.value, right.value) })
    return { cost: add(condition, union(yes, no)), size: union(this.#sizeOrUnknown(a), this.#sizeOrUnknown(b)) }
  }

  #addition(e: Call, id: string, args: Range): CallEstimate {
    const [a, b] = e.args
    const size = add(this.#sizeOrUnknown(a), this.#sizeOrUnknown(b))
    const [left, right] = [a && this.#entry(a), b && this.#entry(b)]
    if (left && right) this.#entries.set(e.id, { container: left.container, key: union(left.key, right.key), value: union(left.value, right.value) })
    return { cost: add(id === 'add_list' ? one : scale(size, stringTraversalFactor), args), size }
  }
}

function comparisonCost(a: Range, b: Range, args: Range): Range {
  const max = Math.min(a.max, b.max)
  return add(scale({ min: max > 0 ? 1 : 0, max }, stringTraversalFactor), args)
}

function replacedSize(text: Range, from: Range, to: Range): Range {
  let [countMin, countMax, keptMin, keptMax] = [0, 0, 0, 0]
  if (from.min === 0) [countMax, keptMax] = [cap(text.max + 1), text.max]
  else if (to.max <= from.min) keptMax = text.max
  else countMax = Math.ceil(text.max / from.min)
  if (from.max === 0) [countMin, keptMin] = [text.min + 1, text.min]
  else if (from.max <= to.min) keptMin = text.min
  else countMin = Math.ceil(text.min / from.max)
  return add(multiply({ min: countMin, max: countMax }, to), { min: keptMin, max: keptMax })
}

function literalSize(e: Expr): Range | undefined {
  if (e.kind === 'list') return exactly(e.elements.length)
  if (e.kind === 'map') return exactly(e.entries.length)
  if (e.kind !== 'literal') return undefined
  if (typeof e.value === 'string') return exactly(pointCount(e.value))
  if (e.value instanceof Uint8Array) return exactly(e.value.length)
  return e.value instanceof CelMap ? undefined : one
}

/** optMap and sortBy bind a variable by a comprehension over nothing. */
function isBinding(e: Comprehension): boolean {
  return e.range.kind === 'list' && e.range.elements.length === 0 && e.condition.kind === 'literal' && e.condition.value === false && e.accuVar !== accumulator
}
