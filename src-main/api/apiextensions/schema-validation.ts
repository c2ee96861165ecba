/** The schema of one version of a definition: what may stand in it, and the rules that it carries. Pure. */
import { forbiddenField, invalidValue, invalidWithoutValue, notSupported, notSupportedInOrder, required } from '../field-errors.ts'
import type { FieldError, FieldErrorList, FieldPath } from '../field-errors.ts'
import type { ValidationRule } from '../generated/apiextensions-v1.ts'
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { defaultFaults } from './default-validation.ts'
import { findField } from './field-paths.ts'
import { goJson, goRule, goSchema } from './go-shape.ts'
import { CostSum, childCardinality, costText, definitionCostLimit, ruleCostLimit, totalCost } from './rule-costs.ts'
import type { Cardinality } from './rule-costs.ts'
import { rulesAt } from './rules.ts'
import { structuralFaults, unsupportedFault } from './structural-validation.ts'
import { metaFields, structuralOf } from './structural-schema.ts'

type Raw = Readonly<JsonObject>

/** What an old definition may keep although a new one could not have it. */
export interface SchemaAllowances {
  readonly unprunedDefaults: boolean
  readonly nonAtomicSets: boolean
  readonly looseMapKeys: boolean
  /** The schema did not change: its rules may cost what they cost before. */
  readonly expensiveRules: boolean
}

/** `{ openAPIV3Schema }` of a version. */
export function schemaFaults(validation: Raw | undefined, hasStatus: boolean, allow: SchemaAllowances, at: FieldPath): FieldErrorList {
  const schema = validation?.['openAPIV3Schema']
  if (!isObject(schema)) return []
  const place = at.child('openAPIV3Schema')
  const faults: FieldErrorList = hasStatus ? rootFaults(schema, place) : []
  if (schema['nullable'] === true) faults.push(forbiddenField(at.child('openAPIV3Schema.nullable'), 'nullable cannot be true at the root'))
  const unsupported = unsupportedFault(schema)
  const structural = unsupported === undefined ? structuralFaults(schema, place) : []
  if (unsupported === undefined && structural.length === 0) structural.push(...defaultFaults(structuralOf(schema), place, !allow.unprunedDefaults))
  faults.push(...structural)
  const costs = unsupported === undefined && structural.length === 0 ? new CostSum() : undefined
  const walked = walk(schema, { isRoot: true, allow, costs, cardinality: 1, rules: true, defaults: undefined, insideMeta: false, uncorrelated: undefined }, place)
  faults.push(...walked.schema, ...walked.rules)
  if (faults.length === 0 && unsupported !== undefined) faults.push(invalidValue(place, '', unsupported))
  if (costs && costs.total > definitionCostLimit) {
    for (const path of costs.mostExpensive) faults.push(forbiddenField(path, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'))
    faults.push(forbiddenField(place, costText('x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema', costs.total, definitionCostLimit)))
  }
  return faults
}

/** Fields at the root of a schema whose status is judged by itself, by Go's names and ours. */
const rootFields: readonly (readonly [go: string, key: string])[] = [
  ['Description', 'description'],
  ['Type', 'type'],
  ['Format', 'format'],
  ['Title', 'title'],
  ['Maximum', 'maximum'],
  ['ExclusiveMaximum', 'exclusiveMaximum'],
  ['Minimum', 'minimum'],
  ['ExclusiveMinimum', 'exclusiveMinimum'],
  ['MaxLength', 'maxLength'],
  ['MinLength', 'minLength'],
  ['Pattern', 'pattern'],
  ['MaxItems', 'maxItems'],
  ['MinItems', 'minItems'],
  ['UniqueItems', 'uniqueItems'],
  ['MultipleOf', 'multipleOf'],
  ['Required', 'required'],
  ['Items', 'items'],
  ['Properties', 'properties'],
  ['ExternalDocs', 'externalDocs'],
  ['Example', 'example'],
  ['XPreserveUnknownFields', 'x-kubernetes-preserve-unknown-fields'],
  ['XValidations', 'x-kubernetes-validations'],
]
const rootKeys: ReadonlySet<string> = new Set(rootFields.map(([, key]) => key))

function rootFaults(schema: Raw, at: FieldPath): FieldErrorList {
  const { type } = schema
  if (type !== undefined && type !== '' && type !== 'object')
    return [invalidValue(at.child('type'), type, 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled')]
  if (Object.keys(schema).every(key => rootKeys.has(key))) return []
  const detail = `only [${rootFields.map(([go]) => go).join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`
  return [invalidJson(at, goSchema(schema), detail)]
}

function invalidJson(at: FieldPath, value: unknown, detail: string): FieldError {
  return { ...invalidWithoutValue(at, ''), message: `Invalid value: ${goJson(value)}: ${detail}` }
}

interface Context {
  readonly isRoot: boolean
  readonly allow: SchemaAllowances
  /** undefined where the schema has other faults and rules cannot be judged. */
  readonly costs: CostSum | undefined
  readonly cardinality: Cardinality
  /** Alternatives carry no rules. */
  readonly rules: boolean
  /** Why no default may stand here. */
  readonly defaults: string | undefined
  readonly insideMeta: boolean
  /** Below here nobody can tell what a value was before. */
  readonly uncorrelated: FieldPath | undefined
}

interface Walked {
  readonly schema: FieldErrorList
  readonly rules: FieldErrorList
}

function walk(s: Raw, context: Context, at: FieldPath): Walked {
  const faults: Walked = { schema: nodeFaults(s, context, at), rules: [] }
  const visit = (child: unknown, place: FieldPath, change: Partial<Context>): void => {
    if (!isObject(child)) return
    const found = walk(child, { ...context, isRoot: false, ...change }, place)
    faults.schema.push(...found.schema)
    faults.rules.push(...found.rules)
  }
  const cardinality = childCardinality(context.cardinality, s)
  const { additionalProperties, properties, items, dependencies, definitions } = s
  visit(additionalProperties, at.child('additionalProperties'), {
    cardinality,
    ...(context.insideMeta ? { defaults: 'inside additionalProperties applying to object metadata' } : {}),
  })
  if (isObject(properties))
    for (const name of Object.keys(properties)) {
      const isMeta = (context.isRoot || s['x-kubernetes-embedded-resource'] === true) && metaFields.has(name)
      const isCorrelatable = ['granular', 'atomic', undefined].includes(s['x-kubernetes-map-type'] as string | undefined)
      visit(properties[name], at.child('properties').key(name), {
        cardinality,
        ...(isCorrelatable ? {} : { uncorrelated: context.uncorrelated ?? at }),
        ...(isMeta ? { insideMeta: true, ...(context.isRoot ? { defaults: `in top-level ${name}` } : {}) } : {}),
      })
    }
  visit(s['not'], at.child('not'), { rules: false })
  for (const key of ['allOf', 'oneOf', 'anyOf'] as const) {
    const list = s[key]
    if (Array.isArray(list)) for (const [i, one] of list.entries()) visit(one, at.child(key).index(i), { rules: false })
  }
  if (isObject(definitions)) for (const name of Object.keys(definitions)) visit(definitions[name], at.child('definitions').key(name), { rules: false })
  const uncorrelated = s['x-kubernetes-list-type'] === 'map' ? context.uncorrelated : (context.uncorrelated ?? at)
  visit(items, at.child('items'), { cardinality, uncorrelated })
  if (Array.isArray(items)) for (const [i, one] of items.entries()) visit(one, at.child('items').index(i), { cardinality, uncorrelated })
  if (isObject(dependencies)) for (const name of Object.keys(dependencies)) visit(dependencies[name], at.child('dependencies').key(name), { rules: false })
  faults.schema.push(...listFaults(s, context, at), ...ruleTextFaults(s, at))
  // Rules are only judged where nothing is wrong with what they speak of.
  if (faults.schema.length === 0 && context.rules && context.costs) faults.rules.push(...ruleFaults(s, context, context.costs, at))
  return faults
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

function nodeFaults(s: Raw, context: Context, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { type, additionalProperties, properties } = s
  const refuse = (key: string, text: string): void => {
    faults.push(forbiddenField(at.child(key), text))
  }
  if (typeof type === 'string' && type !== '' && !types.includes(type)) faults.push(notSupported(at.child('type'), type, types))
  if (s['default'] !== undefined && s['default'] !== null && context.defaults !== undefined) refuse('default', `must not be set ${context.defaults}`)
  if (s['id'] !== undefined && s['id'] !== '') refuse('id', 'id is not supported')
  if (s['additionalItems'] !== undefined) refuse('additionalItems', 'additionalItems is not supported')
  for (const key of ['patternProperties', 'definitions'] as const) if (isObject(s[key]) && Object.keys(s[key]).length > 0) refuse(key, `${key} is not supported`)
  if (s['dependencies'] !== undefined) refuse('dependencies', 'dependencies is not supported')
  if (s['$ref'] !== undefined) refuse('$ref', '$ref is not supported')
  if (type === 'null') refuse('type', 'type cannot be set to null, use nullable as an alternative')
  if (Array.isArray(s['items']) && s['items'].length > 0) refuse('items', 'items must be a schema object and not an array')
  if (context.insideMeta && s['x-kubernetes-embedded-resource'] === true) refuse('x-kubernetes-embedded-resource', 'must not be used inside of resource meta')
  if (s['uniqueItems'] === true) refuse('uniqueItems', 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic')
  if (additionalProperties !== undefined && additionalProperties !== true && isObject(properties) && Object.keys(properties).length > 0)
    refuse('additionalProperties', 'additionalProperties and properties are mutual exclusive')
  return faults
}

const present = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function listFaults(s: Raw, context: Context, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const type = present(s['type']) ?? ''
  const [mapType, listType] = [present(s['x-kubernetes-map-type']), present(s['x-kubernetes-list-type'])]
  const wrongType = (wanted: string, key: string): FieldError => {
    const text = `must be ${wanted} if ${key} is specified`
    return type === '' ? required(at.child('type'), text) : invalidValue(at.child('type'), type, text)
  }
  if (s['x-kubernetes-preserve-unknown-fields'] === false) faults.push(invalidValue(at.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'))
  if (mapType !== undefined && type !== 'object') faults.push(wrongType('object', 'x-kubernetes-map-type'))
  if (mapType !== undefined && !['atomic', 'granular'].includes(mapType)) faults.push(notSupportedInOrder(at.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']))
  if (listType !== undefined && type !== 'array') faults.push(wrongType('array', 'x-kubernetes-list-type'))
  else if (listType === 'set' && !context.allow.nonAtomicSets) faults.push(...setItemFaults(s, at))
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    faults.push(notSupportedInOrder(at.child('x-kubernetes-list-type'), listType, ['atomic', 'set', 'map']))
  const keys = keysOf(s)
  if (keys.length > 0 && listType !== 'map') {
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty'
    faults.push(listType === undefined ? required(at.child('x-kubernetes-list-type'), text) : invalidValue(at.child('x-kubernetes-list-type'), listType, text))
  }
  if (listType === 'map') faults.push(...mapFaults(s, keys, at))
  if (!context.allow.looseMapKeys) faults.push(...mapKeyFaults(s, at))
  return faults
}

function keysOf(s: Raw): readonly string[] {
  const keys = s['x-kubernetes-list-map-keys']
  return Array.isArray(keys) ? keys.filter(key => typeof key === 'string') : []
}

/** Whether the items of a set could be changed in parts. */
export function hasNonAtomicItems(s: Raw): boolean {
  return s['x-kubernetes-list-type'] === 'set' && s['type'] === 'array' && setItemKey(s) !== undefined
}

function setItemKey(s: Raw): string | undefined {
  const items = isObject(s['items']) ? s['items'] : {}
  const listType = items['x-kubernetes-list-type']
  if (items['type'] === 'array' && listType !== undefined && listType !== 'atomic') return 'x-kubernetes-list-type'
  return items['type'] === 'object' && items['x-kubernetes-map-type'] !== 'atomic' ? 'x-kubernetes-map-type' : undefined
}

function setItemFaults(s: Raw, at: FieldPath): FieldErrorList {
  const key = setItemKey(s)
  if (key === undefined) return []
  const listType = isObject(s['items']) ? (s['items']['x-kubernetes-list-type'] ?? null) : null
  return [invalidValue(at.child('items').child(key), listType, 'must be atomic as item of a list with x-kubernetes-list-type=set')]
}

function mapFaults(s: Raw, keys: readonly string[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { items } = s
  const place = at.child('x-kubernetes-list-map-keys')
  if (keys.length === 0) faults.push(required(place, 'must not be empty if x-kubernetes-list-type is map'))
  if (items === undefined) faults.push(required(at.child('items'), 'must have a schema if x-kubernetes-list-type is map'))
  else if (!isObject(items)) faults.push(invalidJson(at.child('items'), { Schema: null, JSONSchemas: [] }, 'must only have a single schema if x-kubernetes-list-type is map'))
  if (!isObject(items)) return faults
  if (items['type'] !== 'object') {
    faults.push(invalidValue(at.child('items').child('type'), items['type'] ?? '', "must be object if parent array's x-kubernetes-list-type is map"))
    return faults
  }
  const properties = isObject(items['properties']) ? items['properties'] : {}
  const seen = new Set<string>()
  for (const key of keys) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (!isObject(property)) faults.push(invalidValue(place, keys, 'entries must all be names of item properties'))
    else if (property['type'] === 'array' || property['type'] === 'object')
      faults.push(
        invalidValue(at.child('items').child('properties').key(key).child('type'), items['type'], "must be a scalar type if parent array's x-kubernetes-list-type is map"),
      )
    if (seen.has(key)) faults.push(invalidValue(place, keys, 'must not contain duplicate entries'))
    seen.add(key)
  }
  return faults
}

/** Keys of a map must always be there, and its items never null. */
export function mapKeyFaults(s: Raw, at: FieldPath): FieldErrorList {
  const listType = s['x-kubernetes-list-type']
  const { items } = s
  if (!isObject(items) || (listType !== 'set' && listType !== 'map')) return []
  const faults: FieldErrorList = []
  if (items['nullable'] === true) faults.push(forbiddenField(at.child('items').child('nullable'), `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  if (listType === 'set') return faults
  const needed = Array.isArray(items['required']) ? items['required'] : []
  const properties = isObject(items['properties']) ? items['properties'] : {}
  for (const key of keysOf(s)) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (!isObject(property)) continue
    const place = at.child('items').child('properties').key(key)
    if (!needed.includes(key) && (property['default'] ?? undefined) === undefined)
      faults.push(required(place.child('default'), 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'))
    if (property['nullable'] === true) faults.push(forbiddenField(place.child('nullable'), 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'))
  }
  return faults
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']
const hasBreaks = (text: string): boolean => /[\n\r]/.test(text)

function rulesOf(s: Raw): readonly ValidationRule[] {
  const rules = s['x-kubernetes-validations']
  return Array.isArray(rules) ? (rules as ValidationRule[]) : []
}

/** Faults of rules that need no look at what they mean. */
function ruleTextFaults(s: Raw, at: FieldPath): FieldErrorList {
  return rulesOf(s).flatMap((rule, i) => {
    const place = at.child('x-kubernetes-validations').index(i)
    const faults: FieldErrorList = []
    const [text, message, messageExpression, fieldPath] = [rule.rule ?? '', rule.message ?? '', rule.messageExpression ?? '', rule.fieldPath ?? '']
    if (text.trim() === '') faults.push(required(place.child('rule'), 'rule is not specified'))
    else if (message !== '' && message.trim() === '') faults.push(invalidValue(place.child('message'), message, 'must be non-empty if specified'))
    else if (hasBreaks(message.trim())) faults.push(invalidValue(place.child('message'), message, 'must not contain line breaks'))
    else if (hasBreaks(text.trim()) && message.trim() === '') faults.push(required(place.child('message'), 'message must be specified if rule contains line breaks'))
    if (messageExpression !== '' && messageExpression.trim() === '') faults.push(required(place.child('messageExpression'), 'messageExpression must be non-empty if specified'))
    if (rule.reason !== undefined && !reasons.includes(rule.reason)) faults.push(notSupported(place.child('reason'), rule.reason, reasons))
    if (fieldPath !== '' && fieldPath.trim() === '') faults.push(invalidValue(place.child('fieldPath'), fieldPath, 'must be non-empty if specified'))
    if (hasBreaks(fieldPath)) faults.push(invalidValue(place.child('fieldPath'), fieldPath, 'must not contain line breaks'))
    if (fieldPath !== '' && unsupportedFault(s) === undefined && 'fault' in findField(fieldPath, structuralOf(s), { brackets: true }))
      faults.push(invalidValue(place.child('fieldPath'), fieldPath, 'must be a valid path'))
    return faults
  })
}

function ruleFaults(s: Raw, context: Context, costs: CostSum, at: FieldPath): FieldErrorList {
  if (rulesOf(s).length === 0) return []
  const { type, rules } = rulesAt(structuralOf(s), context.isRoot || s['x-kubernetes-embedded-resource'] === true)
  const list = at.child('x-kubernetes-validations')
  if (!type)
    return [
      {
        type: 'InternalError',
        field: list.toString(),
        message: 'Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations',
      },
    ]
  return rules.flatMap((compiled, i) => {
    const faults: FieldErrorList = []
    const place = list.index(i)
    const { rule } = compiled
    const observe = (path: FieldPath, name: string, cost: number): void => {
      if (!context.allow.expensiveRules && cost > ruleCostLimit) faults.push(forbiddenField(path, costText(name, cost, ruleCostLimit)))
      costs.add(path, cost)
    }
    if (compiled.program) observe(place.child('rule'), 'estimated rule cost', totalCost(compiled.program.estimate().max, context.cardinality, type.minSize))
    if (compiled.fault !== undefined) faults.push(invalidJson(place.child('rule'), goRule(rule), compiled.fault))
    if (compiled.messageFault !== undefined) faults.push(invalidJson(place.child('messageExpression'), goRule(rule), compiled.messageFault))
    else if (compiled.message) observe(place.child('messageExpression'), 'estimated messageExpression cost', compiled.message.estimate().max)
    if (compiled.usesOldSelf && context.uncorrelated)
      faults.push(invalidValue(place.child('rule'), rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${context.uncorrelated.toString()}`))
    if (!compiled.usesOldSelf && rule.optionalOldSelf !== undefined)
      faults.push(invalidValue(place.child('optionalOldSelf'), rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'))
    return faults
  })
}
