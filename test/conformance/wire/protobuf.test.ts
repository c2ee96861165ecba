/** Every built-in kind goes through protobuf and comes back as it was, with every field that its schema has. */
import { beforeAll, describe, expect, test } from 'vitest'
import definitions from '../../../resources/schema/definitions.json' with { type: 'json' }
import { allResources } from '../../../src-main/api/resources.ts'
import { groupVersion } from '../../../src-main/api/meta.ts'
import { decodeProtobuf, encodeProtobuf, hasProtobufForm } from '../../../src-main/apiserver/protobuf/protobuf.ts'
import { loadTables } from '../../../src-main/apiserver/protobuf/tables.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[]
}
const schemas = definitions as unknown as Readonly<Record<string, Schema>>

/** Deep enough for every kind; only schemas of custom resources go on for ever. */
const MAX_DEPTH = 16

const values: Readonly<Record<string, (n: number) => unknown>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': n => `${n}500m`,
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': n => `2024-02-29T23:59:${10 + (n % 50)}Z`,
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': n => `1969-07-20T20:17:40.00000${n % 10}Z`,
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': n => (n % 2 === 0 ? n : `${n}%`),
  'io.k8s.apimachinery.pkg.runtime.RawExtension': n => ({ kind: 'Own', 'f:spec': { deep: [n, null, 'ü'] } }),
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': n => ({ [`f:field${n}`]: { '.': {} } }),
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': n => [n, { a: 'b' }, false],
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': n => (n % 2 === 0 ? { type: 'string' } : [{ type: 'string' }, { type: 'integer' }]),
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': n => (n % 2 === 0 ? { type: 'string' } : true),
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': n => (n % 2 === 0 ? { type: 'string' } : ['a', 'b']),
}

/** A value with every field of a schema; undefined where it would go too deep. */
function fill(schema: Schema, next: () => number, depth: number): unknown {
  if (depth > MAX_DEPTH) return undefined
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice('#/definitions/'.length)
    return values[name]?.(next()) ?? fill(schemas[name] ?? {}, next, name.endsWith('JSONSchemaProps') ? depth + 7 : depth)
  }
  switch (schema.type) {
    case 'string':
      return schema.format === 'byte' ? btoa(`bytes ${next()}`) : `${'text of more than a few characters, übergroß 🚢 '.repeat(next() % 3)}${next()}`
    case 'integer':
      return schema.format === 'int64' && next() % 5 === 0 ? -9_007_199_254_740_993n : next() % 2 === 0 ? next() * 1_000 : -next()
    case 'number':
      return next() + 0.25
    case 'boolean':
      return true
    case 'array':
      return [fill(schema.items ?? {}, next, depth + 1), fill(schema.items ?? {}, next, depth + 1)].filter(item => item !== undefined)
    default:
      return schema.additionalProperties ? map(schema.additionalProperties, next, depth) : fields(schema, next, depth)
  }
}

function map(value: Schema, next: () => number, depth: number): Record<string, unknown> | undefined {
  const [first, second] = [fill(value, next, depth + 1), fill(value, next, depth + 1)]
  return first === undefined || second === undefined ? undefined : { key: first, 'a/b.c': second }
}

function fields(schema: Schema, next: () => number, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    // The type of a nested object is not in its message.
    if (name === 'apiVersion' || name === 'kind') {
      if (schema['x-kubernetes-group-version-kind'] !== undefined || name === 'kind') continue
    }
    const value = fill(field, next, depth + 1)
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) out[name] = value
  }
  return out
}

const kinds = Object.entries(schemas).flatMap(([name, schema]) => (schema['x-kubernetes-group-version-kind'] ?? []).slice(0, 1).map(gvk => ({ name, ...gvk })))

beforeAll(() => loadTables())

describe('protobuf', () => {
  test('has a form for every built-in kind that is served', () => {
    const builtIn = allResources.filter(r => typeof r.schema === 'string' && r.group !== 'infra.quarterdeck.app')
    expect(builtIn.filter(r => !hasProtobufForm(groupVersion(r.group, r.version), r.kind)).map(r => r.kind)).toEqual([])
  })

  test.each(kinds)('carries every field of $group/$version $kind', ({ name, group, version, kind }) => {
    let n = 0
    const object = { apiVersion: groupVersion(group, version), kind, ...fields(schemas[name] ?? {}, () => ++n, 0) }
    const bytes = encodeProtobuf(object)
    expect(decodeProtobuf(bytes ?? new Uint8Array())).toEqual(object)
  })

  test('has none for kinds of others, even with the names of built-in groups', () => {
    expect([hasProtobufForm('apps.example.com/v1', 'Deployment'), hasProtobufForm('example.com/v1', 'Status'), hasProtobufForm('meta.k8s.io/v1', 'Table')]).toEqual([
      false,
      false,
      false,
    ])
  })
})
