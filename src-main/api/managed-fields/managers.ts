/** metadata.managedFields as managers with their sets: reading, ordering and writing the entries. */
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts'
import { compareBytes, deepEqual, isObject } from '../json.ts'
import { formatTime, parseTime } from '../time.ts'
import { FieldSet, fromFieldsV1, toFieldsV1, union } from './field-set.ts'

export type Operation = 'Apply' | 'Update'

export interface Manager {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly subresource: string
  time: string | undefined
  set: FieldSet
}

/** What tells managers apart. An applier is the same whatever version it applies with. */
export function identityOf(m: Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  return JSON.stringify([m.manager, m.operation, m.operation === 'Apply' ? '' : m.apiVersion, m.subresource])
}

export type Managers = Map<string, Manager>

/** The managers of entries; undefined where an entry cannot be read. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  const managers: Managers = new Map()
  for (const entry of entries ?? []) {
    const { operation } = entry
    if ((operation !== 'Apply' && operation !== 'Update') || entry.fieldsType !== 'FieldsV1' || !isObject(entry.fieldsV1)) return undefined
    const manager: Manager = {
      manager: entry.manager ?? '',
      operation,
      apiVersion: entry.apiVersion ?? '',
      subresource: entry.subresource ?? '',
      time: entry.time,
      set: fromFieldsV1(entry.fieldsV1),
    }
    managers.set(identityOf(manager), manager)
  }
  return managers
}

/** A list with one empty entry asks to forget all managers. */
export function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  return entries?.length === 1 && deepEqual(entries[0], {})
}

/** Entries in Kubernetes' order: appliers first, then by time, then by name. Undefined when there is none. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()]
    .filter(m => !m.set.isEmpty)
    .sort(order)
    .map(entryOf)
  return entries.length === 0 ? undefined : entries
}

function seconds(time: string | undefined): number {
  const ms = parseTime(time)
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1_000)
}

function order(a: Manager, b: Manager): number {
  if (a.operation !== b.operation) return a.operation < b.operation ? -1 : 1
  return seconds(a.time) - seconds(b.time) || compareBytes(a.manager, b.manager) || compareBytes(a.apiVersion, b.apiVersion) || compareBytes(a.subresource, b.subresource)
}

function entryOf(m: Manager): ManagedFieldsEntry {
  return {
    manager: m.manager,
    operation: m.operation,
    apiVersion: m.apiVersion,
    ...(m.time === undefined ? {} : { time: m.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(m.set),
    ...(m.subresource === '' ? {} : { subresource: m.subresource }),
  }
}

/** Most Update entries of an object; beyond, the oldest are put together. */
const maxUpdateManagers = 10

/** Puts the oldest Update entries together as `ancient-changes` while there are too many, in place. */
export function capUpdateManagers(managers: Managers, now: number): void {
  const updaters = [...managers.entries()].filter(([, m]) => m.operation === 'Update' && m.manager !== ancient)
  if (updaters.length <= maxUpdateManagers) return
  updaters.sort(([, a], [, b]) => order(a, b))
  for (const [identity, m] of updaters.slice(0, updaters.length - maxUpdateManagers)) {
    managers.delete(identity)
    const bucket = { manager: ancient, operation: 'Update' as const, apiVersion: m.apiVersion, subresource: m.subresource }
    const present = managers.get(identityOf(bucket))
    managers.set(identityOf(bucket), { ...bucket, time: m.time ?? formatTime(now), set: present ? union(present.set, m.set) : m.set })
  }
}

const ancient = 'ancient-changes'
