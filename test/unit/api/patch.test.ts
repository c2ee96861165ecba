import { describe, expect, it } from 'vitest'
import { cloneJson, parseJson } from '../../../src-main/api/json.ts'
import { applyJsonPatch } from '../../../src-main/api/patch/json-patch.ts'
import { applyMergePatch } from '../../../src-main/api/patch/merge-patch.ts'
import { applyStrategicMergePatch } from '../../../src-main/api/patch/strategic-merge-patch.ts'
import { definitionSchema } from '../../../src-main/api/schema.ts'
import type { Schema } from '../../../src-main/api/schema.ts'
import { StatusError } from '../../../src-main/api/status-error.ts'

const rejected = 'the server rejected our request due to an error in our request'

describe('JSON patch', () => {
  it.each([
    [
      { a: 1 },
      [
        { op: 'add', path: '/b', value: [1] },
        { op: 'add', path: '/b/-', value: 2 },
        { op: 'add', path: '/b/0', value: 0 },
      ],
      { a: 1, b: [0, 1, 2] },
    ],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
    [
      { 'a/b': 1, 'c~d': 2 },
      [
        { op: 'move', from: '/a~1b', path: '/x' },
        { op: 'copy', from: '/c~0d', path: '/y' },
      ],
      { 'c~d': 2, x: 1, y: 2 },
    ],
    [{ a: 1 }, [{ op: 'replace', path: '/missing', value: 2 }], { a: 1, missing: 2 }],
    [
      { a: { b: 1 } },
      [
        { op: 'test', path: '/a', value: { b: 1 } },
        { op: 'test', path: '/none', value: null },
        { op: 'replace', path: '', value: { c: 1 } },
      ],
      { c: 1 },
    ],
    [{ a: [1, 2, 3] }, [{ op: 'replace', path: '/a/-1', value: 9 }], { a: [1, 2, 9] }],
  ])('%#', (document, patch, result) => {
    expect(applyJsonPatch(cloneJson(document), patch)).toEqual(result)
  })

  it.each([
    [[{ op: 'test', path: '/a', value: 2 }]],
    [[{ op: 'remove', path: '/none' }]],
    [[{ op: 'add', path: '/none/x', value: 1 }]],
    [[{ op: 'odd', path: '/a' }]],
    [[{ op: 'add' }]],
    [[{ op: 'move', path: '/b', from: '/none' }]],
    [[{ op: 'add', path: '/list/5', value: 1 }]],
    [[{ op: 'move', from: '/o', path: '/o/p' }]],
    [[{ op: 'add', path: '/__proto__/x', value: 1 }]],
    [[{ op: 'copy', from: '/constructor/prototype', path: '/x' }]],
    [[{ op: 'add', path: '/list/length', value: 9 }]],
    [[{ op: 'remove', path: '/list/length' }]],
  ])('refuses %j and changes no prototype', patch => {
    expect(() => applyJsonPatch({ a: 1, list: [1], o: {} }, patch)).toThrow(rejected)
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
  })

  it('sets __proto__ as a key', () => {
    const result = applyJsonPatch({}, parseJson('[{"op":"add","path":"/__proto__","value":{"x":1}}]'))
    expect(JSON.stringify(result)).toBe('{"__proto__":{"x":1}}')
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
  })

  it('bounds operations and copies', () => {
    const test = { op: 'test', path: '/a', value: 1 }
    expect(
      applyJsonPatch(
        { a: 1 },
        Array.from({ length: 10_000 }, () => test),
      ),
    ).toEqual({ a: 1 })
    expect(() =>
      applyJsonPatch(
        { a: 1 },
        Array.from({ length: 10_001 }, () => test),
      ),
    ).toThrow('The allowed maximum operations in a JSON patch is 10000, got 10001')
    const doubling = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/x${i}` }))
    expect(() => applyJsonPatch({ a: { b: 1 } }, doubling)).toThrow(rejected)
  })
})

describe('merge patch', () => {
  it.each([
    [{ a: { b: 1, c: 2 } }, { a: { b: null, d: 3 } }, { a: { c: 2, d: 3 } }],
    [{ a: [1] }, { a: [2] }, { a: [2] }],
    [{ a: 'x' }, { a: { b: { c: null, d: 1 } } }, { a: { b: { d: 1 } } }],
  ])('%#', (document, patch, result) => {
    expect(applyMergePatch(cloneJson(document), patch)).toEqual(result)
  })

  it.each([
    [null, 'Invalid JSON Patch'],
    ['x', 'error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}'],
    [[1], 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'],
  ])('refuses %j', (patch, message) => {
    expect(() => applyMergePatch({}, patch)).toThrow(new StatusError(400, 'BadRequest', message))
  })

  it('merges __proto__ as data', () => {
    const result = applyMergePatch({}, parseJson('{"__proto__":{"x":{"y":1}}}'))
    expect(JSON.stringify(result)).toBe('{"__proto__":{"x":{"y":1}}}')
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
  })
})

const schema = definitionSchema('io.k8s.api.apps.v1.Deployment') as Schema
const names = ['c', 'd']
const deployment = (): Record<string, unknown> => ({
  metadata: { finalizers: ['a/b'] },
  spec: {
    strategy: { type: 'RollingUpdate', rollingUpdate: {} },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: {
        containers: names.map(name => ({ name, env: [{ name: 'A', value: '1' }], args: ['x'], ports: [{ containerPort: 80 }, { containerPort: 81 }] })),
        volumes: [{ name: 'w', configMap: {} }],
        tolerations: [{ key: 'a' }],
      },
    },
  },
})

interface Shown {
  spec: {
    strategy: object
    template: {
      metadata: { labels?: object }
      spec: {
        containers: { name: string; image?: string; env?: { name: string }[]; args?: string[]; ports?: { containerPort: number }[] }[]
        volumes: object[]
        tolerations: object[]
      }
    }
  }
  metadata: { finalizers: string[] }
}

function patched(spec: unknown): Shown['spec']['template']['spec'] {
  return (applyStrategicMergePatch(deployment(), { spec: { template: { spec } } }, schema) as Shown).spec.template.spec
}

describe('strategic merge patch', () => {
  it.each([
    [[{ name: 'e' }], ['e', 'c', 'd']],
    [[{ name: 'd', $patch: 'delete' }], ['c']],
    [[{ name: 'zz', $patch: 'delete' }], ['c', 'd']],
    [[{ name: 'only' }, { $patch: 'replace' }], ['only']],
    [
      [{ name: 'd', image: 'q' }, { name: 'c' }],
      ['d', 'c'],
    ],
  ])('%#: containers are merged by name', (containers, order) => {
    expect(patched({ containers }).containers.map(c => c.name)).toEqual(order)
  })

  it('keeps what the patch does not name', () => {
    const [first] = patched({
      containers: [
        { name: 'c', image: 'new', args: null, env: [{ name: 'A', $patch: 'delete' }, { name: 'B' }], ports: [{ containerPort: 80, name: 'web' }, { containerPort: 82 }] },
      ],
    }).containers
    expect(first).toEqual({ name: 'c', image: 'new', env: [{ name: 'B' }], ports: [{ containerPort: 80, name: 'web' }, { containerPort: 82 }, { containerPort: 81 }] })
  })

  it('obeys $setElementOrder', () => {
    expect(patched({ '$setElementOrder/containers': [{ name: 'e' }, { name: 'd' }, { name: 'c' }], containers: [{ name: 'e' }] }).containers.map(c => c.name)).toEqual([
      'e',
      'd',
      'c',
    ])
    expect(patched({ '$setElementOrder/containers': [{ name: 'd' }, { name: 'c' }] }).containers.map(c => c.name)).toEqual(['d', 'c'])
  })

  it('obeys $retainKeys, $patch on maps, $deleteFromPrimitiveList and merges primitives', () => {
    const patch = {
      metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'], finalizers: ['c/d'] },
      spec: {
        strategy: { $retainKeys: ['type'], type: 'Recreate' },
        template: {
          metadata: { labels: { $patch: 'replace', n: '1' } },
          spec: { volumes: [{ name: 'w', $retainKeys: ['name', 'secret'], secret: {} }], tolerations: [{ key: 'b' }] },
        },
      },
    }
    const { spec, metadata } = applyStrategicMergePatch(deployment(), patch, schema) as Shown
    expect([spec.strategy, spec.template.metadata.labels, spec.template.spec.volumes, spec.template.spec.tolerations, metadata.finalizers]).toEqual([
      { type: 'Recreate' },
      { n: '1' },
      [{ name: 'w', secret: {} }],
      [{ key: 'b' }],
      ['c/d'],
    ])
  })

  it.each([
    [{ containers: [{ image: 'x' }] }, 'map: map[image:x] does not contain declared merge key: name'],
    [{ containers: [{ name: 'c', $patch: 'odd' }] }, 'unknown patch type: odd in map: map[$patch:odd name:c]'],
    [{ '$setElementOrder/containers': ['d'] }, 'value for key 0 is not a map'],
    [
      { '$setElementOrder/containers': [{ name: 'd' }], containers: [{ name: 'e', image: 'q' }] },
      "The order in patch list:\n[map[image:q name:e]]\n doesn't match $setElementOrder list:\n[map[name:d]]\n",
    ],
  ])('refuses %j', (spec, message) => {
    expect(() => patched(spec)).toThrow(new StatusError(500, '', message))
  })

  it('leaves the patch alone', () => {
    const patch = { spec: { template: { spec: { containers: [{ name: 'c', $patch: 'delete' }] } } } }
    const before = cloneJson(patch)
    applyStrategicMergePatch(deployment(), patch, schema)
    expect(patch).toEqual(before)
  })
})
