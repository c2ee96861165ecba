import { describe, expect, it } from 'vitest'
import { decodeObject } from '../../../src-main/api/decode.ts'
import { deepFreeze } from '../../../src-main/api/json.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { applyServerSide } from '../../../src-main/api/managed-fields/apply.ts'
import { updateManagedFields } from '../../../src-main/api/managed-fields/update.ts'
import { schemaOf } from '../../../src-main/api/schema.ts'
import { StatusError, isConflict } from '../../../src-main/api/status-error.ts'

const kinds = {
  ConfigMap: { group: '', version: 'v1', kind: 'ConfigMap', schema: 'io.k8s.api.core.v1.ConfigMap' },
  Service: { group: '', version: 'v1', kind: 'Service', schema: 'io.k8s.api.core.v1.Service' },
  Deployment: { group: 'apps', version: 'v1', kind: 'Deployment', schema: 'io.k8s.api.apps.v1.Deployment' },
  Widget: {
    group: 'example.com',
    version: 'v1',
    kind: 'Widget',
    schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            n: { type: 'integer' },
            free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
            map: {
              type: 'array',
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['k'],
              items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'string' } } },
            },
          },
        },
      },
    },
  },
} as const

type Kind = keyof typeof kinds
type Fields = Record<string, unknown>

/** One object that several managers write. */
class Subject {
  readonly kind: Kind
  object: KubernetesObject | undefined
  now = Date.UTC(2026, 0, 1)

  constructor(kind: Kind) {
    this.kind = kind
  }

  #context(manager: string): { manager: string; subresource: string; apiVersion: string; schema: ReturnType<typeof schemaOf>; now: number } {
    const { group, version } = kinds[this.kind]
    return { manager, subresource: '', apiVersion: group === '' ? version : `${group}/${version}`, schema: schemaOf(kinds[this.kind]), now: (this.now += 1_000) }
  }

  #whole(fields: Fields): Fields {
    const { apiVersion } = this.#context('')
    return { apiVersion, kind: this.kind, ...fields, metadata: { name: 'a', ...(fields['metadata'] as object | undefined) } }
  }

  apply(manager: string, fields: Fields, force = false): void {
    this.object = deepFreeze(applyServerSide({ live: this.object, applied: this.#whole(fields) as unknown as KubernetesObject, force, ...this.#context(manager) }).object)
  }

  update(manager: string, fields: Fields, subresource = ''): void {
    const next = decodeObject(this.#whole(fields), kinds[this.kind]).object
    this.object = deepFreeze(updateManagedFields({ live: this.object, next, ...this.#context(manager), subresource }))
  }

  /** `manager operation` → fields. */
  owners(): Record<string, unknown> {
    return Object.fromEntries(
      (this.object?.metadata.managedFields ?? []).map(e => [`${e.manager ?? ''} ${e.operation ?? ''}${e.subresource ? ` ${e.subresource}` : ''}`, e.fieldsV1]),
    )
  }

  field(name: string): unknown {
    return (this.object as unknown as Fields | undefined)?.[name]
  }
}

function conflictOf(run: () => void): { message: string; fields: unknown[] } {
  try {
    run()
  } catch (error) {
    if (error instanceof StatusError && isConflict(error)) return { message: error.message, fields: (error.status.details?.causes ?? []).map(c => c.field) }
    throw error
  }
  return { message: '', fields: [] }
}

describe('server-side apply', () => {
  it('creates, shares, gives up and removes fields', () => {
    const s = new Subject('ConfigMap')
    s.apply('m1', { data: { a: '1', b: '2' } })
    s.apply('m2', { data: { a: '1' } })
    expect(s.owners()).toEqual({ 'm1 Apply': { 'f:data': { 'f:a': {}, 'f:b': {} } }, 'm2 Apply': { 'f:data': { 'f:a': {} } } })
    s.apply('m1', { data: { b: '2' } })
    expect(s.field('data')).toEqual({ a: '1', b: '2' })
    s.apply('m2', {})
    expect(s.field('data')).toEqual({ b: '2' })
    expect(s.owners()).toEqual({ 'm1 Apply': { 'f:data': { 'f:b': {} } } })
  })

  it('keeps its time when nothing changes', () => {
    const s = new Subject('ConfigMap')
    s.apply('m1', { data: { a: '1' } })
    const before = s.object
    s.apply('m1', { data: { a: '1' } })
    expect(s.object).toEqual(before)
  })

  it('refuses to take what others own, unless forced', () => {
    const s = new Subject('ConfigMap')
    s.apply('m1', { data: { b: '3' } })
    s.update('up', { data: { b: '4' } })
    expect(conflictOf(() => s.apply('m1', { data: { b: '5' } }))).toEqual({ message: 'Apply failed with 1 conflict: conflict with "up" using v1: .data.b', fields: ['.data.b'] })
    s.apply('m1', { data: { b: '5' } }, true)
    expect(s.owners()).toEqual({ 'm1 Apply': { 'f:data': { 'f:b': {} } } })
  })

  it('lists several conflicts by manager', () => {
    const s = new Subject('Widget')
    s.apply('a', { spec: { n: 1, map: [{ k: 'p', v: '1' }], free: { z: { y: 1 } } } })
    expect(conflictOf(() => s.apply('b', { spec: { n: 2, map: [{ k: 'p', v: '2' }], free: { z: { y: 2 } } } })).message).toBe(
      'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.free.z.y\n- .spec.map[k="p"].v\n- .spec.n',
    )
  })

  it('tells list items apart by all keys, with defaults, and owns atomic maps as a whole', () => {
    const s = new Subject('Service')
    s.apply('a', { spec: { ports: [{ port: 80, name: 'http' }], selector: { app: 'x' } } })
    s.apply('c', { spec: { ports: [{ port: 80, protocol: 'UDP', name: 'u' }] } })
    expect(s.owners()).toEqual({
      'a Apply': { 'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } }, 'f:selector': {} } },
      'c Apply': { 'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"UDP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {} } } } },
    })
    expect(conflictOf(() => s.apply('c', { spec: { selector: { tier: 'y' } } })).fields).toEqual(['.spec.selector'])
    s.apply('a', { spec: { type: 'NodePort' } })
    expect(s.field('spec')).toEqual({ ports: [{ port: 80, protocol: 'UDP', name: 'u' }], type: 'NodePort' })
  })

  it('merges sets', () => {
    const s = new Subject('ConfigMap')
    s.apply('m5', { metadata: { finalizers: ['a.b/c'] } })
    s.apply('m6', { metadata: { finalizers: ['a.b/d'] } })
    expect(s.object?.metadata.finalizers).toEqual(['a.b/c', 'a.b/d'])
    s.apply('m5', {})
    s.apply('m6', {})
    expect(s.object?.metadata).toEqual({ name: 'a' })
  })

  it('gives untracked objects to before-first-apply', () => {
    const s = new Subject('ConfigMap')
    s.update('x', { data: { b: '7' } })
    s.update('x', { data: { b: '7' }, metadata: { managedFields: [{}] } })
    expect(s.owners()).toEqual({})
    s.update('x', { data: { b: '8' } })
    expect(s.owners()).toEqual({})
    expect(conflictOf(() => s.apply('m1', { data: { b: '9' } })).message).toBe('Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.b')
  })

  it.each([
    ['Widget', { spec: { nosuch: 1 } }, '.spec.nosuch: field not declared in schema'],
    ['Widget', { spec: { n: 'x' } }, '.spec.n: expected numeric (int or float), got string'],
    ['Widget', { spec: { set: ['1', '1'] } }, '.spec.set: duplicate entries for key [="1"]'],
    ['Widget', { spec: { map: [{ k: 'a' }, { k: 'a' }] } }, '.spec.map: duplicate entries for key [k="a"]'],
    [
      'Widget',
      { spec: { map: [{ v: 'a' }] } },
      '.spec.map: element 0: associative list with keys has an element that omits all key fields ["k"] (and doesn\'t have default values for any key fields)',
    ],
  ] as const)('refuses %s %j', (kind, fields, message) => {
    expect(() => new Subject(kind).apply('m', fields)).toThrow(`failed to create typed patch object (/a; example.com/v1, Kind=Widget): ${message}`)
  })

  it('is not fooled by hostile keys', () => {
    const s = new Subject('ConfigMap')
    s.apply('m', { data: JSON.parse('{"__proto__":"x","constructor":"y"}') as Fields })
    expect(JSON.stringify(s.field('data'))).toBe('{"__proto__":"x","constructor":"y"}')
    s.apply('m', {})
    expect(s.field('data')).toBeUndefined()
  })
})

describe('tracking of other writes', () => {
  const deployment = {
    spec: { selector: { matchLabels: { app: 'x' } }, replicas: 1, template: { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
    status: { replicas: 9 },
  }

  it('a create owns all it set, as Kubernetes writes it down, and never status', () => {
    const s = new Subject('Deployment')
    s.update('kubectl', deployment)
    expect(s.owners()).toEqual({
      'kubectl Update': {
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
            'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } } },
          },
        },
      },
    })
  })

  it('the status subresource has managers of its own', () => {
    const s = new Subject('Deployment')
    s.update('kubectl', { ...deployment, status: {} })
    s.update('controller', { ...deployment, status: { replicas: 2 } }, 'status')
    expect(s.owners()['controller Update status']).toEqual({ 'f:status': { 'f:replicas': {} } })
  })

  it('who changes a field takes it; who removes it takes it from all', () => {
    const s = new Subject('ConfigMap')
    s.update('poster', { data: { a: '1' } })
    s.update('putter', { data: { a: '1', b: '2' } })
    expect(s.owners()).toEqual({ 'poster Update': { 'f:data': { '.': {}, 'f:a': {} } }, 'putter Update': { 'f:data': { 'f:b': {} } } })
    s.update('putter', { data: { b: '3' } })
    expect(s.owners()).toEqual({ 'poster Update': { 'f:data': {} }, 'putter Update': { 'f:data': { 'f:b': {} } } })
  })

  it('an unchanged object keeps its entries', () => {
    const s = new Subject('ConfigMap')
    s.update('a', { data: { a: '1' } })
    const entries = s.object?.metadata.managedFields
    s.update('b', { data: { a: '1' } })
    expect(s.object?.metadata.managedFields).toBe(entries)
  })

  it('at most ten managers keep entries of their own', () => {
    const s = new Subject('ConfigMap')
    for (let i = 0; i < 13; i++) s.update(`m${i}`, { data: Object.fromEntries(Array.from({ length: i + 1 }, (_, k) => [`k${k}`, 'x'])) })
    const owners = s.owners()
    expect(Object.keys(owners)).toHaveLength(11)
    expect(owners['ancient-changes Update']).toEqual({ 'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {} } })
  })

  it('names no new manager where nothing changed', () => {
    const s = new Subject('ConfigMap')
    const data = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, 'x'.repeat(100)]))
    s.update('a', { data })
    const before = s.object?.metadata.managedFields
    const next = decodeObject({ kind: 'ConfigMap', metadata: { name: 'a' }, data }, kinds.ConfigMap).object
    const updated = updateManagedFields({ live: s.object, next, manager: 'b', subresource: '', apiVersion: 'v1', schema: schemaOf(kinds.ConfigMap), now: 0 })
    expect(updated.metadata.managedFields).toEqual(before)
  })
})
