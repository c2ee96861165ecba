/** Whether an OpenAPI schema is structural (KEP 1693): every part that is spoken of has one place that says what it is. Pure. */
import { regexFault } from '../cel/regex.ts'
import { forbiddenField, invalidValue, required } from '../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../field-errors.ts'
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'

type Level = 'root' | 'item' | 'field'
type Raw = Readonly<JsonObject>

/** Faults of a schema that is not structural. */
export function structuralFaults(schema: Raw, at: FieldPath): FieldErrorList {
  return [...invariants(schema, 'root', at), ...completeness(schema, schema, at, at)]
}

/** Why a schema cannot even be read as a structural one; told only where nothing else is wrong. */
export function unsupportedFault(schema: Raw): string | undefined {
  for (const [key, shown] of [
    ['id', 'id'],
    ['$schema', 'schema'],
    ['$ref', '$ref'],
    ['patternProperties', 'patternProperties'],
    ['dependencies', 'dependencies'],
    ['additionalItems', 'additionalItems'],
    ['definitions', 'definitions'],
  ] as const) {
    const value = schema[key]
    if (value !== undefined && value !== '' && !(isObject(value) && Object.keys(value).length === 0 && key !== 'additionalItems'))
      return `OpenAPIV3Schema '${shown}' is not supported`
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
  if (Array.isArray(schema['items']) && schema['items'].length > 0) return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  for (const child of childrenOf(schema)) {
    const fault = unsupportedFault(child)
    if (fault !== undefined) return fault
  }
  return undefined
}

function childrenOf(schema: Raw): Raw[] {
  const { items, properties, additionalProperties, not } = schema
  return [
    items,
    additionalProperties,
    not,
    ...(isObject(properties) ? Object.values(properties) : []),
    ...listOf(schema, 'allOf'),
    ...listOf(schema, 'anyOf'),
    ...listOf(schema, 'oneOf'),
  ].filter(isObject)
}

function listOf(schema: Raw, key: string): Raw[] {
  const list = schema[key]
  return Array.isArray(list) ? list.filter(isObject) : []
}

function mapOf(schema: Raw, key: string): [string, Raw][] {
  const map = schema[key]
  return isObject(map) ? Object.keys(map).flatMap(name => (isObject(map[name]) ? [[name, map[name]] as [string, Raw]] : [])) : []
}

function invariants(s: Raw, level: Level, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { items, additionalProperties, type } = s
  const embedded = s['x-kubernetes-embedded-resource'] === true
  if (type === 'array' && !isObject(items)) faults.push(required(at.child('items'), 'must be specified'))
  if (isObject(items)) faults.push(...invariants(items, 'item', at.child('items')))
  for (const [name, child] of mapOf(s, 'properties')) faults.push(...invariants(child, 'field', at.child('properties').key(name)))
  if (additionalProperties !== undefined) {
    if (level === 'root') faults.push(forbiddenField(at.child('additionalProperties'), 'must not be used at the root'))
    if (isObject(additionalProperties)) faults.push(...invariants(additionalProperties, 'field', at.child('additionalProperties')))
  }
  for (const extension of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'])
    if (s['x-kubernetes-int-or-string'] === true && s[extension] === true)
      faults.push(invalidValue(at.child(extension), true, 'must be false if x-kubernetes-int-or-string is true'))
  faults.push(...valueValidation(s, isIntOrStringPattern(s['anyOf']), isIntOrStringPattern(listOf(s, 'allOf')[0]?.['anyOf']), at))
  faults.push(...typeFaults(s, level, at))
  if (embedded && additionalProperties !== undefined) faults.push(forbiddenField(at.child('additionalProperties'), 'must not be used if x-kubernetes-embedded-resource is set'))
  return [...faults, ...metaFaults(s, level, at)]
}

function typeFaults(s: Raw, level: Level, at: FieldPath): FieldErrorList {
  const type = typeof s['type'] === 'string' ? s['type'] : ''
  const place = at.child('type')
  if (level === 'root' && type !== '' && type !== 'object') return [invalidValue(place, type, 'must be object at the root')]
  if (s['x-kubernetes-embedded-resource'] === true && type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true'
    return [type === '' ? required(place, text) : invalidValue(place, type, text)]
  }
  if (type !== '' || s['x-kubernetes-int-or-string'] === true || s['x-kubernetes-preserve-unknown-fields'] === true) return []
  const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }[level]
  return [required(place, `must not be empty ${where}`)]
}

function metaFaults(s: Raw, level: Level, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const properties = new Map(mapOf(s, 'properties'))
  const embedded = s['x-kubernetes-embedded-resource'] === true
  const isResource = level === 'root' || embedded
  for (const name of ['kind', 'apiVersion']) {
    const property = properties.get(name)
    if (isResource && property && property['type'] !== 'string') faults.push(invalidValue(at.child('properties').key(name).child('type'), property['type'] ?? '', 'must be string'))
  }
  const metadata = properties.get('metadata')
  const place = at.child('properties').key('metadata')
  if (metadata && isResource && metadata['type'] !== 'object') faults.push(invalidValue(place.child('type'), metadata['type'] ?? '', 'must be object'))
  if (metadata && level === 'root' && !restrictsNameOnly(metadata))
    faults.push(forbiddenField(place, 'must not specify anything other than name and generateName, but metadata is implicitly specified'))
  if (embedded && s['x-kubernetes-preserve-unknown-fields'] !== true && properties.size === 0)
    faults.push(required(at.child('properties'), 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'))
  return faults
}

function restrictsNameOnly(metadata: Raw): boolean {
  if (mapOf(metadata, 'properties').some(([name]) => name !== 'name' && name !== 'generateName')) return false
  return Object.keys(metadata).every(key => key === 'type' || key === 'default' || key === 'properties')
}

/** `anyOf: [{type: integer}, {type: string}]`, which int-or-string values may be described with. */
function isIntOrStringPattern(anyOf: unknown): boolean {
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return false
  return ['integer', 'string'].every((type, i) => {
    const one: unknown = anyOf[i]
    return isObject(one) && Object.keys(one).length === 1 && one['type'] === type
  })
}

function valueValidation(v: Raw, skipAnyOf: boolean, skipFirstAllOf: boolean, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!skipAnyOf) for (const [i, one] of listOf(v, 'anyOf').entries()) faults.push(...nestedFaults(one, false, at.child('anyOf').index(i)))
  for (const [i, one] of listOf(v, 'allOf').entries()) faults.push(...nestedFaults(one, skipFirstAllOf && i === 0, at.child('allOf').index(i)))
  for (const [i, one] of listOf(v, 'oneOf').entries()) faults.push(...nestedFaults(one, false, at.child('oneOf').index(i)))
  if (isObject(v['not'])) faults.push(...nestedFaults(v['not'], false, at.child('not')))
  const { pattern } = v
  const fault = typeof pattern === 'string' && pattern !== '' ? regexFault(pattern) : undefined
  if (fault !== undefined) faults.push(invalidValue(at.child('pattern'), pattern, `must be a valid regular expression, but isn't: ${fault}`))
  return faults
}

/** What alternatives may not say, and in which words they are told. */
const forbiddenInside: readonly (readonly [key: string, text: string])[] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function nestedFaults(v: Raw, skipAnyOf: boolean, at: FieldPath): FieldErrorList {
  const faults = valueValidation(v, skipAnyOf, false, at)
  if (isObject(v['items'])) faults.push(...nestedFaults(v['items'], false, at.child('items')))
  for (const [name, child] of mapOf(v, 'properties')) faults.push(...nestedFaults(child, false, at.child('properties').key(name)))
  const { additionalProperties } = v
  if (additionalProperties !== undefined && additionalProperties !== false) faults.push(forbiddenField(at.child('additionalProperties'), 'must be undefined to be structural'))
  for (const [key, text] of forbiddenInside) if (key === 'default' ? v[key] !== undefined && v[key] !== null : isSaid(v[key])) faults.push(forbiddenField(at.child(key), text))
  if (new Map(mapOf(v, 'properties')).has('metadata')) faults.push(forbiddenField(at.child('properties').key('metadata'), 'must not be specified in a nested context'))
  return faults
}

function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return false
  return !Array.isArray(value) || value.length > 0
}

/** What alternatives speak of must be declared outside of them. */
function completeness(v: Raw, s: Raw | undefined, at: FieldPath, from: FieldPath): FieldErrorList {
  return [
    ...(isObject(v['not']) ? nestedCompleteness(v['not'], s, at, from.child('not')) : []),
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap(key => listOf(v, key).flatMap((one, i) => nestedCompleteness(one, s, at, from.child(key).index(i)))),
  ]
}

function nestedCompleteness(v: Raw, s: Raw | undefined, at: FieldPath, from: FieldPath): FieldErrorList {
  const because = (place: FieldPath): string => `because it is defined in ${place.toString()}`
  if (!s) return [required(at, because(from))]
  const faults = completeness(v, s, at, from)
  if (isObject(v['items'])) faults.push(...nestedCompleteness(v['items'], isObject(s['items']) ? s['items'] : undefined, at.child('items'), from.child('items')))
  const declared = new Map(mapOf(s, 'properties'))
  for (const [name, child] of mapOf(v, 'properties')) {
    const [place, source] = [at.child('properties').key(name), from.child('properties').key(name)]
    if (declared.has(name)) faults.push(...nestedCompleteness(child, declared.get(name), place, source))
    else faults.push(required(place, because(source)))
  }
  return faults
}
