/** Namespace. Its own finalizer `kubernetes` (in spec.finalizers) is removed by the namespace controller once it is empty. */
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue } from '../../field-errors.ts'
import type { Namespace } from '../../generated/core-v1.ts'
import { isDns1123Label, isQualifiedName } from '../../names.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'

export type { Namespace }

export const namespaceFinalizer = 'kubernetes'
export const namespaceNameLabel = 'kubernetes.io/metadata.name'

export function isNamespaceTerminating(namespace: Namespace): boolean {
  return namespace.status?.phase === 'Terminating' || namespace.metadata.deletionTimestamp !== undefined
}

function finalizerFaults(namespace: Namespace, at: FieldPath): FieldErrorList {
  const path = at.child('spec', 'finalizers')
  const faults: FieldErrorList = []
  for (const finalizer of namespace.spec?.finalizers ?? []) {
    faults.push(...isQualifiedName(finalizer).map(text => invalidValue(path, finalizer, text)))
    if (!finalizer.includes('/') && finalizer !== namespaceFinalizer)
      faults.push(invalidValue(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'))
  }
  return faults
}

export const namespaces = defineResource<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  scope: 'Cluster',
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  schema: 'io.k8s.api.core.v1.Namespace',
  subresources: { status: true, others: ['finalize'] },
  columns: [nameColumn(), { name: 'Status', type: 'string', value: n => n.status?.phase ?? '' }, ageColumn()],
  menu: { area: 'cluster', order: 10 },
  fields: { 'status.phase': n => n.status?.phase ?? '', name: n => n.metadata.name ?? '' },
  validateName: isDns1123Label,
  setDefaults(namespace) {
    namespace.spec ??= {}
    ;(namespace.status ??= {}).phase ||= 'Active'
    // Names made from generateName are not known yet; the registry sets defaults again once they are.
    if (namespace.metadata.name) (namespace.metadata.labels ??= {})[namespaceNameLabel] = namespace.metadata.name
  },
  prepareForCreate(namespace) {
    namespace.status = { phase: 'Active' }
    const finalizers = namespace.spec?.finalizers ?? []
    namespace.spec = { ...namespace.spec, finalizers: finalizers.includes(namespaceFinalizer) ? finalizers : [...finalizers, namespaceFinalizer] }
    if (namespace.metadata.name) (namespace.metadata.labels ??= {})[namespaceNameLabel] = namespace.metadata.name
  },
  prepareForUpdate(next, previous) {
    // Only the finalize subresource writes spec.finalizers.
    next.spec = { ...next.spec, ...(previous.spec?.finalizers === undefined ? {} : { finalizers: [...previous.spec.finalizers] }) }
  },
  validate: finalizerFaults,
  validateStatusUpdate(next, _previous, at) {
    const phase = next.status?.phase
    const path = at.child('status', 'Phase')
    if (next.metadata.deletionTimestamp === undefined) return phase === 'Active' ? [] : [invalidValue(path, phase ?? '', "may only be 'Active' if `deletionTimestamp` is empty")]
    return phase === 'Terminating' ? [] : [invalidValue(path, phase ?? '', "may only be 'Terminating' if `deletionTimestamp` is not empty")]
  },
})
