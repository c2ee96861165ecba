/** Fields that no manager owns: identity and bookkeeping of every object, and what a write through this path cannot change. */
import type { Schema } from '../schema.ts'
import { FieldSet, difference, recursiveDifference } from './field-set.ts'

const bookkeeping = new FieldSet()
for (const path of [
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(field => ['f:metadata', `f:${field}`]),
])
  bookkeeping.insert(path)

const status = new FieldSet()
status.insert(['f:status'])

const spec = new FieldSet()
spec.insert(['f:spec'])

/** The set without what the write through this subresource ('' is the object itself) does not own. */
export function owned(set: FieldSet, schema: Schema, subresource: string, hasStatus: boolean): FieldSet {
  const kept = difference(set, bookkeeping)
  if (subresource === 'status') return recursiveDifference(kept, spec)
  if (subresource !== '' || !hasStatus || !schema.fields.has('status')) return kept
  return recursiveDifference(kept, status)
}
