/**
 * Schemas of custom kinds as OpenAPI publishes them. Version 3 says what the definition says; version 2 leaves out what
 * kubectl's old reader cannot understand (alternatives, nulls, unknown fields), as Kubernetes does. Pure.
 */
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'

type Raw = Readonly<JsonObject>

const integerOrString = [{ type: 'integer' }, { type: 'string' }]

/** What stands beside the properties of an object in an object. */
export interface MetaProperties {
  readonly apiVersion: JsonObject
  readonly kind: JsonObject
  readonly metadata: JsonObject
}

export interface PublishOptions {
  readonly version: 2 | 3
  readonly meta: MetaProperties
}

/** The root schema of a kind; `gvk` is its x-kubernetes-group-version-kind. */
export function publishedSchema(raw: Raw, options: PublishOptions, gvk: JsonObject, selectableFields: readonly string[] = []): JsonObject {
  const marks = {
    'x-kubernetes-group-version-kind': [gvk],
    ...(selectableFields.length > 0 ? { 'x-kubernetes-selectable-fields': selectableFields.map(fieldPath => ({ fieldPath })) } : {}),
  }
  // Whoever knows of some properties would take all others for unknown.
  if (options.version === 2 && raw['x-kubernetes-preserve-unknown-fields'] === true) return { type: 'object', ...marks }
  const schema = node(raw, options)
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  return { ...schema, properties: { ...properties, ...options.meta }, ...marks }
}

function mapValues(value: unknown, change: (child: Raw) => JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(isObject(value) ? value : {}).map(([name, child]) => [name, isObject(child) ? change(child) : {}]))
}

function node(raw: Raw, options: PublishOptions): JsonObject {
  const out: JsonObject = { ...raw }
  if (isObject(raw['properties'])) out['properties'] = mapValues(raw['properties'], child => node(child, options))
  if (isObject(raw['items'])) out['items'] = node(raw['items'], options)
  if (isObject(raw['additionalProperties'])) out['additionalProperties'] = node(raw['additionalProperties'], options)
  if (options.version === 2) simplify(out, raw)
  else if (raw['x-kubernetes-int-or-string'] === true && !speaksOfTypes(raw)) out['anyOf'] = [...integerOrString, ...(Array.isArray(raw['anyOf']) ? raw['anyOf'] : [])]
  if (raw['x-kubernetes-embedded-resource'] === true && !(options.version === 2 && raw['x-kubernetes-preserve-unknown-fields'] === true)) embed(out, options)
  return out
}

/** Whether an int-or-string schema says so by alternatives already. */
function speaksOfTypes(raw: Raw): boolean {
  const names = (list: unknown): boolean => Array.isArray(list) && list.length === 2 && list.every((one, i) => isObject(one) && one['type'] === integerOrString[i]?.type)
  const first: unknown = Array.isArray(raw['allOf']) ? raw['allOf'][0] : undefined
  return names(raw['anyOf']) || (isObject(first) && names(first['anyOf']))
}

function embed(out: JsonObject, options: PublishOptions): void {
  out['properties'] = { ...(isObject(out['properties']) ? out['properties'] : {}), ...options.meta }
  const required = Array.isArray(out['required']) ? (out['required'] as string[]) : []
  out['required'] = [...required, ...['kind', 'apiVersion'].filter(name => !required.includes(name))]
}

/** Takes out what version 2 cannot say. In place. */
function simplify(out: JsonObject, raw: Raw): void {
  for (const key of ['allOf', 'anyOf', 'oneOf', 'not', 'nullable']) delete out[key]
  const keepsUnknown = raw['x-kubernetes-preserve-unknown-fields'] === true
  if (raw['nullable'] === true) delete out['type']
  if (raw['nullable'] === true || keepsUnknown) {
    delete out['items']
    delete out['properties']
  }
  if (out['type'] === 'array' && out['items'] === undefined) delete out['type']
  if (keepsUnknown && out['type'] === 'object') delete out['type']
  const properties = isObject(raw['properties']) ? raw['properties'] : {}
  const values = raw['additionalProperties']
  if (!Array.isArray(out['required'])) return
  const required = out['required'].filter((name: unknown) => {
    const property = typeof name === 'string' && Object.hasOwn(properties, name) ? properties[name] : undefined
    return !(isObject(property) && property['nullable'] === true)
  })
  if (required.length === 0 || (isObject(values) && values['nullable'] === true)) delete out['required']
  else out['required'] = required
}
