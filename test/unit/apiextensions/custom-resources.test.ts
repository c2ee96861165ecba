/** What the schema of a custom kind does to its objects: what is dropped, filled in, refused, and in which words. */
import { describe, expect, test } from 'vitest'
import { customKind } from '../../../src-main/api/apiextensions/custom-resource.ts'
import { applyDefaults, pruneNulls, pruneUnknown } from '../../../src-main/api/apiextensions/pruning.ts'
import { structuralOf } from '../../../src-main/api/apiextensions/structural-schema.ts'
import { FieldPath } from '../../../src-main/api/field-errors.ts'
import { parseJson, stringifyJson } from '../../../src-main/api/json.ts'
import type { JsonObject } from '../../../src-main/api/json.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import type { CustomResourceDefinition } from '../../../src-main/api/generated/apiextensions-v1.ts'
import { fieldErrorText } from '../../../src-main/api/status-error.ts'

const json = (text: string): JsonObject => parseJson(new TextEncoder().encode(text)) as JsonObject

function kindWith(spec: JsonObject): AnyResource {
  const schema = { type: 'object', properties: { spec } }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com', uid: 'u' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Widget', plural: 'widgets' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  } as unknown as CustomResourceDefinition
  return customKind(definition).storage
}
const widget = (spec: unknown): KubernetesObject => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w', namespace: 'n' }, spec }) as unknown as KubernetesObject
function faults(schema: JsonObject, spec: unknown, previous?: unknown): string[] {
  const before = previous === undefined ? undefined : widget(previous)
  return (kindWith(schema).validate?.(widget(spec), FieldPath.root(), before) ?? []).map(fieldErrorText)
}

describe('pruning', () => {
  const schema = structuralOf(
    json(`{"type":"object","properties":{
      "a":{"type":"string"},
      "open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"shut":{"type":"object","properties":{"x":{"type":"integer"}}}}},
      "map":{"type":"object","additionalProperties":{"type":"object","properties":{"x":{"type":"integer"}}}},
      "list":{"type":"array","items":{"type":"object","properties":{"x":{"type":"integer"}}}},
      "pod":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{"spec":{"type":"object"}}}}}`),
  )
  test.each([
    ['unknown fields', '{"a":"1","b":2}', '{"a":"1"}'],
    ['fields below lists and maps', '{"list":[{"x":1,"y":2}],"map":{"k":{"x":1,"y":2}}}', '{"list":[{"x":1}],"map":{"k":{"x":1}}}'],
    ['nothing of what is preserved, but below it again', '{"open":{"any":1,"shut":{"x":1,"y":2}}}', '{"open":{"any":1,"shut":{"x":1}}}'],
    [
      'nothing of an embedded object’s head',
      '{"pod":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"other":1}}',
      '{"pod":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}}',
    ],
    ['keys that are special to JavaScript', '{"__proto__":{"a":1},"constructor":1,"hasOwnProperty":2,"a":"1"}', '{"a":"1"}'],
    ['no special key of a map', '{"map":{"__proto__":{"x":1,"y":2},"constructor":{"y":1}}}', '{"map":{"__proto__":{"x":1},"constructor":{}}}'],
  ])('drops %s', (_what, given, wanted) => {
    expect(stringifyJson(pruneUnknown(json(given), schema, true))).toBe(wanted)
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('leaves what it was given as it was, and gives it back where nothing changed', () => {
    const given = json('{"a":"1","list":[{"x":1,"y":2}]}')
    const clean = json('{"a":"1","list":[{"x":1}]}')
    expect([pruneUnknown(given, schema, true) === given, stringifyJson(given), pruneUnknown(clean, schema, true) === clean]).toEqual([
      false,
      '{"a":"1","list":[{"x":1,"y":2}]}',
      true,
    ])
  })

  test('tells of each dropped field by its path', () => {
    const paths: string[] = []
    pruneUnknown(json('{"b":1,"list":[{"x":1},{"y":2}],"map":{"k":{"z":1}}}'), schema, true, path => paths.push(path))
    expect(paths.sort()).toEqual(['b', 'list[1].y', 'map.k.z'])
  })
})

describe('defaults', () => {
  const schema = structuralOf(
    json(`{"type":"object","properties":{
      "big":{"type":"integer","default":9007199254740993},
      "o":{"type":"object","default":{"deep":{}},"properties":{"deep":{"type":"object","properties":{"x":{"type":"string","default":"y"}}}}},
      "list":{"type":"array","items":{"type":"object","properties":{"p":{"type":"string","default":"TCP"}}}},
      "n":{"type":"string","nullable":true,"default":"d"},
      "s":{"type":"string","default":"d"}}}`),
  )
  test.each([
    ['what is missing, and below what was filled in', '{}', '{"big":9007199254740993,"o":{"deep":{"x":"y"}},"n":"d","s":"d"}'],
    ['items of lists', '{"big":1,"o":{},"list":[{},{"p":"UDP"}],"n":"1","s":"1"}', '{"big":1,"o":{},"list":[{"p":"TCP"},{"p":"UDP"}],"n":"1","s":"1"}'],
  ])('fill in %s', (_what, given, wanted) => {
    expect(stringifyJson(applyDefaults(json(given), schema))).toBe(wanted)
  })

  test('take the place of null where null is not allowed', () => {
    expect(applyDefaults(pruneNulls(json('{"big":1,"o":{},"n":null,"s":null}'), schema), schema)).toMatchObject({ n: null, s: 'd' })
  })

  test('are not shared between objects', () => {
    const [one, other] = [applyDefaults(json('{}'), schema), applyDefaults(json('{}'), schema)]
    ;(one['o'] as JsonObject)['deep'] = 'changed'
    expect(other['o']).toEqual({ deep: { x: 'y' } })
  })
})

describe('values', () => {
  test.each<[string, JsonObject, unknown, string[]]>([
    ['types', { type: 'object', properties: { a: { type: 'integer' } } }, { a: 'x' }, ['spec.a: Invalid value: "string": spec.a in body must be of type integer: "string"']],
    [
      'integers that are written with a point',
      { type: 'object', properties: { a: { type: 'integer' } } },
      { a: 1.5 },
      [
        'spec.a: Invalid value: "number": spec.a in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.a',
      ],
    ],
    ['required fields', { type: 'object', required: ['a'] }, {}, ['spec.a: Required value']],
    ['enumerations', { type: 'object', properties: { a: { type: 'string', enum: ['x', 'y'] } } }, { a: 'z' }, ['spec.a: Unsupported value: "z": supported values: "x", "y"']],
    ['limits', { type: 'object', properties: { a: { type: 'integer', minimum: 1 } } }, { a: 0 }, ['spec.a: Invalid value: 0: spec.a in body should be greater than or equal to 1']],
    ['lengths in characters', { type: 'object', properties: { a: { type: 'string', maxLength: 2 } } }, { a: '🙂🙂🙂' }, ['spec.a: Too long: may not be more than 2 bytes']],
    ['patterns', { type: 'object', properties: { a: { type: 'string', pattern: '^a+$' } } }, { a: 'b' }, ['spec.a: Invalid value: "b": spec.a in body should match \'^a+$\'']],
    [
      'counts',
      { type: 'object', properties: { a: { type: 'array', maxItems: 1, items: { type: 'string' } } } },
      { a: ['x', 'y'] },
      ['spec.a: Too many: 2: must have at most 1 item'],
    ],
    [
      'sets',
      { type: 'object', properties: { a: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } } },
      { a: ['x', 'x'] },
      ['spec.a[1]: Duplicate value: "x"'],
    ],
    [
      'keys of lists',
      {
        type: 'object',
        properties: {
          a: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
          },
        },
      },
      { a: [{ k: 'x' }, { k: 'x' }] },
      ['spec.a[1]: Duplicate value: {"k":"x"}'],
    ],
    [
      'int-or-string',
      { type: 'object', properties: { a: { 'x-kubernetes-int-or-string': true } } },
      { a: true },
      ['spec.a: Invalid value: "boolean": spec.a in body must be of type integer,string: "boolean"'],
    ],
    ['int-or-string, as either', { type: 'object', properties: { a: { 'x-kubernetes-int-or-string': true } } }, { a: '50%' }, []],
    [
      'formats',
      { type: 'object', properties: { a: { type: 'string', format: 'date-time' } } },
      { a: 'today' },
      ['spec.a: Invalid value: "today": spec.a in body must be of type date-time: "today"'],
    ],
    [
      'fields called like those of JavaScript',
      { type: 'object', required: ['constructor', 'toString'] },
      {},
      ['spec.constructor: Required value', 'spec.toString: Required value'],
    ],
    ['integers of 64 bits', { type: 'object', properties: { a: { type: 'integer', format: 'int64' } } }, { a: 9223372036854775807n }, []],
  ])('%s', (_what, schema, spec, wanted) => {
    expect(faults(schema, spec)).toEqual(wanted)
  })

  test('are matched in linear time, whatever the pattern', () => {
    const begun = performance.now()
    expect(faults({ type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(50_000)}b` })).toHaveLength(1)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })

  test('may stay as they were (ratcheting), but not change to something wrong', () => {
    const schema: JsonObject = { type: 'object', properties: { a: { type: 'string', maxLength: 2 }, b: { type: 'string' } } }
    expect(faults(schema, { a: 'long', b: '2' }, { a: 'long', b: '1' })).toEqual([])
    expect(faults(schema, { a: 'longer' }, { a: 'long' })).toHaveLength(1)
  })
})

describe('rules', () => {
  const rule = (more: JsonObject): JsonObject => ({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.a <= self.b', ...more }],
    properties: { a: { type: 'integer' }, b: { type: 'integer' } },
  })
  test.each<[string, JsonObject, string]>([
    ['the rule itself where there is no message', {}, 'spec: Invalid value: failed rule: self.a <= self.b'],
    ['its message', { message: 'too much' }, 'spec: Invalid value: too much'],
    ['the text that its expression makes', { messageExpression: 'self.a > 5 ? "much" : "some"' }, 'spec: Invalid value: much'],
    ['the field that it names', { message: 'too much', fieldPath: '.a' }, 'spec.a: Invalid value: too much'],
    ['its reason', { message: 'too much', reason: 'FieldValueForbidden' }, 'spec: Forbidden: too much'],
  ])('say %s', (_what, more, wanted) => {
    expect(faults(rule(more), { a: 9, b: 1 })).toEqual([wanted])
    expect(faults(rule(more), { a: 1, b: 9 })).toEqual([])
  })

  test('compare with the object before only where there was one', () => {
    const schema: JsonObject = { type: 'object', properties: { a: { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed' }] } } }
    expect([faults(schema, { a: 'x' }), faults(schema, { a: 'x' }, {}), faults(schema, { a: 'x' }, { a: 'x' }), faults(schema, { a: 'y' }, { a: 'x' })]).toEqual([
      [],
      [],
      [],
      ['spec.a: Invalid value: "y": fixed'],
    ])
  })

  test('may ask whether there was one before', () => {
    const schema: JsonObject = {
      type: 'object',
      properties: {
        a: { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: 'oldSelf.hasValue() || self == "first"', optionalOldSelf: true, message: 'begin with first' }] },
      },
    }
    expect([faults(schema, { a: 'first' }), faults(schema, { a: 'x' }), faults(schema, { a: 'x' }, { a: 'first' })]).toEqual([
      [],
      ['spec.a: Invalid value: "x": begin with first'],
      [],
    ])
  })
})
