/**
 * Makes functions of checked expressions, and counts what running them costs, by the rules of CEL's reference
 * implementation: a step one unit, functions over strings and lists by their size. An evaluation that costs more than
 * its limit is broken off. Everything that can be known beforehand (overloads, slots of variables, rules of cost) is
 * found once, so that a unit takes as little time as it can.
 */
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Select, StructExpr } from './ast.ts'
import type { Checked } from './checker.ts'
import { CelError } from './errors.ts'
import type { Overload } from './functions.ts'
import { costRule } from './runtime-cost.ts'
import type { CostRule } from './runtime-cost.ts'
import { listCost, mapCost, structCost } from './limits.ts'
import type { CelType } from './types.ts'
import { ArrayList, CelList, CelMap, CelOptional, CelUint, keyText, noneOptional, typeOf, ValueMap } from './values.ts'
import type { CelValue } from './values.ts'

/** What variables hold; a function is called when the variable is used. */
export type Bindings = Readonly<Record<string, CelValue | (() => CelValue)>>

export interface EvaluationOptions {
  /** Cost at which the evaluation is broken off. */
  readonly limit: number
}

export interface Evaluation {
  readonly value: CelValue
  readonly cost: number
}

/** One evaluation. */
class Frame {
  cost = 0
  readonly limit: number
  readonly bindings: Bindings
  /** Values of the comprehensions' variables. */
  readonly slots: CelValue[] = []
  constructor(bindings: Bindings, limit: number) {
    this.bindings = bindings
    this.limit = limit
  }
  spend(units: number): void {
    this.cost += units
    if (this.cost > this.limit) throw new CelError('operation cancelled: actual cost limit exceeded', true)
  }
}

type Step = (frame: Frame) => CelValue

/** Runs one expression. Throws CelError. */
export type Runner = (bindings: Bindings, options: EvaluationOptions) => Evaluation

export function compileRunner(checked: Checked): Runner {
  const step = new Compiler(checked).compile(checked.parsed.expr, new Map())
  return (bindings, { limit }) => {
    const frame = new Frame(bindings, limit)
    const value = step(frame)
    return { value, cost: frame.cost }
  }
}

/** Slots of the local variables that can be seen. */
type Scope = ReadonlyMap<string, number>

class Compiler {
  readonly #checked: Checked
  #slots = 0

  constructor(checked: Checked) {
    this.#checked = checked
  }

  compile(e: Expr, scope: Scope): Step {
    const named = this.#checked.typeValues.get(e.id)
    if (named)
      return frame => {
        frame.spend(1)
        return named
      }
    switch (e.kind) {
      case 'literal': {
        const { value } = e
        return () => value
      }
      case 'ident':
        return identStep(e.name, scope)
      case 'select':
        return this.#select(e, scope)
      case 'call':
        return this.#call(e, scope)
      case 'list':
        return this.#list(e, scope)
      case 'map':
        return this.#map(e, scope)
      case 'struct':
        return this.#struct(e, scope)
      case 'comprehension':
        return this.#comprehension(e, scope)
    }
  }

  #select(e: Select, scope: Scope): Step {
    const variable = this.#checked.dotted.get(e.id)
    if (variable !== undefined) return identStep(variable, new Map())
    const operand = this.compile(e.operand, scope)
    const { field } = e
    if (e.testOnly) return frame => presence(operand(frame), field)
    return frame => {
      const value = operand(frame)
      frame.spend(1)
      if (value instanceof CelOptional) return value.value === undefined ? value : optionalAt(value.value, field)
      return at(value, field)
    }
  }

  #call(e: Call, scope: Scope): Step {
    const [a, b, c] = e.args.map(arg => this.compile(arg, scope))
    switch (e.fn) {
      case '_&&_':
      case '_||_':
        return a && b ? logicalStep(e.fn === '_||_', a, b) : missing
      case '_?_:_':
        return a && b && c ? conditionalStep(a, b, c) : missing
      case '@not_strictly_false':
        return a ? notStrictlyFalseStep(a) : missing
      case '_[_]':
      case '_[?_]':
      case '_?._':
        return a && b ? indexStep(e.fn === '_[_]', a, b) : missing
      case 'or':
      case 'orValue':
        return e.target && a ? alternativeStep(e.fn === 'or', this.compile(e.target, scope), a) : missing
      default:
        return this.#function(e, scope)
    }
  }

  #function(e: Call, scope: Scope): Step {
    const args = (e.target ? [e.target, ...e.args] : e.args).map(arg => this.compile(arg, scope))
    const overloads = (this.#checked.overloads.get(e.id) ?? []).flatMap(overload => (overload.run ? [prepared(e.fn, overload)] : []))
    const [only, ...others] = overloads
    const [a, b] = args
    if (only && others.length === 0 && args.length === 1 && a) return unaryStep(e.fn, only, a)
    if (only && others.length === 0 && args.length === 2 && a && b) return binaryStep(e.fn, only, a, b)
    return frame => {
      const values = args.map(arg => arg(frame))
      const overload = overloads.find(one => one.fits.length === values.length && one.fits.every((fit, i) => fit(values[i] ?? null)))
      if (!overload) throw noOverload(e.fn, values)
      frame.spend(typeof overload.cost === 'number' ? overload.cost : overload.cost(values))
      return overload.run(...values)
    }
  }

  #list(e: ListExpr, scope: Scope): Step {
    const elements = e.elements.map(element => this.compile(element, scope))
    const { optional } = e
    return frame => {
      const items: CelValue[] = []
      for (const [i, element] of elements.entries()) {
        const value = element(frame)
        if (!optional.has(i)) items.push(value)
        else if (!(value instanceof CelOptional)) throw new CelError(`cannot initialize optional list element from non-optional value ${typeOf(value).name}`)
        else if (value.value !== undefined) items.push(value.value)
      }
      frame.spend(listCost)
      return new ArrayList(items)
    }
  }

  #map(e: MapExpr, scope: Scope): Step {
    const entries = e.entries.map(entry => ({ key: this.compile(entry.key, scope), value: this.compile(entry.value, scope), optional: entry.optional }))
    return frame => {
      const made: [CelValue, CelValue][] = []
      const seen = new Set<string>()
      for (const entry of entries) {
        const key = entry.key(frame)
        const value = unwrapped(entry.value(frame), entry.optional)
        const text = keyText(key)
        if (seen.has(text)) throw new CelError('Failed with repeated key')
        seen.add(text)
        if (value !== undefined) made.push([key, value])
      }
      frame.spend(mapCost)
      return new ValueMap(made)
    }
  }

  #struct(e: StructExpr, scope: Scope): Step {
    const fields = e.fields.map(field => ({ name: field.name, value: this.compile(field.value, scope), optional: field.optional }))
    const typeName = e.typeName.replace(/^\./, '')
    return frame => {
      const made: [CelValue, CelValue][] = []
      for (const field of fields) {
        const value = unwrapped(field.value(frame), field.optional)
        if (value !== undefined) made.push([field.name, value])
      }
      frame.spend(structCost)
      return new ValueMap(made, typeName)
    }
  }

  #comprehension(e: Comprehension, scope: Scope): Step {
    const accuSlot = this.#slots++
    const firstSlot = this.#slots++
    const secondSlot = this.#slots++
    const withAccu = new Map(scope).set(e.accuVar, accuSlot)
    const inside = new Map(withAccu).set(e.iterVar, firstSlot)
    if (e.iterVar2 !== undefined) inside.set(e.iterVar2, secondSlot)
    const absorbing = e.step.kind === 'call' && (e.step.fn === '_&&_' || e.step.fn === '_||_') ? e.step : undefined
    const predicate = absorbing?.args[1]
    const loop: Loop = {
      range: this.compile(e.range, scope),
      init: this.compile(e.init, scope),
      condition: e.condition.kind === 'literal' && e.condition.value === true ? undefined : this.compile(e.condition, inside),
      step: this.compile(e.step, inside),
      predicate: predicate ? this.compile(predicate, inside) : undefined,
      decides: absorbing?.fn === '_||_',
      result: this.compile(e.result, withAccu),
      accuSlot,
      firstSlot,
      secondSlot,
      two: e.iterVar2 !== undefined,
    }
    return frame => runLoop(frame, loop)
  }
}

interface Loop {
  readonly range: Step
  readonly init: Step
  /** undefined: always. */
  readonly condition: Step | undefined
  readonly step: Step
  /** Of steps with && and ||, which go on past errors: a later element may decide. */
  readonly predicate: Step | undefined
  readonly decides: boolean
  readonly result: Step
  readonly accuSlot: number
  readonly firstSlot: number
  readonly secondSlot: number
  readonly two: boolean
}

function runLoop(frame: Frame, loop: Loop): CelValue {
  const range = loop.range(frame)
  const { slots } = frame
  slots[loop.accuSlot] = loop.init(frame)
  const keys = range instanceof CelMap ? range.keys() : undefined
  const size = keys?.length ?? (range instanceof CelList ? range.size : undefined)
  if (size === undefined) throw new CelError(`got '${typeOf(range).name}', expected iterable type`)
  let fault: CelError | undefined
  for (let i = 0; i < size; i++) {
    const key = keys ? (keys[i] ?? null) : undefined
    if (loop.two) {
      slots[loop.firstSlot] = key ?? BigInt(i)
      slots[loop.secondSlot] = key === undefined ? (range as CelList).at(i) : ((range as CelMap).get(key) ?? null)
    } else slots[loop.firstSlot] = key ?? (range as CelList).at(i)
    if (fault) {
      const decided = decide(frame, loop)
      if (!decided) continue
      fault = undefined
      slots[loop.accuSlot] = loop.decides
    }
    if (loop.condition && loop.condition(frame) !== true) break
    try {
      slots[loop.accuSlot] = loop.step(frame)
    } catch (error) {
      if (!loop.predicate || !(error instanceof CelError) || error.isCostLimit) throw error
      fault = error
    }
  }
  if (fault) throw fault
  return loop.result(frame)
}

/** After an error: whether this element decides the whole all the same. */
function decide(frame: Frame, loop: Loop): boolean {
  frame.spend(2)
  try {
    return loop.predicate?.(frame) === loop.decides
  } catch (error) {
    if (!(error instanceof CelError) || error.isCostLimit) throw error
    return false
  }
}

const missing: Step = () => {
  throw new CelError('no such overload')
}

function identStep(name: string, scope: Scope): Step {
  const slot = scope.get(name)
  if (slot !== undefined)
    return frame => {
      frame.spend(1)
      return frame.slots[slot] ?? null
    }
  const plain = name.startsWith('.') ? name.slice(1) : name
  return frame => {
    frame.spend(1)
    const bound = Object.hasOwn(frame.bindings, plain) ? frame.bindings[plain] : undefined
    if (bound === undefined) throw new CelError(`no such attribute(s): ${plain}`)
    return typeof bound === 'function' ? bound() : bound
  }
}

function presence(operand: CelValue, field: string): boolean {
  const target = operand instanceof CelOptional ? operand.value : operand
  if (target === undefined) return false
  if (target instanceof CelMap) return target.has(field)
  throw new CelError(`no such key: ${field}`)
}

/** Either side may decide alone: an error of the other is then nobody's concern. */
function logicalStep(decides: boolean, left: Step, right: Step): Step {
  const attempt = (step: Step, frame: Frame): CelValue | CelError => {
    try {
      const value = step(frame)
      return typeof value === 'boolean' ? value : new CelError('no such overload')
    } catch (error) {
      if (!(error instanceof CelError) || error.isCostLimit) throw error
      return error
    }
  }
  return frame => {
    const a = attempt(left, frame)
    if (a === decides) return decides
    const b = attempt(right, frame)
    if (b === decides) return decides
    if (a instanceof CelError) throw a
    if (b instanceof CelError) throw b
    return !decides
  }
}

function conditionalStep(condition: Step, yes: Step, no: Step): Step {
  return frame => {
    const value = condition(frame)
    if (typeof value !== 'boolean') throw new CelError('no such overload')
    return value ? yes(frame) : no(frame)
  }
}

function notStrictlyFalseStep(arg: Step): Step {
  return frame => {
    let result = true
    try {
      result = arg(frame) !== false
    } catch (error) {
      if (!(error instanceof CelError) || error.isCostLimit) throw error
    }
    frame.spend(1)
    return result
  }
}

function indexStep(strict: boolean, operand: Step, key: Step): Step {
  return frame => {
    const target = operand(frame)
    const index = key(frame)
    frame.spend(1)
    if (target instanceof CelOptional) return target.value === undefined ? target : optionalAt(target.value, index)
    return strict ? at(target, index) : optionalAt(target, index)
  }
}

/** The other side is only looked at where this one is empty. */
function alternativeStep(keeps: boolean, target: Step, other: Step): Step {
  return frame => {
    const value = target(frame)
    if (!(value instanceof CelOptional)) throw noOverload(keeps ? 'or' : 'orValue', [value])
    frame.spend(1)
    if (value.value === undefined) return other(frame)
    return keeps ? value : value.value
  }
}

type Fit = (value: CelValue) => boolean

interface Prepared {
  readonly fits: readonly Fit[]
  readonly run: (...values: CelValue[]) => CelValue
  readonly cost: CostRule
}

function prepared(fn: string, overload: Overload): Prepared {
  return { fits: overload.args.map(fitOf), run: overload.run as unknown as Prepared['run'], cost: costRule(fn, overload.id) }
}

function unaryStep(fn: string, { fits, run, cost }: Prepared, arg: Step): Step {
  const fit = fits[0]
  return frame => {
    const value = arg(frame)
    if (fit && !fit(value)) throw noOverload(fn, [value])
    frame.spend(typeof cost === 'number' ? cost : cost([value]))
    return run(value)
  }
}

function binaryStep(fn: string, { fits, run, cost }: Prepared, left: Step, right: Step): Step {
  const [first, second] = fits
  return frame => {
    const a = left(frame)
    const b = right(frame)
    if ((first && !first(a)) || (second && !second(b))) throw noOverload(fn, [a, b])
    frame.spend(typeof cost === 'number' ? cost : cost([a, b]))
    return run(a, b)
  }
}

const always: Fit = () => true
const plainFits: Partial<Record<CelType['kind'], Fit>> = {
  dyn: always,
  any: always,
  param: always,
  int: value => typeof value === 'bigint',
  double: value => typeof value === 'number',
  string: value => typeof value === 'string',
  bool: value => typeof value === 'boolean',
  type: value => typeOf(value).kind === 'type',
}

/** Whether a value may be passed where a type is declared; only the outermost type counts, as at CEL's run time, and the first element of lists. */
function fitOf(t: CelType): Fit {
  const plain = plainFits[t.kind]
  if (plain) return plain
  if (t.kind === 'list') {
    const [element] = t.parameters
    const inner = element ? fitOf(element) : always
    return value => value instanceof CelList && (inner === always || value.size === 0 || inner(value.at(0)))
  }
  if (t.kind === 'map') return value => value instanceof CelMap
  return value => {
    const actual = typeOf(value)
    return t.kind === actual.kind && t.name === actual.name
  }
}

function noOverload(fn: string, args: readonly CelValue[]): CelError {
  if (/^[_!@-]/.test(fn)) return new CelError('no such overload')
  return new CelError(`no such overload: ${fn}(${args.map(a => typeOf(a).name).join(', ')})`)
}

function unwrapped(value: CelValue, optional: boolean): CelValue | undefined {
  if (!optional) return value
  if (!(value instanceof CelOptional)) throw new CelError('cannot initialize optional entry from non-optional value')
  return value.value
}

/** Throws CelError where there is no such element. */
function at(target: CelValue, key: CelValue): CelValue {
  if (target instanceof CelMap) {
    const value = target.get(key)
    if (value === undefined) throw new CelError(`no such key: ${plainText(key)}`)
    return value
  }
  if (target instanceof CelList) {
    const index = listIndex(key)
    if (index < 0 || index >= target.size) throw new CelError(`index out of bounds: ${index}`)
    return target.at(index)
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
