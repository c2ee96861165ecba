/** Schemas of the documents: the facts in OpenAPI v3's form, only what a document refers to. Pure but for the loading. */
import type { AnyResource } from '../../api/resource.ts'

export type Schema = Record<string, unknown>
/** Definitions by name, in OpenAPI v2's form (`#/definitions/…`). */
export type SchemaFacts = Readonly<Record<string, Schema>>

/** Loaded on the first question only: most clients never ask. */
export async function loadFacts(): Promise<SchemaFacts> {
  const loaded = await import('../../../resources/schema/definitions.json', { with: { type: 'json' } })
  return loaded.default as unknown as SchemaFacts
}

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const referenceStart = '#/components/schemas/'

export function reference(name: string): { $ref: string } {
  return { $ref: `${referenceStart}${name}` }
}

/** `io.k8s.api.apps.v1.Deployment`, or `com.example.v1.Widget` for kinds that bring their schema. */
export function schemaNameOf(resource: AnyResource): string {
  return typeof resource.schema === 'string' ? resource.schema : ownName(resource)
}

export function listSchemaNameOf(resource: AnyResource): string {
  const name = schemaNameOf(resource)
  return `${name.slice(0, name.lastIndexOf('.'))}.${resource.listKind ?? `${resource.kind}List`}`
}

function ownName(resource: AnyResource): string {
  return `${resource.group.split('.').reverse().join('.')}.${resource.version}.${resource.kind}`
}

/** Values that fields have when they are left out, by definition and field; OpenAPI v2 does not say them. */
export type SchemaDefaults = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export async function loadDefaults(): Promise<SchemaDefaults> {
  const loaded = await import('../../../resources/schema/openapi-defaults.json', { with: { type: 'json' } })
  return loaded.default as unknown as SchemaDefaults
}

/** What a document of one group version says of definitions that all groups share. */
export interface DocumentVersion {
  readonly group: string
  readonly version: string
  readonly defaults: SchemaDefaults
}

/** A definition as one document has it: with defaults, and as a kind of this group version alone. */
function inDocument(name: string, schema: Schema, document: DocumentVersion): Schema {
  const kinds = schema['x-kubernetes-group-version-kind']
  const defaults = document.defaults[name] ?? {}
  const properties = schema['properties'] as Readonly<Record<string, Schema>> | undefined
  const isShown = (kind: { group: string; version: string }): boolean =>
    (kind.group === '' && kind.version === 'v1') || (kind.group === document.group && kind.version === document.version)
  return {
    ...schema,
    ...(Array.isArray(kinds) && kinds.length > 1 ? { 'x-kubernetes-group-version-kind': kinds.filter(isShown) } : {}),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([field, value]) => [field, Object.hasOwn(defaults, field) ? { ...value, default: defaults[field] } : value]),
          ),
        }),
  }
}

/** Everything that `paths` and the resources' kinds refer to, transitively. */
export function collectSchemas(facts: SchemaFacts, resources: readonly AnyResource[], paths: object, document?: DocumentVersion): Record<string, Schema> {
  const own = new Map<string, Schema>()
  for (const resource of resources) {
    if (typeof resource.schema !== 'string') own.set(ownName(resource), customSchema(resource, resource.schema))
    if (!(listSchemaNameOf(resource) in facts)) own.set(listSchemaNameOf(resource), listSchema(resource))
  }
  const out: Record<string, Schema> = {}
  const add = (name: string): void => {
    if (name in out) return
    const found = own.get(name) ?? version3Only[name] ?? (name in facts ? factSchema(name, facts) : undefined)
    if (!found) return
    out[name] = document === undefined ? found : inDocument(name, found, document)
    for (const next of referencesOf(found)) add(next)
  }
  for (const resource of resources) add(schemaNameOf(resource))
  for (const name of referencesOf(paths)) add(name)
  return Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function referencesOf(value: unknown, into: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) for (const item of value) referencesOf(item, into)
  else if (value !== null && typeof value === 'object') {
    for (const [key, child] of Object.entries(value)) {
      if (key === '$ref' && typeof child === 'string' && child.startsWith(referenceStart)) into.add(child.slice(referenceStart.length))
      else referencesOf(child, into)
    }
  }
  return into
}

/** Fields without a text refer to others without a wrapping: all of this definition's but `default`. */
const bare = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'

function factSchema(name: string, facts: SchemaFacts): Schema {
  const fact = facts[name] ?? {}
  if (name !== bare) return toVersion3(fact, facts)
  const properties = Object.entries(fact['properties'] as Record<string, Schema>).map(
    ([field, schema]) => [field, field === 'default' ? toVersion3(schema, facts) : elementSchema(schema, facts)] as const,
  )
  return { ...toVersion3(fact, facts), properties: Object.fromEntries(properties) }
}

function toVersion3(value: Schema, facts: SchemaFacts): Schema {
  const out: Schema = {}
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref' && typeof child === 'string') {
      const name = child.slice('#/definitions/'.length)
      out['allOf'] = [reference(name)]
    } else if (key === 'properties' && child !== null && typeof child === 'object') {
      out[key] = Object.fromEntries(Object.entries(child as Record<string, Schema>).map(([name, schema]) => [name, toVersion3(schema, facts)]))
    } else if (child !== null && typeof child === 'object' && !Array.isArray(child) && (key === 'items' || key === 'additionalProperties')) {
      out[key] = elementSchema(child as Schema, facts)
    } else {
      out[key] = child
    }
  }
  return out
}

/** Items and map values are bare references; fields are wrapped, so that texts can stand beside them. */
function elementSchema(child: Schema, facts: SchemaFacts): Schema {
  const target = child['$ref']
  return typeof target === 'string' ? reference(target.slice('#/definitions/'.length)) : toVersion3(child, facts)
}

/** Kinds of values whose v3 form says more than v2 can. */
const version3Only: Readonly<Record<string, Schema>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
}

function customSchema(resource: AnyResource, schema: Schema): Schema {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>
  return {
    ...schema,
    type: 'object',
    properties: { ...properties, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { allOf: [reference(`${metaPrefix}ObjectMeta`)], default: {} } },
    'x-kubernetes-group-version-kind': [{ group: resource.group, version: resource.version, kind: resource.kind }],
  }
}

function listSchema(resource: AnyResource): Schema {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { allOf: [reference(`${metaPrefix}ListMeta`)], default: {} },
      items: { type: 'array', items: { allOf: [reference(schemaNameOf(resource))], default: {} } },
    },
    'x-kubernetes-group-version-kind': [{ group: resource.group, version: resource.version, kind: resource.listKind ?? `${resource.kind}List` }],
  }
}

/** Turns a document's definitions and paths into OpenAPI v2's form. */
export function toVersion2(document: { definitions: Record<string, Schema>; paths: Record<string, object> }): { definitions: Record<string, unknown>; paths: object } {
  return {
    definitions: convert(document.definitions) as Record<string, unknown>,
    paths: Object.fromEntries(Object.entries(document.paths).map(([path, item]) => [path, pathVersion2(item)])),
  }
}

function convert(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(convert)
  if (value === null || typeof value !== 'object') return value
  const record = value as Record<string, unknown>
  // Alternatives are beyond v2: quantities and the like are texts there.
  if (Array.isArray(record['oneOf'])) return { type: 'string', ...(record['format'] === undefined ? {} : { format: record['format'] }) }
  const allOf = record['allOf']
  if (Array.isArray(allOf) && allOf.length === 1) {
    const { allOf: _all, default: _default, ...rest } = record
    return { ...(convert(rest) as object), ...(convert(allOf[0]) as object) }
  }
  return Object.fromEntries(
    Object.entries(record).map(([key, child]) => [key, key === '$ref' && typeof child === 'string' ? child.replace(referenceStart, '#/definitions/') : convert(child)]),
  )
}

const produces = ['application/json', 'application/yaml']

interface Operation3 {
  parameters?: Record<string, unknown>[]
  requestBody?: { content: Record<string, { schema: unknown }>; required?: boolean }
  responses: Record<string, { content?: Record<string, { schema: unknown }> }>
}

function pathVersion2(item: object): object {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [key, Array.isArray(value) ? (value as Record<string, unknown>[]).map(parameterVersion2) : operationVersion2(value as Operation3)]),
  )
}

function operationVersion2(operation: Operation3): object {
  const { requestBody, responses, parameters, ...rest } = operation
  const body = requestBody ? Object.values(requestBody.content)[0]?.schema : undefined
  const all = [
    ...(body === undefined ? [] : [{ in: 'body', name: 'body', ...(requestBody?.required ? { required: true } : {}), schema: convert(body) }]),
    ...(parameters ?? []).map(parameterVersion2),
  ]
  return {
    ...rest,
    schemes: ['https'],
    consumes: requestBody ? Object.keys(requestBody.content) : ['*/*'],
    produces,
    ...(all.length > 0 ? { parameters: all } : {}),
    responses: Object.fromEntries(
      Object.entries(responses).map(([code, answer]) => {
        const schema = Object.values(answer.content ?? {})[0]?.schema
        return [code, schema === undefined ? {} : { schema: convert(schema) }]
      }),
    ),
  }
}

function parameterVersion2(parameter: Record<string, unknown>): object {
  const { schema, ...rest } = parameter
  return { ...rest, ...(schema as object | undefined) }
}
