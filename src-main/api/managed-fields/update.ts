/** Tracking of field owners for writes that are no apply (create, update, other patches), as Kubernetes' field manager does. */
import type { KubernetesObject } from '../meta.ts'
import type { Schema } from '../schema.ts'
import type { JsonObject } from '../json.ts'
import { convertObject } from '../decode-values.ts'
import { formatTime } from '../time.ts'
import { difference, intersection, union } from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { owned } from './ignored.ts'
import { capUpdateManagers, identityOf, isReset, readManagers, writeManagers } from './managers.ts'
import type { Manager, Managers } from './managers.ts'
import { compare, placeOf } from './typed.ts'
import type { Comparison } from './typed.ts'

export interface UpdateOptions {
  /** Undefined for a create. */
  readonly live: KubernetesObject | undefined
  /** The object as it will be stored. */
  readonly next: KubernetesObject
  readonly manager: string
  /** '' for the object itself. */
  readonly subresource: string
  readonly apiVersion: string
  readonly schema: Schema
  /** Wall clock, milliseconds. */
  readonly now: number
  /** Whether status has a subresource of its own; default true. */
  readonly hasStatus?: boolean
}

const empties = new WeakMap<Schema, JsonObject>()

/** What an object of a kind is before anything is set. */
export function emptyOf(schema: Schema): JsonObject {
  const known = empties.get(schema)
  if (known) return known
  const made = convertObject({}, schema, { reportUnknown: false }).object
  empties.set(schema, made)
  return made
}

/** `next` with its managedFields brought up to date; `next` itself is not altered. */
export function updateManagedFields<T extends KubernetesObject = KubernetesObject>(options: UpdateOptions & { readonly next: T }): T {
  const { live, next } = options
  const { managedFields: given, ...metadata } = next.metadata
  const managers = currentManagers(options)
  // Objects whose owners were forgotten stay untracked until the next apply.
  if (live !== undefined && managers.size === 0) return { ...next, metadata }
  const bare = { ...next, metadata }
  const comparison = ownedComparison(live === undefined ? emptyOf(options.schema) : withoutManagers(live), bare, options)
  if (isUnchanged(comparison)) {
    // Nothing changed: entries stay as they are, whoever wrote.
    const kept = options.subresource === '' && given !== undefined && given.length > 0 ? given : live?.metadata.managedFields
    return kept === undefined ? bare : ({ ...next, metadata: { ...metadata, managedFields: kept } } as T)
  }
  record(managers, comparison, options)
  const entries = writeManagers(managers)
  return entries === undefined ? bare : ({ ...next, metadata: { ...metadata, managedFields: entries } } as T)
}

function currentManagers({ live, next, subresource }: UpdateOptions): Managers {
  const given = next.metadata.managedFields
  if (subresource === '') {
    if (isReset(given)) return new Map()
    const own = readManagers(given)
    if (own !== undefined && own.size > 0) return own
  }
  return readManagers(live?.metadata.managedFields) ?? new Map()
}

function withoutManagers(object: KubernetesObject): KubernetesObject {
  const { managedFields: _dropped, ...metadata } = object.metadata
  return { ...object, metadata }
}

function ownedComparison(live: unknown, next: unknown, { schema, subresource, hasStatus = true }: UpdateOptions): Comparison {
  const { added, modified, removed } = compare(live, next, placeOf(schema))
  return { added: owned(added, schema, subresource, hasStatus), modified: owned(modified, schema, subresource, hasStatus), removed: owned(removed, schema, subresource, hasStatus) }
}

function isUnchanged({ added, modified, removed }: Comparison): boolean {
  return added.isEmpty && modified.isEmpty && removed.isEmpty
}

function record(managers: Managers, { added, modified, removed }: Comparison, options: UpdateOptions): void {
  const changed = union(modified, added)
  disown(managers, changed, removed, '')
  if (!changed.isEmpty) {
    const self = { manager: options.manager, operation: 'Update' as const, apiVersion: options.apiVersion, subresource: options.subresource }
    const previous = managers.get(identityOf(self))
    managers.set(identityOf(self), { ...self, time: formatTime(options.now), set: previous ? union(changed, previous.set) : changed })
  }
  capUpdateManagers(managers, options.now)
}

/** Takes changed and removed fields from all managers but one, in place; managers without fields go away. */
export function disown(managers: Managers, changed: FieldSet, removed: FieldSet, except: string): void {
  for (const [identity, m] of managers) {
    if (identity === except) continue
    const lost = union(intersection(m.set, changed), removed)
    const rest = difference(m.set, lost)
    if (rest === m.set) continue
    if (rest.isEmpty) managers.delete(identity)
    else managers.set(identity, { ...m, set: rest } satisfies Manager)
  }
}
