/** Asks a declaration for the faults of its sample with changes, as a create, an update or a write of the status would. */
import { decodeObject } from '../../../src-main/api/decode.ts'
import { FieldPath, type FieldErrorList } from '../../../src-main/api/field-errors.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import type { AnyResource, WriteContext } from '../../../src-main/api/resource.ts'
import { sampleOf } from '../../conformance/kinds/samples.ts'

export type Changes = Readonly<Record<string, unknown>>

const context: WriteContext = { user: { name: 'someone', groups: [] }, now: Date.UTC(2026, 0, 2), dryRun: false }
const root = FieldPath.root()

/** `spec.a.0.b` → value; undefined takes the field away. */
function changed(object: KubernetesObject, changes: Changes): KubernetesObject {
  const copy = structuredClone(object) as unknown as Record<string, unknown>
  for (const [path, value] of Object.entries(changes)) {
    const parts = path.split('.')
    const last = parts.pop() ?? ''
    let at = copy
    for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>
    if (value === undefined) delete at[last]
    else at[last] = value
  }
  return copy as unknown as KubernetesObject
}

function decoded(r: AnyResource, changes: Changes): KubernetesObject {
  const { object } = decodeObject(changed(sampleOf(r, 'a'), changes), r)
  r.setDefaults?.(object)
  return object
}

const texts = (faults: FieldErrorList): string[] => faults.map(({ field, message }) => `${field}: ${message}`)

export function createFaults(r: AnyResource, changes: Changes = {}): string[] {
  const object = decoded(r, changes)
  r.prepareForCreate?.(object, context)
  return texts(r.validate?.(object, root) ?? [])
}

export function updateFaults(r: AnyResource, before: Changes, after: Changes): string[] {
  const [previous, next] = [decoded(r, before), decoded(r, after)]
  r.prepareForUpdate?.(next, previous, context)
  return texts([...(r.validate?.(next, root) ?? []), ...(r.validateUpdate?.(next, previous, root) ?? [])])
}

export function statusFaults(r: AnyResource, before: Changes, after: Changes): string[] {
  const [previous, next] = [decoded(r, before), decoded(r, after)]
  r.prepareForStatusUpdate?.(next, previous, context)
  return texts(r.validateStatusUpdate?.(next, previous, root) ?? [])
}

/** The object as a create would store it. */
export function createdObject(r: AnyResource, changes: Changes = {}): KubernetesObject {
  const object = decoded(r, changes)
  r.prepareForCreate?.(object, context)
  return object
}
