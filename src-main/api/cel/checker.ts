/** Types of every node of an expression, and which overloads a call may mean. Messages are those of CEL's reference implementation. */
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Parsed, Select, SourceError, StructExpr } from './ast.ts'
import { CelCompileError } from './errors.ts'
import type { CelFunction, FunctionTable, Overload } from './functions.ts'
import {
  assignable,
  assignableAll,
  boolType,
  CelType,
  dynType,
  errorType,
  formatSignature,
  formatType,
  intType,
  isDyn,
  listType,
  mapType,
  mostGeneral,
  optionalType,
  optionalValueType,
  paramType,
  sameType,
  substitute,
  typeOfType,
} from './types.ts'
import type { Substitutions } from './types.ts'
import { typeOf } from './values.ts'

/** Structs that expressions may make and select from. */
export interface TypeProvider {
  /** Whether `name` is a type that `name{…}` makes. */
  hasStruct(name: string): boolean
  /** The type of a field; undefined where the struct has none such. */
  fieldType(struct: string, field: string): CelType | undefined
}

export interface CheckOptions {
  readonly variables: ReadonlyMap<string, CelType>
  readonly functions: FunctionTable
  /** Type names that are values: int, list, google.protobuf.Timestamp … */
  readonly typeNames: ReadonlyMap<string, CelType>
  readonly provider: TypeProvider
}

export interface Checked {
  readonly parsed: Parsed
  readonly type: CelType
  readonly types: ReadonlyMap<number, CelType>
  /** Overloads that a call may mean, by node. */
  readonly overloads: ReadonlyMap<number, readonly Overload[]>
  /** Nodes that name a type. */
  readonly typeValues: ReadonlyMap<number, CelType>
  /** Declared variables that are used. */
  readonly variables: ReadonlySet<string>
  /** Selections that name a variable with dots in its name. */
  readonly dotted: ReadonlyMap<number, string>
}

/** Throws CelCompileError. */
export function checkExpression(parsed: Parsed, options: CheckOptions): Checked {
  const checker = new Checker(parsed, options)
  checker.check(parsed.expr)
  if (checker.errors.length > 0) throw new CelCompileError(parsed.source.display(checker.errors))
  return checker.finish()
}

class Checker {
  readonly errors: SourceError[] = []
  readonly #parsed: Parsed
  readonly #options: CheckOptions
  readonly #types = new Map<number, CelType>()
  readonly #overloads = new Map<number, readonly Overload[]>()
  readonly #typeValues = new Map<number, CelType>()
  readonly #used = new Set<string>()
  readonly #dotted = new Map<number, string>()
  readonly #scopes: Map<string, CelType>[] = []
  #mapping: Substitutions = new Map()
  #variables = 0

  constructor(parsed: Parsed, options: CheckOptions) {
    this.#parsed = parsed
    this.#options = options
  }

  finish(): Checked {
    const types = new Map([...this.#types].map(([id, t]) => [id, substitute(this.#mapping, t, true)]))
    return {
      parsed: this.#parsed,
      type: types.get(this.#parsed.expr.id) ?? dynType,
      types,
      overloads: this.#overloads,
      typeValues: this.#typeValues,
      variables: this.#used,
      dotted: this.#dotted,
    }
  }

  #report(id: number, message: string): void {
    this.errors.push({ offset: this.#parsed.offsets.get(id) ?? 0, message })
  }

  #set(e: Expr, t: CelType): void {
    this.#types.set(e.id, t)
  }

  #typeOf(e: Expr): CelType {
    return this.#types.get(e.id) ?? errorType
  }

  #newVariable(): CelType {
    return paramType(`_var${this.#variables++}`)
  }

  #assignable(a: CelType, b: CelType): boolean {
    const next = assignable(this.#mapping, a, b)
    if (next) this.#mapping = next
    return next !== undefined
  }

  #mismatch(id: number, expected: CelType, found: CelType): void {
    this.#report(id, `expected type '${formatType(expected)}' but found '${formatType(found)}'`)
  }

  check(e: Expr): void {
    switch (e.kind) {
      case 'literal':
        return this.#set(e, typeOf(e.value))
      case 'ident':
        return this.#ident(e, e.name)
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

  #resolve(name: string): { type: CelType; value?: CelType } | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const local = this.#scopes[i]?.get(name)
      if (local) return { type: local }
    }
    const plain = name.startsWith('.') ? name.slice(1) : name
    const variable = this.#options.variables.get(plain)
    if (variable) {
      this.#used.add(plain)
      return { type: variable }
    }
    const named = this.#options.typeNames.get(plain)
    return named && { type: typeOfType(named), value: named }
  }

  #ident(e: Expr, name: string): void {
    const found = this.#resolve(name)
    if (!found) {
      this.#set(e, errorType)
      return this.#report(e.id, `undeclared reference to '${name.replace(/^\./, '')}' (in container '')`)
    }
    if (found.value) this.#typeValues.set(e.id, found.value)
    this.#set(e, found.type)
  }

  #select(e: Select): void {
    const qualified = e.testOnly ? undefined : qualifiedName(e)
    const named = qualified === undefined ? undefined : this.#options.typeNames.get(qualified)
    if (named) {
      this.#typeValues.set(e.id, named)
      return this.#set(e, typeOfType(named))
    }
    const variable = qualified === undefined ? undefined : this.#options.variables.get(qualified)
    if (variable && qualified !== undefined) {
      this.#used.add(qualified)
      this.#dotted.set(e.id, qualified)
      return this.#set(e, variable)
    }
    const result = this.#field(e, e.operand, e.field, false)
    this.#set(e, e.testOnly ? boolType : substitute(this.#mapping, result, false))
  }

  #field(e: Expr, operand: Expr, field: string, optional: boolean): CelType {
    this.check(operand)
    const operandType = substitute(this.#mapping, this.#typeOf(operand), false)
    const unwrapped = optionalValueType(operandType)
    const target = unwrapped ?? operandType
    let result: CelType = errorType
    if (target.kind === 'map') result = target.parameters[1] ?? dynType
    else if (target.kind === 'struct') {
      const found = this.#options.provider.fieldType(target.name, field)
      if (found) result = found
      else this.#report(e.id, `undefined field '${field}'`)
    } else if (target.kind === 'param') {
      this.#assignable(dynType, target)
      result = dynType
    } else {
      if (!isDyn(target) && target.kind !== 'error') this.#report(e.id, `type '${formatType(target)}' does not support field selection`)
      result = dynType
    }
    return unwrapped || optional ? optionalType(result) : result
  }

  #call(e: Call): void {
    if (e.fn === '_?._') return this.#optionalSelect(e)
    for (const arg of e.args) this.check(arg)
    if (!e.target) {
      const fn = this.#options.functions.get(e.fn.replace(/^\./, ''))
      if (fn) return this.#overload(e, fn, undefined)
      this.#set(e, errorType)
      return this.#report(e.id, `undeclared reference to '${e.fn}' (in container '')`)
    }
    const prefix = qualifiedName(e.target)
    const namespaced = prefix === undefined ? undefined : this.#options.functions.get(`${prefix}.${e.fn}`)
    if (namespaced) {
      e.fn = namespaced.name
      e.target = undefined
      return this.#overload(e, namespaced, undefined)
    }
    this.check(e.target)
    const fn = this.#options.functions.get(e.fn)
    if (fn) return this.#overload(e, fn, e.target)
    this.#set(e, errorType)
    this.#report(e.id, `undeclared reference to '${e.fn}' (in container '')`)
  }

  #optionalSelect(e: Call): void {
    const [operand, field] = e.args
    if (!operand || field?.kind !== 'literal') return this.#set(e, errorType)
    this.#set(field, typeOf(field.value))
    this.#set(e, substitute(this.#mapping, this.#field(e, operand, String(field.value), true), false))
  }

  #overload(e: Call, fn: CelFunction, target: Expr | undefined): void {
    const args = [...(target ? [target] : []), ...e.args].map(a => this.#typeOf(a))
    if (fn.name === '_&&_' || fn.name === '_||_') return this.#logical(e, fn, args)
    const matching: Overload[] = []
    let result: CelType | undefined
    for (const overload of fn.overloads) {
      if (overload.member !== (target !== undefined)) continue
      const [candidate, ...params] = this.#fresh([overload.result, ...overload.args])
      const next = assignableAll(this.#mapping, args, params)
      if (!next) continue
      this.#mapping = next
      matching.push(overload)
      const type = substitute(this.#mapping, candidate ?? dynType, false)
      if (!result) result = type
      else if (!isDyn(result) && !sameType(type, result)) result = dynType
    }
    if (!result) {
      const signature = formatSignature(
        args.map(t => substitute(this.#mapping, t, true)),
        target !== undefined,
      )
      this.#set(e, errorType)
      return this.#report(e.id, `found no matching overload for '${fn.name}' applied to '${signature}'`)
    }
    this.#overloads.set(e.id, matching)
    this.#set(e, result)
  }

  /** The types with type parameters of their own. */
  #fresh(types: readonly CelType[]): CelType[] {
    const names = new Map<string, CelType>()
    const rename = (t: CelType): CelType => {
      if (t.kind === 'param') {
        const known = names.get(t.name) ?? this.#newVariable()
        names.set(t.name, known)
        return known
      }
      return t.parameters.length === 0 ? t : new CelType(t.kind, t.name, t.parameters.map(rename))
    }
    return types.map(rename)
  }

  #logical(e: Call, fn: CelFunction, args: readonly CelType[]): void {
    let faulty = false
    for (const [i, arg] of e.args.entries()) {
      const type = args[i] ?? errorType
      if (this.#assignable(type, boolType)) continue
      faulty = true
      this.#mismatch(arg.id, boolType, type)
    }
    if (faulty) return this.#set(e, errorType)
    this.#overloads.set(e.id, fn.overloads)
    this.#set(e, boolType)
  }

  #element(e: Expr, isOptional: boolean): CelType {
    this.check(e)
    const type = this.#typeOf(e)
    if (!isOptional) return type
    const inner = optionalValueType(type)
    if (!inner && !isDyn(type)) this.#mismatch(e.id, optionalType(type), type)
    return inner ?? type
  }

  #join(e: Expr, previous: CelType | undefined, current: CelType): CelType {
    if (!previous) return current
    if (this.#assignable(previous, current)) return mostGeneral(previous, current)
    this.#mismatch(e.id, previous, current)
    return errorType
  }

  #list(e: ListExpr): void {
    let type: CelType | undefined
    for (const [i, element] of e.elements.entries()) {
      const current = this.#element(element, e.optional.has(i))
      type = this.#join(element, type, current)
    }
    this.#set(e, listType(type ?? this.#newVariable()))
  }

  #map(e: MapExpr): void {
    let keys: CelType | undefined
    let values: CelType | undefined
    for (const entry of e.entries) {
      this.check(entry.key)
      keys = this.#join(entry.key, keys, this.#typeOf(entry.key))
      const current = this.#element(entry.value, entry.optional)
      values = this.#join(entry.value, values, current)
    }
    this.#set(e, mapType(keys ?? this.#newVariable(), values ?? this.#newVariable()))
  }

  #struct(e: StructExpr): void {
    const name = e.typeName.replace(/^\./, '')
    if (!this.#options.provider.hasStruct(name)) {
      const known = this.#options.typeNames.get(name)
      if (known) this.#report(e.id, `'${known.name}' is not a message type`)
      else this.#report(e.id, `undeclared reference to '${name}' (in container '')`)
      return this.#set(e, errorType)
    }
    this.#set(e, new CelType('struct', name))
    for (const field of e.fields) {
      const value = this.#element(field.value, field.optional)
      const declared = this.#options.provider.fieldType(name, field.name)
      if (!declared) this.#report(field.id, `undefined field '${field.name}'`)
      else if (!this.#assignable(declared, value))
        this.#report(field.id, `expected type of field '${field.name}' is '${formatType(declared)}' but provided type is '${formatType(value)}'`)
    }
  }

  #comprehension(e: Comprehension): void {
    this.check(e.range)
    this.check(e.init)
    const range = substitute(this.#mapping, this.#typeOf(e.range), false)
    const accuType = this.#typeOf(e.init)
    const [first, second] = this.#iterationTypes(e, range)
    this.#scopes.push(new Map([[e.accuVar, accuType]]))
    const inner = new Map([[e.iterVar, first]])
    if (e.iterVar2 !== undefined) inner.set(e.iterVar2, second)
    this.#scopes.push(inner)
    this.check(e.condition)
    this.#assert(e.condition, boolType)
    this.check(e.step)
    this.#assert(e.step, accuType)
    this.#scopes.pop()
    this.check(e.result)
    this.#scopes.pop()
    this.#set(e, substitute(this.#mapping, this.#typeOf(e.result), false))
  }

  #assert(e: Expr, type: CelType): void {
    if (!this.#assignable(type, this.#typeOf(e))) this.#mismatch(e.id, type, this.#typeOf(e))
  }

  #iterationTypes(e: Comprehension, range: CelType): [CelType, CelType] {
    const two = e.iterVar2 !== undefined
    const [first = dynType, second = dynType] = range.parameters
    if (range.kind === 'list') return two ? [intType, first] : [first, dynType]
    if (range.kind === 'map') return [first, second]
    if (isDyn(range) || range.kind === 'error' || range.kind === 'param') {
      this.#assignable(dynType, range)
      return [dynType, dynType]
    }
    this.#report(e.range.id, `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`)
    return [errorType, errorType]
  }
}

/** `a.b.c` of selections down to an identifier. */
export function qualifiedName(e: Expr): string | undefined {
  if (e.kind === 'ident') return e.name.replace(/^\./, '')
  if (e.kind !== 'select' || e.testOnly) return undefined
  const prefix = qualifiedName(e.operand)
  return prefix === undefined ? undefined : `${prefix}.${e.field}`
}
