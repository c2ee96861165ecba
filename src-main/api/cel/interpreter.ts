/**
 * Runs checked expressions and counts what they cost, by the rules of CEL's reference implementation: a step one unit,
 * functions over strings and lists by their size. An evaluation that costs more than its limit is broken off.
 */
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Select, StructExpr } from './ast.ts'
import type { Checked } from './checker.ts'
import { CelError } from './errors.ts'
import type { Overload } from './functions.ts'
import { callCost } from './runtime-cost.ts'
import { listCost, mapCost, structCost } from './limits.ts'
import type { CelType } from './types.ts'
import { ArrayList, CelList, CelMap, CelOptional, CelUint, keyText, noneOptional, typeOf, ValueMap } from './values.ts'
import type { CelValue } from './values.ts'

/** What variables hold; a function is called when the variable is first used. */
export type Bindings = Readonly<Record<string, CelValue | (() => CelValue)>>

export interface EvaluationOptions {
  /** Cost at which the evaluation is broken off. */
  readonly limit: number
}

export interface Evaluation {
  readonly value: CelValue
  readonly cost: number
}

/** Throws CelError; its `cost` is counted in `spent`. */
export class Evaluator {
  cost = 0
  readonly #checked: Checked
  readonly #bindings: Bindings
  readonly #limit: number
  readonly #locals: Map<string, CelValue>[] = []

  constructor(checked: Checked, bindings: Bindings, options: EvaluationOptions) {
    this.#checked = checked
    this.#bindings = bindings
    this.#limit = options.limit
  }

  run(): CelValue {
    return this.#eval(this.#checked.parsed.expr)
  }

  #spend(units: number): void {
    this.cost += units
    if (this.cost > this.#limit) throw new CelError('operation cancelled: actual cost limit exceeded', true)
  }

  #eval(e: Expr): CelValue {
    const named = this.#checked.typeValues.get(e.id)
    if (named) {
      this.#spend(1)
      return named
    }
    switch (e.kind) {
      case 'literal':
        return e.value
      case 'ident':
        return this.#ident(e.name)
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
        return this.#comprehension(e)
    }
  }

  #ident(name: string): CelValue {
    this.#spend(1)
    for (let i = this.#locals.length - 1; i >= 0; i--) {
      const local = this.#locals[i]?.get(name)
      if (local !== undefined) return local
    }
    const plain = name.startsWith('.') ? name.slice(1) : name
    const bound = Object.hasOwn(this.#bindings, plain) ? this.#bindings[plain] : undefined
    if (bound === undefined) throw new CelError(`no such attribute(s): ${plain}`)
    return typeof bound === 'function' ? bound() : bound
  }

  #select(e: Select): CelValue {
    const variable = this.#checked.dotted.get(e.id)
    if (variable !== undefined) return this.#ident(variable)
    const operand = this.#eval(e.operand)
    if (e.testOnly) return this.#presence(operand, e.field)
    this.#spend(1)
    if (operand instanceof CelOptional) return operand.value === undefined ? operand : optionalAt(operand.value, e.field)
    return at(operand, e.field)
  }

  #presence(operand: CelValue, field: string): boolean {
    const target = operand instanceof CelOptional ? operand.value : operand
    if (target === undefined) return false
    if (target instanceof CelMap) return target.has(field)
    throw new CelError(`no such key: ${field}`)
  }

  #call(e: Call): CelValue {
    switch (e.fn) {
      case '_&&_':
      case '_||_':
        return this.#logical(e)
      case '_?_:_':
        return this.#conditional(e)
      case '@not_strictly_false':
        return this.#notStrictlyFalse(e)
      case '_[_]':
      case '_[?_]':
      case '_?._':
        return this.#index(e)
      case 'or':
      case 'orValue':
        return this.#alternative(e)
      default:
    }
    const args = (e.target ? [e.target, ...e.args] : e.args).map(a => this.#eval(a))
    return this.#dispatch(e, args)
  }

  #dispatch(e: Call, args: readonly CelValue[]): CelValue {
    const overloads = this.#checked.overloads.get(e.id) ?? []
    const overload = overloads.length === 1 ? overloads[0] : overloads.find(o => fits(o, args))
    if (!overload?.run || !fits(overload, args)) throw noOverload(e.fn, args)
    const result = (overload.run as (...values: readonly CelValue[]) => CelValue)(...args)
    this.#spend(callCost(e.fn, overload.id, args, result))
    return result
  }

  /** Either side may decide alone: an error of the other is then nobody's concern. */
  #logical(e: Call): CelValue {
    const decides = e.fn === '_||_'
    let fault: unknown
    for (const arg of e.args) {
      try {
        const value = this.#eval(arg)
        if (value === decides) return decides
        if (typeof value !== 'boolean') fault ??= new CelError('no such overload')
      } catch (error) {
        if (!(error instanceof CelError) || error.isCostLimit) throw error
        fault ??= error
      }
    }
    if (fault !== undefined) throw fault
    return !decides
  }

  #conditional(e: Call): CelValue {
    const [condition, yes, no] = e.args
    if (!condition || !yes || !no) throw new CelError('no such overload')
    const value = this.#eval(condition)
    if (typeof value !== 'boolean') throw new CelError('no such overload')
    return this.#eval(value ? yes : no)
  }

  #notStrictlyFalse(e: Call): CelValue {
    let result = true
    try {
      const [arg] = e.args
      result = !arg || this.#eval(arg) !== false
    } catch (error) {
      if (!(error instanceof CelError) || error.isCostLimit) throw error
    }
    this.#spend(1)
    return result
  }

  #index(e: Call): CelValue {
    const [operand, key] = e.args
    if (!operand || !key) throw new CelError('no such overload')
    const target = this.#eval(operand)
    const index = this.#eval(key)
    this.#spend(1)
    if (target instanceof CelOptional) return target.value === undefined ? target : optionalAt(target.value, index)
    return e.fn === '_[_]' ? at(target, index) : optionalAt(target, index)
  }

  /** The other side is only looked at where this one is empty. */
  #alternative(e: Call): CelValue {
    const [other] = e.args
    if (!e.target || !other) throw new CelError('no such overload')
    const target = this.#eval(e.target)
    if (!(target instanceof CelOptional)) throw noOverload(e.fn, [target])
    this.#spend(1)
    if (target.value === undefined) return this.#eval(other)
    return e.fn === 'or' ? target : target.value
  }

  #list(e: ListExpr): CelValue {
    const items: CelValue[] = []
    for (const [i, element] of e.elements.entries()) {
      const value = this.#eval(element)
      if (!e.optional.has(i)) items.push(value)
      else if (!(value instanceof CelOptional)) throw new CelError(`cannot initialize optional list element from non-optional value ${typeOf(value).name}`)
      else if (value.value !== undefined) items.push(value.value)
    }
    this.#spend(listCost)
    return new ArrayList(items)
  }

  #map(e: MapExpr): CelValue {
    const entries: [CelValue, CelValue][] = []
    const seen = new Set<string>()
    for (const entry of e.entries) {
      const key = this.#eval(entry.key)
      const value = this.#optional(this.#eval(entry.value), entry.optional)
      const text = keyText(key)
      if (seen.has(text)) throw new CelError(`Failed with repeated key`)
      seen.add(text)
      if (value !== undefined) entries.push([key, value])
    }
    this.#spend(mapCost)
    return new ValueMap(entries)
  }

  #optional(value: CelValue, optional: boolean): CelValue | undefined {
    if (!optional) return value
    if (!(value instanceof CelOptional)) throw new CelError(`cannot initialize optional entry from non-optional value`)
    return value.value
  }

  #struct(e: StructExpr): CelValue {
    const entries: [CelValue, CelValue][] = []
    for (const field of e.fields) {
      const value = this.#optional(this.#eval(field.value), field.optional)
      if (value !== undefined) entries.push([field.name, value])
    }
    this.#spend(structCost)
    return new ValueMap(entries, e.typeName.replace(/^\./, ''))
  }

  #comprehension(e: Comprehension): CelValue {
    const range = this.#eval(e.range)
    let accu: CelValue | CelError = this.#eval(e.init)
    const scope = new Map<string, CelValue>([[e.accuVar, accu]])
    this.#locals.push(scope)
    try {
      for (const [first, second] of iteration(range, e.iterVar2 !== undefined)) {
        scope.set(e.iterVar, first)
        if (e.iterVar2 !== undefined) scope.set(e.iterVar2, second)
        if (!this.#goesOn(e, accu)) break
        accu = this.#step(e, accu)
        if (accu instanceof CelError) scope.delete(e.accuVar)
        else scope.set(e.accuVar, accu)
      }
      scope.delete(e.iterVar)
      if (accu instanceof CelError) throw accu
      return this.#eval(e.result)
    } finally {
      this.#locals.pop()
    }
  }

  #goesOn(e: Comprehension, accu: CelValue | CelError): boolean {
    if (accu instanceof CelError) {
      this.#spend(2)
      return true
    }
    return this.#eval(e.condition) === true
  }

  /** A step of && and || goes on past errors: a later element may decide. */
  #step(e: Comprehension, accu: CelValue | CelError): CelValue | CelError {
    const absorbing = e.step.kind === 'call' && (e.step.fn === '_&&_' || e.step.fn === '_||_') ? e.step : undefined
    if (!absorbing) return this.#eval(e.step)
    const decides = absorbing.fn === '_||_'
    try {
      if (!(accu instanceof CelError)) return this.#eval(absorbing)
      const predicate = absorbing.args[1]
      return predicate && this.#eval(predicate) === decides ? decides : accu
    } catch (error) {
      if (!(error instanceof CelError) || error.isCostLimit) throw error
      return accu instanceof CelError ? accu : error
    }
  }
}

function* iteration(range: CelValue, two: boolean): Generator<readonly [CelValue, CelValue]> {
  if (range instanceof CelList) {
    let index = 0n
    for (const item of range) yield two ? [index++, item] : [item, null]
    return
  }
  if (!(range instanceof CelMap)) throw new CelError(`got '${typeOf(range).name}', expected iterable type`)
  for (const key of range.keys()) yield [key, two ? (range.get(key) ?? null) : null]
}

function noOverload(fn: string, args: readonly CelValue[]): CelError {
  if (/^[_!@-]/.test(fn)) return new CelError('no such overload')
  return new CelError(`no such overload: ${fn}(${args.map(a => shortName(typeOf(a))).join(', ')})`)
}

function shortName(t: CelType): string {
  return t.name
}

function fits(overload: Overload, args: readonly CelValue[]): boolean {
  return overload.args.length === args.length && overload.args.every((t, i) => valueFits(args[i] ?? null, t))
}

/** Whether a value may be passed where a type is declared; only the outermost type counts, as at CEL's run time. */
function valueFits(value: CelValue, t: CelType): boolean {
  if (t.kind === 'dyn' || t.kind === 'param' || t.kind === 'any') return true
  const actual = typeOf(value)
  if (t.kind === 'list' && value instanceof CelList) {
    const [element] = t.parameters
    if (!element || value.size === 0) return true
    return valueFits(value.at(0), element)
  }
  if (t.kind === 'type') return actual.kind === 'type'
  return t.kind === actual.kind && (t.name === actual.name || t.kind === 'map')
}

/** Throws CelError where there is no such element. */
function at(target: CelValue, key: CelValue): CelValue {
  if (target instanceof CelList) {
    const index = listIndex(key)
    if (index < 0 || index >= target.size) throw new CelError(`index out of bounds: ${index}`)
    return target.at(index)
  }
  if (target instanceof CelMap) {
    const value = target.get(key)
    if (value === undefined) throw new CelError(`no such key: ${plainText(key)}`)
    return value
  }
  throw typeof key === 'string' ? new CelError(`no such key: ${key}`) : new CelError('no such overload')
}

function listIndex(key: CelValue): number {
  if (typeof key === 'bigint') return Number(key)
  if (key instanceof CelUint) return Number(key.value)
  if (typeof key === 'number' && Number.isInteger(key)) return key
  throw new CelError(`unsupported index type '${typeOf(key).name}' in list`)
}

function plainText(key: CelValue): string {
  return key instanceof CelUint ? key.value.toString() : String(key)
}

function optionalAt(target: CelValue, key: CelValue): CelOptional {
  if (target instanceof CelMap) {
    const value = target.get(key)
    return value === undefined ? noneOptional : value instanceof CelOptional ? value : new CelOptional(value)
  }
  if (target instanceof CelList) {
    const index = listIndex(key)
    return index < 0 || index >= target.size ? noneOptional : new CelOptional(target.at(index))
  }
  throw new CelError(`no such key: ${plainText(key)}`)
}
