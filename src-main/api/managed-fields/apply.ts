/**
 * Server-side apply (Kubernetes' "Server-Side Apply"): merges a configuration into an object, takes away what its
 * manager no longer applies and nobody else owns, and refuses to change what others own unless forced.
 */
import type { KubernetesObject } from '../meta.ts'
import type { Schema } from '../schema.ts'
import type { StatusCause } from '../status-error.ts'
import { DecodeError, convertObject } from '../decode-values.ts'
import { compareBytes, deepEqual, quoteGo } from '../json.ts'
import { applyConflict, badRequest, unknownError } from '../status-error.ts'
import { formatTime } from '../time.ts'
import { appliedFaults } from './check-applied.ts'
import { FieldSet, difference, intersection, pathsOf, showPath, union } from './field-set.ts'
import { owned } from './ignored.ts'
import { identityOf, readManagers, writeManagers } from './managers.ts'
import type { Manager, Managers } from './managers.ts'
import { compare, fieldsOf, merge, placeOf, withNamedFields, withoutFields } from './typed.ts'
import type { Place } from './typed.ts'
import { disown, emptyOf, updateManagedFields } from './update.ts'

export interface ApplyOptions {
  /** Undefined where there is no object yet. */
  readonly live: KubernetesObject | undefined
  readonly applied: KubernetesObject
  readonly manager: string
  readonly force: boolean
  readonly subresource: string
  readonly apiVersion: string
  readonly schema: Schema
  /** Wall clock, milliseconds. */
  readonly now: number
  readonly hasStatus?: boolean
}

/** The object to store, with managedFields, in its kind's normal form (defaults are the caller's). Throws StatusError: 409 with the conflicts, 500 where the configuration does not fit the schema. */
export function applyServerSide(options: ApplyOptions): { object: KubernetesObject } {
  const { applied, schema } = options
  if (applied.metadata?.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil')
  checkFits(options)
  const place = placeOf(schema)
  const { live, managers } = startingPoint(options)
  const self = { manager: options.manager, operation: 'Apply' as const, apiVersion: options.apiVersion, subresource: options.subresource }
  const identity = identityOf(self)
  const last = managers.get(identity)
  const whole = fieldsOf(applied, place)
  const set = owned(whole, schema, options.subresource, options.hasStatus ?? true)
  const merged = merge(live, applied, place)
  // Pruning counts identity as applied too: metadata must not go with the last field in it.
  managers.set(identity, { ...self, time: last?.time, set: whole })
  const object = normal(pruned(merged, managers, last, place), options)
  managers.set(identity, { ...self, time: last?.time, set })
  const { added, modified, removed } = compare(live, object, place)
  const changed = owned(union(modified, added), schema, options.subresource, options.hasStatus ?? true)
  if (!options.force) refuseConflicts(managers, changed, identity)
  disown(managers, changed, removed, identity)
  if (set.isEmpty) managers.delete(identity)
  else if (!deepEqual(live, object)) managers.set(identity, { ...self, time: formatTime(options.now), set })
  const entries = writeManagers(managers)
  return { object: entries === undefined ? object : { ...object, metadata: { ...object.metadata, managedFields: entries } } }
}

function checkFits({ applied, schema, apiVersion }: ApplyOptions): void {
  const faults = appliedFaults(applied, schema)
  if (faults.length === 0) return
  const { namespace = '', name = '' } = applied.metadata ?? {}
  const text = faults.length === 1 ? (faults[0] ?? '') : `errors:\n${faults.map(fault => `  ${fault}`).join('\n')}`
  // Go prints the core group as an empty one.
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  throw unknownError(`failed to create typed patch object (${namespace}/${name}; ${version}, Kind=${applied.kind}): ${text}`)
}

/** The object without managedFields, and its managers. An object that nobody tracked belongs to `before-first-apply`. */
function startingPoint(options: ApplyOptions): { live: KubernetesObject; managers: Managers } {
  const { schema, applied } = options
  if (options.live === undefined) {
    return { live: { ...(emptyOf(schema) as unknown as KubernetesObject), apiVersion: applied.apiVersion, kind: applied.kind }, managers: new Map() }
  }
  const { managedFields, ...metadata } = options.live.metadata
  const live = { ...options.live, metadata }
  const managers = readManagers(managedFields) ?? new Map<string, Manager>()
  if (managers.size > 0) return { live, managers }
  const tracked = updateManagedFields<KubernetesObject>({
    live: undefined,
    next: live,
    manager: 'before-first-apply',
    subresource: '',
    apiVersion: options.apiVersion,
    schema,
    now: options.now,
  })
  return { live, managers: readManagers(tracked.metadata.managedFields) ?? new Map<string, Manager>() }
}

/** Takes out what the manager applied last, applies no more, and nobody else owns. */
function pruned(merged: unknown, managers: Managers, last: Manager | undefined, place: Place): unknown {
  if (last === undefined || last.set.isEmpty) return merged
  const named = (set: FieldSet): FieldSet => withNamedFields(set, place)
  const all = named(fieldsOf(merged, place))
  const first = withoutFields(merged, named(last.set), place)
  const others = [...managers.values()].reduce((set, m) => union(set, m.set), new FieldSet())
  const keep = union(named(fieldsOf(first, place)), named(others))
  const second = withoutFields(merged, difference(all, keep), place)
  // Items that nobody owns but that the manager did not apply either stay.
  const gone = difference(all, named(fieldsOf(second, place)))
  return withoutFields(merged, intersection(gone, named(last.set)), place)
}

function normal(value: unknown, { schema, applied }: ApplyOptions): KubernetesObject {
  try {
    const object = convertObject(value ?? {}, schema, { reportUnknown: false }).object as unknown as KubernetesObject
    return { ...object, apiVersion: applied.apiVersion, kind: applied.kind }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw badRequest(
      `${applied.kind} in version ${JSON.stringify(applied.apiVersion.slice(applied.apiVersion.indexOf('/') + 1))} cannot be handled as a ${applied.kind}: ${error.message}`,
    )
  }
}

function refuseConflicts(managers: Managers, changed: FieldSet, except: string): void {
  const conflicts = [...managers]
    .filter(([identity]) => identity !== except)
    .flatMap(([, m]) => pathsOf(intersection(m.set, changed)).map(path => ({ manager: showManager(m), field: showPath(path) })))
  const [first] = conflicts
  if (first === undefined) return
  const causes: StatusCause[] = conflicts.map(c => ({ reason: 'FieldManagerConflict', message: `conflict with ${c.manager}`, field: c.field }))
  if (conflicts.length === 1) throw applyConflict(`Apply failed with 1 conflict: conflict with ${first.manager}: ${first.field}`, causes)
  const names = [...new Set(conflicts.map(c => c.manager))].sort(compareBytes)
  const lines = names.flatMap(name => [`conflicts with ${name}:`, ...conflicts.filter(c => c.manager === name).map(c => `- ${c.field}`)])
  throw applyConflict(`Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`, causes)
}

function showManager(m: Manager): string {
  const name = m.subresource === '' ? quoteGo(m.manager) : `${quoteGo(m.manager)} with subresource ${quoteGo(m.subresource)}`
  return m.operation === 'Update' ? `${name} using ${m.apiVersion}` : name
}
