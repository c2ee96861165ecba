/** What holds of every declaration in the list of kinds. */
import { describe, expect, it } from 'vitest'
import { FieldPath } from '../../../src-main/api/field-errors.ts'
import type { FieldError } from '../../../src-main/api/field-errors.ts'
import { deepEqual } from '../../../src-main/api/json.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { resourceKey, storedAs } from '../../../src-main/api/resource.ts'
import { allResources } from '../../../src-main/api/resources.ts'
import definitions from '../../../resources/schema/definitions.json' with { type: 'json' }
import { sampleOf } from './samples.ts'

const now = Date.UTC(2026, 0, 2)
const root = FieldPath.root()
const context = { user: { name: 'admin', groups: ['system:authenticated'] }, now, dryRun: false }

/** A created object, as far as the declaration alone makes it. */
function created(r: AnyResource): Record<string, unknown> {
  const object = sampleOf(r, 'a') as unknown as Record<string, unknown> & { metadata: Record<string, unknown> }
  r.setDefaults?.(object)
  object.metadata['uid'] = '00000000-0000-0000-0000-000000000001'
  object.metadata['creationTimestamp'] = '2026-01-01T00:00:00Z'
  r.prepareForCreate?.(object, context)
  return object
}

it('has no two declarations for one resource', () => {
  const keys = allResources.map(resourceKey)
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([])
})

it('has no two kinds with one short name in one group', () => {
  const names = allResources.filter(r => r.conversion === undefined).flatMap(r => (r.shortNames ?? []).map(name => `${r.group}/${r.version}/${name}`))
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})

describe.each(allResources.map(r => [resourceKey(r), r] as const))('%s', (_key, r) => {
  it('is named as Kubernetes names kinds', () => {
    expect({ kind: /^[A-Z][A-Za-z]+$/.test(r.kind), plural: /^[a-z]+$/.test(r.plural), version: /^v\d+((alpha|beta)\d+)?$/.test(r.version) }).toEqual({
      kind: true,
      plural: true,
      version: true,
    })
  })

  it('has a schema', () => {
    if (typeof r.schema === 'string') expect(Object.hasOwn(definitions, r.schema)).toBe(true)
    else expect(r.schema['type']).toBe('object')
  })

  it('begins its columns with the name or ends with it, and names no column twice', () => {
    const listed = r.columns.filter(c => c.unlisted !== true)
    const names = listed.map(c => c.name)
    // Upstream marks the attacher of an attachment too, and forgets the name of a migration.
    const marked: Readonly<Record<string, number>> = { VolumeAttachment: 2, StorageVersionMigration: 0 }
    expect({ named: listed.filter(c => c.format === 'name').length, unique: new Set(names).size }).toEqual({ named: marked[r.kind] ?? 1, unique: names.length })
  })

  it('renders its columns for an object with metadata alone', () => {
    const bare = { apiVersion: 'v1', kind: r.kind, metadata: { name: 'a' } }
    const cells = r.columns.map(c => c.value(bare, now))
    expect(cells.filter(cell => cell === undefined || (typeof cell === 'number' && Number.isNaN(cell)))).toEqual([])
  })

  it('renders its columns for a created object', () => {
    const cells = r.columns.map(c => c.value(created(r), now))
    expect(cells.filter(cell => cell === undefined || (typeof cell === 'string' && /undefined|NaN|\[object/.test(cell)))).toEqual([])
  })

  it('sets defaults that a second setting does not change', () => {
    const once = structuredClone(created(r))
    r.setDefaults?.(once)
    const twice = structuredClone(once)
    r.setDefaults?.(twice)
    expect(deepEqual(once, twice)).toBe(true)
  })

  it('finds no fault with its sample', () => {
    expect(r.validate?.(created(r), root) ?? []).toEqual([])
  })

  it('finds no fault with an update that changes nothing', () => {
    const next = created(r)
    const previous = structuredClone(next)
    r.prepareForUpdate?.(next, previous, context)
    expect(r.validateUpdate?.(next, previous, root) ?? []).toEqual([])
  })

  it('answers objects of the right kind with anything inside by faults, never by an exception', () => {
    for (const body of [{}, { spec: {} }, { status: {} }, { spec: {}, status: {} }, { metadata: { name: 'a', labels: {}, annotations: {} } }]) {
      const object = { apiVersion: 'v1', kind: r.kind, metadata: { name: 'a' }, ...structuredClone(body) }
      r.setDefaults?.(object)
      const faults = (r.validate?.(object, root) ?? []) as FieldError[]
      expect(faults.every(fault => fault.message !== '' && !fault.field.includes('undefined'))).toBe(true)
    }
  })

  it('does not alter what it validates', () => {
    const object = created(r)
    const before = structuredClone(object)
    r.validate?.(object, root)
    expect(object).toEqual(before)
  })

  it('gives text for every selectable field', () => {
    const object = created(r)
    for (const valueOf of Object.values(r.fields ?? {})) expect(typeof valueOf(object)).toBe('string')
  })

  it('comes back the same from its stored shape', () => {
    const { conversion } = r
    const object = created(r)
    if (conversion === undefined) expect(storedAs(r)).toBe(r)
    else {
      const stored = conversion.toStored(object)
      const again = conversion.toStored(conversion.fromStored(stored))
      expect({ kind: stored.kind, again }).toEqual({ kind: conversion.of.kind, again: stored })
    }
  })
})
