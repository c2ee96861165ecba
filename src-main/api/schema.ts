/**
 * The shape of kinds, compiled from the schema facts (resources/schema) for built-in kinds and from the structural
 * OpenAPI schema for custom ones. Decoding, pruning, patches and server-side apply walk it. Nodes are made on first
 * use, shared and may be circular: never mutate them.
 */
import definitionFacts from '../../resources/schema/definitions.json' with { type: 'json' }
import goTypeFacts from '../../resources/schema/go-types.json' with { type: 'json' }
import { getOwn, isObject } from './json.ts'

export type SchemaType = 'struct' | 'map' | 'list' | 'string' | 'integer' | 'number' | 'boolean' | 'quantity' | 'time' | 'microTime' | 'intOrString' | 'bytes' | 'any'

export interface Schema {
  readonly type: SchemaType
  /** Name of Go's type, as decoding errors show it: `v1.ObjectMeta`, `[]string`. Empty for custom kinds. */
  readonly goType: string
  /** Of a struct. */
  readonly fields: ReadonlyMap<string, SchemaField>
  /** Of a list or map; undefined for lists and maps of anything. */
  readonly items: Schema | undefined
  readonly listType: 'atomic' | 'set' | 'map'
  readonly mapKeys: readonly string[]
  /** A map or struct that has one owner as a whole. */
  readonly atomic: boolean
  /** Unknown fields are kept (custom kinds). */
  readonly preserveUnknown: boolean
  /** Part of a custom kind: nulls are kept and types are not checked by decoding. */
  readonly structural: boolean
  /** The value holds an object of its own with apiVersion, kind and metadata. */
  readonly embedded: boolean
  readonly nullable: boolean
}

export interface SchemaField {
  readonly name: string
  readonly schema: Schema
  readonly goType: string
  /** Go's field is a pointer: a zero value that was given is kept. */
  readonly pointer: boolean
  /** `always` stands in every encoded object; `empty` is left out when zero (structs stand nevertheless); `zero` also leaves out zero structs and times. */
  readonly omit: 'always' | 'empty' | 'zero'
  readonly patchStrategies: ReadonlySet<string>
  readonly mergeKey: string | undefined
  readonly default: unknown
  readonly atomic: boolean
}

interface Definition extends Record<string, unknown> {
  $ref?: string
  type?: string
  format?: string
  items?: Definition
  properties?: Record<string, Definition>
  additionalProperties?: Definition | boolean
  default?: unknown
}

const definitions = definitionFacts as unknown as Readonly<Record<string, Definition>>
const goTypes = goTypeFacts as unknown as Readonly<Record<string, Readonly<Record<string, string>>>>

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const noFields: ReadonlyMap<string, SchemaField> = new Map()
const noKeys: readonly string[] = []
const noStrategies: ReadonlySet<string> = new Set()

function node(type: SchemaType, goType: string): Mutable<Schema> {
  return {
    type,
    goType,
    fields: noFields,
    items: undefined,
    listType: 'atomic',
    mapKeys: noKeys,
    atomic: false,
    preserveUnknown: false,
    structural: false,
    embedded: false,
    nullable: false,
  }
}

/** Definitions whose JSON is not the shape of their Go struct. */
const specialTypes: Readonly<Record<string, SchemaType>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
}

const compiled = new Map<string, Schema>()

/** The schema of a definition such as `io.k8s.api.core.v1.Pod`; undefined when there is no such definition. */
export function definitionSchema(name: string): Schema | undefined {
  const known = compiled.get(name)
  if (known) return known
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined
  if (!definition) return undefined
  const special = specialTypes[name]
  if (special) return remember(name, node(special, shortName(name)))
  if (!definition.properties) return remember(name, inline(definition, shortName(name)))
  const schema = node('struct', shortName(name))
  // Known before its fields are, for definitions that contain themselves.
  compiled.set(name, schema)
  schema.atomic = definition['x-kubernetes-map-type'] === 'atomic'
  const facts = goTypes[name] ?? {}
  const fields = new Map<string, SchemaField>()
  for (const [field, child] of Object.entries(definition.properties)) fields.set(field, compileField(field, child, facts[field]))
  schema.fields = fields
  return schema
}

function remember(name: string, schema: Schema): Schema {
  compiled.set(name, schema)
  return schema
}

/** `v1.Pod` of `io.k8s.api.core.v1.Pod`. */
function shortName(name: string): string {
  return name.split('.').slice(-2).join('.')
}

function compileField(name: string, definition: Definition, fact: string | undefined): SchemaField {
  const [flags = 'e', goType = ''] = fact?.split(' ') ?? []
  const strategies = definition['x-kubernetes-patch-strategy']
  const mergeKey = definition['x-kubernetes-patch-merge-key']
  return {
    name,
    goType,
    schema: inline(definition, goType),
    pointer: flags.includes('p'),
    omit: flags.includes('z') ? 'zero' : flags.includes('e') ? 'empty' : 'always',
    patchStrategies: typeof strategies === 'string' ? new Set(strategies.split(',')) : noStrategies,
    mergeKey: typeof mergeKey === 'string' ? mergeKey : undefined,
    default: definition.default,
    atomic: definition['x-kubernetes-map-type'] === 'atomic',
  }
}

function inline(definition: Definition, goType: string): Schema {
  if (definition.$ref) return definitionSchema(definition.$ref.replace('#/definitions/', '')) ?? node('any', goType)
  switch (definition.type) {
    case 'string':
      return node(definition.format === 'byte' ? 'bytes' : 'string', goType)
    case 'integer':
      return node('integer', goType)
    case 'number':
      return node('number', goType)
    case 'boolean':
      return node('boolean', goType)
    case 'array':
      return listNode(definition, goType)
    case 'object':
      return mapNode(definition, goType)
    default:
      return node('any', goType)
  }
}

function listNode(definition: Definition, goType: string): Schema {
  const schema = node('list', goType)
  if (definition.items) schema.items = inline(definition.items, goType.replace(/^\[\]\*?/, ''))
  applyListType(schema, definition)
  return schema
}

function applyListType(schema: Mutable<Schema>, definition: Definition): void {
  const listType = definition['x-kubernetes-list-type']
  if (listType === 'set' || listType === 'map') schema.listType = listType
  const keys = definition['x-kubernetes-list-map-keys']
  if (Array.isArray(keys)) schema.mapKeys = keys as string[]
}

function mapNode(definition: Definition, goType: string): Schema {
  const values = definition.additionalProperties
  if (!isObject(values)) return node('any', goType)
  const schema = node('map', goType)
  schema.items = inline(values as Definition, goType.replace(/^map\[[^\]]*\]\*?/, ''))
  schema.atomic = definition['x-kubernetes-map-type'] === 'atomic'
  return schema
}

const metaDefinition = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

/** The schema of metadata. */
export function metadataSchema(): Schema {
  return definitionSchema(metaDefinition) ?? node('any', '')
}

const structuralSchemas = new WeakMap<object, Schema>()

/** The schema of a custom kind, from its OpenAPI v3 schema; apiVersion, kind and metadata are added. Made once per schema object. */
export function structuralSchema(openapi: Readonly<Record<string, unknown>>): Schema {
  const known = structuralSchemas.get(openapi)
  if (known) return known
  const root = structuralNode(openapi, true) as Mutable<Schema>
  structuralSchemas.set(openapi, root)
  return root
}

function structuralField(name: string, schema: Schema, fallback: unknown): SchemaField {
  return { name, schema, goType: '', pointer: true, omit: 'empty', patchStrategies: noStrategies, mergeKey: undefined, default: fallback, atomic: false }
}

function structuralNode(openapi: Readonly<Record<string, unknown>>, isRoot = false): Schema {
  const schema = node(structuralType(openapi), '')
  schema.structural = true
  schema.preserveUnknown = openapi['x-kubernetes-preserve-unknown-fields'] === true
  schema.embedded = openapi['x-kubernetes-embedded-resource'] === true
  schema.nullable = openapi['nullable'] === true
  schema.atomic = openapi['x-kubernetes-map-type'] === 'atomic'
  applyListType(schema, openapi)
  if (isObject(openapi['items'])) schema.items = structuralNode(openapi['items'])
  const values = openapi['additionalProperties']
  if (schema.type === 'map' && isObject(values)) schema.items = structuralNode(values)
  if (isRoot || schema.type === 'struct') {
    schema.type = 'struct'
    schema.fields = structuralFields(openapi, isRoot || schema.embedded)
  }
  return schema
}

function structuralFields(openapi: Readonly<Record<string, unknown>>, isObjectRoot: boolean): Map<string, SchemaField> {
  const fields = new Map<string, SchemaField>()
  const properties = openapi['properties']
  if (isObject(properties)) {
    for (const [name, child] of Object.entries(properties)) if (isObject(child)) fields.set(name, structuralField(name, structuralNode(child), child['default']))
  }
  if (!isObjectRoot) return fields
  for (const name of ['apiVersion', 'kind']) fields.set(name, structuralField(name, node('string', 'string'), undefined))
  return fields.set('metadata', structuralField('metadata', metadataSchema(), undefined))
}

function structuralType(openapi: Readonly<Record<string, unknown>>): SchemaType {
  if (openapi['x-kubernetes-int-or-string'] === true) return 'intOrString'
  switch (openapi['type']) {
    case 'string':
      return 'string'
    case 'integer':
      return 'integer'
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
      return 'list'
    case 'object':
      return objectType(openapi)
    default:
      return isObject(openapi['properties']) ? 'struct' : 'any'
  }
}

function objectType(openapi: Readonly<Record<string, unknown>>): SchemaType {
  if (isObject(openapi['properties']) || openapi['x-kubernetes-embedded-resource'] === true) return 'struct'
  const values = openapi['additionalProperties']
  if (isObject(values) || values === true) return 'map'
  // An object without properties keeps nothing, unless told to preserve.
  return 'struct'
}

/** The schema of a declared kind. */
export function schemaOf(resource: { readonly schema: string | Readonly<Record<string, unknown>> }): Schema {
  if (typeof resource.schema !== 'string') return structuralSchema(resource.schema)
  const schema = definitionSchema(resource.schema)
  if (!schema) throw new Error(`no schema facts for ${resource.schema}`)
  return schema
}

let registered: ReadonlySet<string> | undefined

/** Whether Kubernetes has a kind of this name, whatever we serve: `apps/v1/Deployment`, `v1/Pod`. */
export function isKnownKind(apiVersion: string, kind: string): boolean {
  registered ??= new Set(
    Object.values(definitions).flatMap(definition => {
      const kinds = definition['x-kubernetes-group-version-kind']
      if (!Array.isArray(kinds)) return []
      return kinds.map(k => `${String(getOwn(k, 'group')) === '' ? '' : `${String(getOwn(k, 'group'))}/`}${String(getOwn(k, 'version'))}/${String(getOwn(k, 'kind'))}`)
    }),
  )
  return registered.has(`${apiVersion}/${kind}`) || (apiVersion === 'v1' && kind === 'List')
}

/** The published definition of a name, for OpenAPI and the editor. */
export function definitionFactsOf(name: string): Readonly<Record<string, unknown>> | undefined {
  return Object.hasOwn(definitions, name) ? definitions[name] : undefined
}
