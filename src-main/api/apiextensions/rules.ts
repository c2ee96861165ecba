/**
 * x-kubernetes-validations of a schema (KEP 2876): compiled once a node, run over objects with Kubernetes' budget, texts
 * and order. Transition rules see the previous state where it can be told which it is; faults of what did not change
 * are forgiven (ratcheting).
 */
import { CelCompileError, CelError, celEnvironment } from '../cel/cel.ts'
import type { Bindings, CelProgram } from '../cel/cel.ts'
import { maxMessageBytes, perCallLimit, runtimeBudget } from '../cel/limits.ts'
import { celValue, declTypeOfSchema } from '../cel/schema-types.ts'
import type { DeclType } from '../cel/schema-types.ts'
import { boolType, stringType } from '../cel/types.ts'
import { CelOptional, noneOptional } from '../cel/values.ts'
import type { CelValue } from '../cel/values.ts'
import { duplicate, forbiddenField, invalidWithoutValue, required } from '../field-errors.ts'
import type { FieldError, FieldErrorList, FieldPath } from '../field-errors.ts'
import type { ValidationRule } from '../generated/apiextensions-v1.ts'
import { isObject, quoteGo, stringifyJson } from '../json.ts'
import { byteLength } from '../names.ts'
import { Correlation, mapItemKey } from './correlation.ts'
import { findField } from './field-paths.ts'
import { formatGoFloat } from './go-numbers.ts'
import type { StructuralSchema } from './structural-schema.ts'

export interface CompiledRule {
  readonly rule: ValidationRule
  /** Absent for an empty rule and for one with a fault. */
  readonly program: CelProgram | undefined
  readonly fault: string | undefined
  readonly usesOldSelf: boolean
  readonly message: CelProgram | undefined
  readonly messageFault: string | undefined
  /** '' where the rule names none. */
  readonly fieldPath: string
}

export interface RuleSet {
  /** undefined: nothing of this schema can be said in CEL. */
  readonly type: DeclType | undefined
  readonly rules: readonly CompiledRule[]
}

const sets = new WeakMap<StructuralSchema, Map<boolean, RuleSet>>()

/** The rules that stand at a node; `isRoot` for a resource or an embedded one. */
export function rulesAt(schema: StructuralSchema, isRoot: boolean): RuleSet {
  const known = sets.get(schema) ?? new Map<boolean, RuleSet>()
  sets.set(schema, known)
  let set = known.get(isRoot)
  if (!set) known.set(isRoot, (set = compileSet(schema, isRoot)))
  return set
}

function compileSet(schema: StructuralSchema, isRoot: boolean): RuleSet {
  const type = declTypeOfSchema(schema.raw, { root: isRoot })
  return { type, rules: type ? schema.validations.map(rule => compileRule(rule, schema, type)) : [] }
}

function compileRule(rule: ValidationRule, schema: StructuralSchema, type: DeclType): CompiledRule {
  const empty: CompiledRule = { rule, program: undefined, fault: undefined, usesOldSelf: false, message: undefined, messageFault: undefined, fieldPath: '' }
  if ((rule.rule ?? '').trim() === '') return empty
  const env = celEnvironment({ variables: { self: type, oldSelf: rule.optionalOldSelf === true ? { optional: type } : type } })
  const compile = (text: string, what: string, wanted: typeof boolType, wrongType: string): { program?: CelProgram; fault?: string } => {
    try {
      const program = env.compile(text)
      return program.resultType === wanted ? { program } : { fault: wrongType }
    } catch (fault) {
      if (!(fault instanceof CelCompileError)) throw fault
      return { fault: `${what}compilation failed: ${fault.message}` }
    }
  }
  const { program, fault } = compile(rule.rule, '', boolType, 'cel expression must evaluate to a bool')
  if (!program) return { ...empty, fault }
  const message = rule.messageExpression ? compile(rule.messageExpression, 'messageExpression ', stringType, 'messageExpression must evaluate to a string') : {}
  const found = rule.fieldPath ? findField(rule.fieldPath, schema, { brackets: true }) : undefined
  return {
    rule,
    program,
    fault: undefined,
    usesOldSelf: program.usesVariable('oldSelf'),
    message: message.program,
    messageFault: message.fault,
    fieldPath: found && 'path' in found ? found.path : '',
  }
}

export interface RuleOptions {
  /** A resource or an embedded one. Default true. */
  readonly isRoot?: boolean
  /** Forgives faults of unchanged parts. */
  readonly correlation?: Correlation | undefined
  readonly budget?: number
}

/** Faults of all rules in a schema; `budget` is what is left of it, negative when it was used up. */
export function ruleFaults(
  value: unknown,
  previous: unknown,
  schema: StructuralSchema,
  at: FieldPath,
  options: RuleOptions = {},
): { readonly faults: FieldErrorList; readonly budget: number } {
  if (!schema.hasValidations) return { faults: [], budget: options.budget ?? runtimeBudget }
  const run = new Run(options.budget ?? runtimeBudget)
  run.node(value, previous, schema, options.isRoot ?? true, at, { current: options.correlation, parent: undefined })
  return { faults: run.faults, budget: run.budget }
}

/** Where the walk stands in the previous state: at a part of it, or below the last part that has one. */
interface Past {
  readonly current: Correlation | undefined
  readonly parent: Correlation | undefined
}

function pastKey(past: Past, field: string): Past {
  if (!past.current) return past
  // Version and kind are not seen changing: both states were converted to the same.
  if (!past.parent && (field === 'apiVersion' || field === 'kind')) return { current: undefined, parent: undefined }
  return { current: past.current.key(field), parent: past.current }
}

function pastIndex(past: Past, i: number): Past {
  return past.current ? { current: past.current.index(i), parent: past.current } : past
}

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run'

class Run {
  readonly faults: FieldErrorList = []
  budget: number

  constructor(budget: number) {
    this.budget = budget
  }

  node(value: unknown, previous: unknown, schema: StructuralSchema, isRoot: boolean, at: FieldPath, past: Past): void {
    if (value === null || value === undefined || this.budget < 0 || !schema.hasValidations) return
    if (schema.validations.length > 0) this.#rules(value, previous ?? undefined, schema, isRoot, at, past)
    if (Array.isArray(value)) this.#list(value, previous, schema, at, past)
    else if (isObject(value)) this.#object(value, previous, schema, at, past)
  }

  #object(value: Record<string, unknown>, previous: unknown, schema: StructuralSchema, at: FieldPath, past: Past): void {
    const old = isObject(previous) ? previous : undefined
    const oldOf = (key: string): unknown => (old && Object.hasOwn(old, key) ? old[key] : undefined)
    const additional = schema.additionalProperties?.schema
    for (const key of Object.keys(value)) {
      if (this.budget < 0) return
      if (additional) this.node(value[key], oldOf(key), additional, additional.embeddedResource, at.key(key), pastKey(past, key))
      const property = schema.properties.get(key)
      if (property) this.node(value[key], oldOf(key), property, property.embeddedResource, at.child(key), pastKey(past, key))
    }
  }

  #list(value: readonly unknown[], previous: unknown, schema: StructuralSchema, at: FieldPath, past: Past): void {
    const { items } = schema
    if (!items) return
    const byKey = schema.listType === 'map' && Array.isArray(previous) ? new Map(previous.map((item: unknown) => [mapItemKey(item, schema), item])) : undefined
    for (const [i, item] of value.entries()) {
      if (this.budget < 0) return
      this.node(item, isObject(item) ? byKey?.get(mapItemKey(item, schema)) : undefined, items, items.embeddedResource, at.index(i), pastIndex(past, i))
    }
  }

  #rules(value: unknown, previous: unknown, schema: StructuralSchema, isRoot: boolean, at: FieldPath, past: Past): void {
    const { type, rules } = rulesAt(schema, isRoot)
    const typed = (detail: string): FieldError => ({ ...invalidWithoutValue(at, ''), message: `Invalid value: ${quoteGo(schema.type)}: ${detail}` })
    if (!type) {
      this.faults.push(typed('rule compiler initialization error: failed to convert to declType for CEL validation rules'))
      return
    }
    if (this.budget <= 0) {
      this.faults.push(typed(outOfBudget))
      this.budget = -1
      return
    }
    const bindings = lazyBindings(value, previous, type)
    for (const compiled of rules) {
      if (compiled.fault !== undefined) this.faults.push(typed(`rule compile error: ${compiled.fault}`))
      else if (compiled.program) this.#rule(compiled, compiled.program, bindings, previous, { value, schema, at, past, typed })
      if (this.budget < 0) return
    }
  }

  #rule(
    compiled: CompiledRule,
    program: CelProgram,
    bindings: (optional: boolean) => Bindings,
    previous: unknown,
    place: { value: unknown; schema: StructuralSchema; at: FieldPath; past: Past; typed(detail: string): FieldError },
  ): void {
    const { rule, usesOldSelf } = compiled
    const isOptional = rule.optionalOldSelf === true
    // A rule of transitions has nothing to say where nothing was before.
    if (usesOldSelf && previous === undefined && !isOptional) return
    let holds: unknown
    try {
      const { value, cost } = program.evaluate(bindings(isOptional), { limit: perCallLimit })
      holds = value
      if (!this.#pay(cost)) {
        this.faults.push(place.typed(outOfBudget))
        return
      }
    } catch (fault) {
      if (!(fault instanceof CelError)) throw fault
      this.faults.push(place.typed(this.#evaluationText(fault, rule)))
      return
    }
    if (holds === true) return
    const at = compiled.fieldPath === '' ? place.at : place.at.child(compiled.fieldPath)
    const report = (fault: FieldError): void => {
      if (!usesOldSelf && (place.past.current ?? place.past.parent)?.isUnchanged === true) return
      this.faults.push(fault)
    }
    const detail = compiled.message ? this.#message(compiled.message, rule, bindings(isOptional)) : { text: undefined }
    if ('fault' in detail) {
      report({ ...place.typed(detail.fault), field: at.toString() })
      this.budget = -1
      return
    }
    report(faultFor(rule, at, place.value, place.schema, detail.text ?? (rule.message ? rule.message.trim() : `failed rule: ${rule.rule.trim()}`)))
  }

  #pay(cost: number): boolean {
    if (cost > this.budget) {
      this.budget = -1
      return false
    }
    this.budget -= cost
    return true
  }

  #evaluationText(fault: CelError, rule: ValidationRule): string {
    const shown = (rule.message ? rule.message : rule.rule).trim()
    if (fault.isCostLimit) {
      this.budget = -1
      return `'${fault.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`
    }
    if (fault.message.startsWith('no such overload')) return `'${fault.message}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`
    return `${fault.message} evaluating rule: ${shown}`
  }

  /** The text of a message expression; none where it cannot be used, a fault where the budget is out. */
  #message(program: CelProgram, rule: ValidationRule, bindings: Bindings): { readonly text: string | undefined } | { readonly fault: string } {
    try {
      const { value, cost } = program.evaluate(bindings, { limit: perCallLimit })
      if (cost > this.budget) return { fault: 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run' }
      this.budget -= cost
      const text = typeof value === 'string' ? value.trim() : ''
      return { text: text === '' || text.includes('\n') || byteLength(text) > maxMessageBytes ? undefined : text }
    } catch (fault) {
      if (!(fault instanceof CelError)) throw fault
      if (fault.isCostLimit)
        return { fault: `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${quoteGo(rule.messageExpression ?? '')}` }
      return { text: undefined }
    }
  }
}

/** Values are converted when a rule first asks, once for all rules of a node. */
function lazyBindings(value: unknown, previous: unknown, type: DeclType): (optional: boolean) => Bindings {
  let self: CelValue | undefined
  let oldSelf: CelValue | undefined
  return optional => {
    self ??= celValue(value, type)
    if (previous !== undefined) oldSelf ??= celValue(previous, type)
    return bindingsOf(self, oldSelf, optional)
  }
}

function bindingsOf(self: CelValue, oldSelf: CelValue | undefined, optional: boolean): Bindings {
  if (optional) return { self, oldSelf: oldSelf === undefined ? noneOptional : new CelOptional(oldSelf) }
  return oldSelf === undefined ? { self } : { self, oldSelf }
}

function faultFor(rule: ValidationRule, at: FieldPath, value: unknown, schema: StructuralSchema, detail: string): FieldError {
  const isShown = schema.type !== 'object' && schema.type !== 'array'
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(at, detail)
    case 'FieldValueRequired':
      return required(at, detail)
    case 'FieldValueDuplicate':
      return isShown ? duplicate(at, value) : { ...duplicate(at, ''), message: 'Duplicate value' }
    default:
      return isShown ? { ...invalidWithoutValue(at, ''), message: `Invalid value: ${shown(value)}: ${detail}` } : invalidWithoutValue(at, detail)
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quoteGo(value)
  return typeof value === 'number' || typeof value === 'bigint' ? formatGoFloat(value) : stringifyJson(value)
}
