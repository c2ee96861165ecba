/**
 * Values against an OpenAPI schema, with the rules and texts of Kubernetes' kube-openapi validator, oddities included:
 * faults of alternatives are those of the alternative that got furthest, compared by the number of checks that ran.
 * Unchanged parts of an object are not held against a change (ratcheting, KEP 4008).
 */
import { compileRegex, regexFault } from '../cel/regex.ts'
import { invalidValue, invalidWithoutValue, required, tooLong, tooMany, typeInvalid } from '../field-errors.ts'
import type { FieldError, FieldErrorList, FieldPath } from '../field-errors.ts'
import { deepEqual, isObject, quoteGo, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { Correlation } from './correlation.ts'
import { hasFormat, supportedFormats } from './formats.ts'
import { formatGoFloat } from './go-numbers.ts'
import { isGoInteger, numberFaults } from './number-validation.ts'

type Code = 'type' | 'required' | 'tooLong' | 'tooMany' | 'enum' | 'other' | 'plain'

/** One fault as kube-openapi has it: `plain` ones belong to no place. */
export interface ValueFault {
  readonly code: Code
  readonly name: string
  readonly message: string
  readonly value?: unknown
  readonly limit?: number
  readonly values?: readonly unknown[]
}

export interface Outcome {
  readonly faults: ValueFault[]
  /** Checks that ran; decides between alternatives. */
  matches: number
}

interface Compiled {
  readonly types: readonly string[]
  readonly nullable: boolean
  /** '' where the format is not checked for the type. */
  readonly format: string
  readonly raw: Readonly<JsonObject>
  readonly enumeration: readonly unknown[]
  readonly properties: ReadonlyMap<string, Compiled>
  readonly additional: Compiled | undefined
  readonly forbidsAdditional: boolean
  readonly items: Compiled | undefined
  readonly required: readonly string[]
  readonly allOf: readonly Compiled[]
  readonly anyOf: readonly Compiled[]
  readonly oneOf: readonly Compiled[]
  readonly not: Compiled | undefined
}

const compiled = new WeakMap<object, Compiled>()

function compile(raw: Readonly<JsonObject>): Compiled {
  const known = compiled.get(raw)
  if (known) return known
  const isIntOrString = raw['x-kubernetes-int-or-string'] === true
  const type = typeof raw['type'] === 'string' && raw['type'] !== '' ? [raw['type']] : []
  const types = isIntOrString ? ['integer', 'string'] : type
  const one = (value: unknown): Compiled | undefined => (isObject(value) ? compile(value) : undefined)
  const many = (value: unknown): readonly Compiled[] => (Array.isArray(value) ? value.flatMap(item => one(item) ?? []) : [])
  const properties = new Map<string, Compiled>()
  if (isObject(raw['properties'])) for (const name of Object.keys(raw['properties']).sort()) properties.set(name, one(raw['properties'][name]) ?? compile({}))
  const made: Compiled = {
    types,
    nullable: raw['nullable'] === true,
    format: checkedFormat(types, raw['format']),
    raw,
    enumeration: Array.isArray(raw['enum']) ? raw['enum'] : [],
    properties,
    additional: one(raw['additionalProperties']),
    forbidsAdditional: raw['additionalProperties'] === false,
    items: one(raw['items']),
    required: Array.isArray(raw['required']) ? raw['required'].filter(name => typeof name === 'string') : [],
    allOf: many(raw['allOf']),
    anyOf: many(raw['anyOf']),
    oneOf: many(raw['oneOf']),
    not: one(raw['not']),
  }
  compiled.set(raw, made)
  return made
}

function checkedFormat(types: readonly string[], format: unknown): string {
  if (typeof format !== 'string' || format === '') return ''
  const type = types.length === 1 ? types[0] : ''
  if (type === '' || type === 'string') return supportedFormats.has(format.replaceAll('-', '')) ? format : ''
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : ''
  if (type === 'number') return format === 'float' || format === 'double' ? format : ''
  return ''
}

/** Nobody reads more; a large value at odds with its schema must not fill the memory. */
const MAX_FAULTS = 10_000

/** Messages of the faults of an outcome, which holds each once. */
const messages = new WeakMap<Outcome, Set<string>>()

function add(into: Outcome, faults: readonly ValueFault[]): void {
  if (faults.length === 0) return
  let known = messages.get(into)
  if (!known) messages.set(into, (known = new Set(into.faults.map(fault => fault.message))))
  for (const fault of faults) {
    if (into.faults.length >= MAX_FAULTS) return
    if (known.has(fault.message)) continue
    known.add(fault.message)
    into.faults.push(fault)
  }
}

function merge(into: Outcome, from: Outcome): void {
  add(into, from.faults)
  into.matches += from.matches
}

/** Checks `value`; with a correlation, faults of what did not change are forgiven. `path` is '' at the root. */
export function validateValue(schema: Readonly<JsonObject>, value: unknown, correlation: Correlation | undefined): readonly ValueFault[] {
  return correlated(compile(schema), value, '', correlation).faults
}

function correlated(schema: Compiled, value: unknown, path: string, correlation: Correlation | undefined): Outcome {
  const outcome = check(schema, value, path, correlation)
  return outcome.faults.length > 0 && correlation?.isUnchanged === true ? { faults: [], matches: outcome.matches } : outcome
}

function check(schema: Compiled, value: unknown, path: string, correlation: Correlation | undefined): Outcome {
  const outcome: Outcome = { faults: [], matches: 0 }
  const run = (part: Outcome): void => {
    merge(outcome, part)
    outcome.matches++
  }
  if (value === null || value === undefined) {
    merge(outcome, checkType(schema, null, path))
    merge(outcome, checkEnum(schema, null, path))
    return outcome
  }
  if (schema.types.length > 0 || schema.format !== '') run(checkType(schema, value, path))
  run(checkAlternatives(schema, value, path, correlation))
  if (typeof value === 'string') {
    run(checkText(schema, value, path))
    if (schema.format !== '' && supportedFormats.has(schema.format.replaceAll('-', ''))) run(checkFormat(schema, value, path))
  }
  if (typeof value === 'number' || typeof value === 'bigint') run({ faults: numberFaults({ ...schema, limits: schema.raw }, value, path), matches: 1 })
  if (Array.isArray(value)) run(checkList(schema, value, path, correlation))
  run(checkEnum(schema, value, path))
  if (isObject(value)) run(checkObject(schema, value, path, correlation))
  outcome.matches++
  return outcome
}

/** Type and format of a value as Go knows it. */
function typeOf(value: unknown): readonly [type: string, format: string] {
  if (typeof value === 'boolean') return ['boolean', '']
  if (typeof value === 'string') return ['string', '']
  if (Array.isArray(value)) return ['array', '']
  if (typeof value === 'number' || typeof value === 'bigint') return isGoInteger(value) ? ['integer', 'int64'] : ['number', 'float64']
  return ['object', '']
}

function typeFault(path: string, wanted: string, found: string): Outcome {
  return { faults: [{ code: 'type', name: path, message: `${path} in body must be of type ${wanted}: ${quoteGo(found)}`, value: found }], matches: 0 }
}

function checkType(schema: Compiled, value: unknown, path: string): Outcome {
  const { types, format } = schema
  const ok: Outcome = { faults: [], matches: 1 }
  if (value === null) return types.length > 0 && !types.includes('null') && !schema.nullable ? typeFault(path, types.join(','), 'null') : ok
  const [found, foundFormat] = typeOf(value)
  const isText = typeof value === 'string' || Array.isArray(value)
  const isWholeNumber = found === 'number' && types.includes('integer') && Number.isInteger(value)
  const isNumber = found === 'integer' && types.includes('number')
  if (!isText && format !== '' && !(types.includes(found) || foundFormat === format || isWholeNumber || isNumber)) return typeFault(path, format, foundFormat)
  if (!(types.includes('number') || types.includes('integer')) && format !== '' && isText) return ok
  if (types.length > 0 && !(types.includes(found) || isWholeNumber || isNumber)) return typeFault(path, types.join(','), found)
  return ok
}

function plain(message: string): ValueFault {
  return { code: 'plain', name: '', message }
}

function checkAlternatives(schema: Compiled, value: unknown, path: string, correlation: Correlation | undefined): Outcome {
  const outcome: Outcome = { faults: [], matches: 0 }
  if (schema.anyOf.length > 0) checkAnyOf(outcome, schema.anyOf, value, path, correlation)
  if (schema.oneOf.length > 0) checkOneOf(outcome, schema.oneOf, value, path, correlation)
  if (schema.allOf.length > 0) {
    const results = schema.allOf.map(one => check(one, value, path, correlation))
    for (const result of results) merge(outcome, result)
    const valid = results.filter(result => result.faults.length === 0).length
    if (valid !== results.length) add(outcome, [plain(`${quoteGo(path)} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`)])
  }
  if (schema.not && check(schema.not, value, path, correlation).faults.length === 0) add(outcome, [plain(`${quoteGo(path)} must not validate the schema (not)`)])
  outcome.matches++
  return outcome
}

function checkAnyOf(outcome: Outcome, alternatives: readonly Compiled[], value: unknown, path: string, correlation: Correlation | undefined): void {
  let best: Outcome | undefined
  for (const one of alternatives) {
    const result = check(one, value, path, correlation)
    if (result.faults.length === 0) {
      merge(outcome, result)
      return
    }
    if (!best || result.matches > best.matches) best = result
  }
  add(outcome, [plain(`${quoteGo(path)} must validate at least one schema (anyOf)`)])
  if (best) merge(outcome, best)
}

function checkOneOf(outcome: Outcome, alternatives: readonly Compiled[], value: unknown, path: string, correlation: Correlation | undefined): void {
  let best: Outcome | undefined
  const valid: Outcome[] = []
  for (const one of alternatives) {
    const result = check(one, value, path, correlation)
    if (result.faults.length === 0) {
      valid.push(result)
      best = undefined
    } else if (valid.length === 0 && (!best || result.matches > best.matches)) best = result
  }
  const [first] = valid
  if (first && valid.length === 1) {
    merge(outcome, first)
    return
  }
  const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`
  add(outcome, [plain(`${quoteGo(path)} must validate one and only one schema (oneOf). ${found}`)])
  if (best) merge(outcome, best)
}

function limitOf(raw: Readonly<JsonObject>, key: string): number | undefined {
  const value = raw[key]
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : undefined
}

/** Characters as Go counts them. */
function runes(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

function checkText(schema: Compiled, value: string, path: string): Outcome {
  const fault = (code: Code, text: string, limit?: number): Outcome => ({
    faults: [{ code, name: path, message: `${path} in body should ${text}`, value, ...(limit === undefined ? {} : { limit }) }],
    matches: 0,
  })
  const { raw } = schema
  const [max, min] = [limitOf(raw, 'maxLength'), limitOf(raw, 'minLength')]
  if (max !== undefined && value.length > max && runes(value) > max) return fault('tooLong', `be at most ${max} chars long`, max)
  if (min !== undefined && runes(value) < min) return fault('other', `be at least ${min} chars long`)
  const { pattern } = raw
  if (typeof pattern !== 'string' || pattern === '') return { faults: [], matches: 0 }
  const invalid = regexFault(pattern)
  if (invalid !== undefined) return fault('other', `match '${pattern}, but pattern is invalid: ${invalid}'`)
  return compileRegex(pattern).test(value) ? { faults: [], matches: 0 } : fault('other', `match '${pattern}'`)
}

function checkFormat({ format }: Compiled, value: string, path: string): Outcome {
  if (hasFormat(value, format)) return { faults: [], matches: 0 }
  return { faults: [{ code: 'type', name: path, message: `${path} in body must be of type ${format}: ${quoteGo(value)}`, value }], matches: 0 }
}

function checkList(schema: Compiled, value: readonly unknown[], path: string, correlation: Correlation | undefined): Outcome {
  const outcome: Outcome = { faults: [], matches: 0 }
  const { items, raw } = schema
  if (items) for (const [i, item] of value.entries()) merge(outcome, correlated(items, item, `${path}[${i}]`, correlation?.index(i)))
  const [max, min] = [limitOf(raw, 'maxItems'), limitOf(raw, 'minItems')]
  const size = value.length
  if (min !== undefined && size < min) add(outcome, [{ code: 'other', name: path, message: `${path} in body should have at least ${min} items`, value: size }])
  if (max !== undefined && size > max) add(outcome, [{ code: 'tooMany', name: path, message: `${path} in body should have at most ${max} items`, value: size, limit: max }])
  outcome.matches++
  return outcome
}

function checkEnum({ enumeration }: Compiled, value: unknown, path: string): Outcome {
  if (enumeration.length === 0 || (value !== null && enumeration.some(one => sameValue(one, value)))) return { faults: [], matches: 0 }
  const shown = enumeration.map(goValue).join(' ')
  return { faults: [{ code: 'enum', name: path, message: `${path} in body should be one of [${shown}]`, value, values: enumeration }], matches: 0 }
}

function sameValue(a: unknown, b: unknown): boolean {
  return typeof a === 'bigint' || typeof b === 'bigint' ? String(a) === String(b) : deepEqual(a, b)
}

function goValue(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? formatGoFloat(value) : value === null ? '<nil>' : stringifyJson(value)
}

function checkObject(schema: Compiled, value: JsonObject, path: string, correlation: Correlation | undefined): Outcome {
  const outcome: Outcome = { faults: [], matches: 0 }
  const { raw } = schema
  const keys = Object.keys(value)
  const [max, min] = [limitOf(raw, 'maxProperties'), limitOf(raw, 'minProperties')]
  if (min !== undefined && keys.length < min) add(outcome, [{ code: 'other', name: path, message: `${path} in body should have at least ${min} properties`, value: keys.length }])
  if (max !== undefined && keys.length > max)
    add(outcome, [{ code: 'tooMany', name: path, message: `${path} in body should have at most ${max} properties`, value: keys.length, limit: max }])
  const childOf = (key: string): Correlation | undefined => (path === '' && (key === 'kind' || key === 'apiVersion') ? undefined : correlation?.key(key))
  for (const key of keys) {
    if (schema.properties.has(key)) continue
    if (schema.forbidsAdditional) add(outcome, [{ code: 'other', name: path, message: `${path}.${key} in body is a forbidden property`, value: key }])
    else if (schema.additional) merge(outcome, correlated(schema.additional, value[key], `${path}.${key}`, childOf(key)))
  }
  for (const [name, property] of schema.properties)
    if (Object.hasOwn(value, name) && value[name] !== undefined) merge(outcome, correlated(property, value[name], path === '' ? name : `${path}.${name}`, childOf(name)))
  for (const name of schema.required)
    if (!Object.hasOwn(value, name) || value[name] === undefined) add(outcome, [{ code: 'required', name: `${path}.${name}`, message: `${path}.${name} in body is required` }])
  return outcome
}

/** The faults as Kubernetes reports them below `at`. */
export function fieldErrorsOf(faults: readonly ValueFault[], at: FieldPath): FieldErrorList {
  return faults.map(fault => fieldErrorOf(fault, at))
}

function fieldErrorOf(fault: ValueFault, at: FieldPath): FieldError {
  if (fault.code === 'plain') return invalidValue(at, '', fault.message)
  const name = fault.name.replace(/^\./, '')
  const path = name === '' ? at : at.child(name)
  const value = fault.value ?? ''
  switch (fault.code) {
    case 'required':
      return required(path, '')
    case 'enum': {
      const values = (fault.values ?? []).map(one => (typeof one === 'string' ? one : stringifyJson(one)))
      return { type: 'FieldValueNotSupported', field: path.toString(), message: `Unsupported value: ${shown(fault.value)}: supported values: ${values.map(quoteGo).join(', ')}` }
    }
    case 'tooLong':
      return tooLong(path, '', fault.limit ?? 0)
    case 'tooMany':
      return tooMany(path, Number(value), fault.limit ?? 0)
    case 'type':
      return typeInvalid(path, value, fault.message)
    default:
      return typeof value === 'object' ? invalidValue(path, value, fault.message) : invalidShown(path, value, fault.message)
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? quoteGo(value) : typeof value === 'number' ? formatGoFloat(value) : stringifyJson(value ?? null)
}

function invalidShown(path: FieldPath, value: unknown, detail: string): FieldError {
  return { ...invalidWithoutValue(path, ''), message: `Invalid value: ${shown(value)}: ${detail}` }
}
