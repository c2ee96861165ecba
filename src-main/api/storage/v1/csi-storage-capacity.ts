import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import { invalidValue } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { CSIStorageCapacity } from '../../generated/storage-v1.ts'
import { tryParseQuantity } from '../../quantity.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { immutable, nonNegativeText, subdomainFaults } from '../../validation.ts'

export type { CSIStorageCapacity }

export const csiStorageCapacities = defineResource<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  scope: 'Namespaced',
  schema: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'storage', order: 80 },
  validate(capacity, at) {
    const faults: FieldErrorList = validateLabelSelector(capacity.nodeTopology, at.child('nodeTopology'))
    faults.push(...subdomainFaults(capacity.storageClassName ?? '', at.child('storageClassName')))
    const amount = capacity.capacity === undefined ? undefined : tryParseQuantity(capacity.capacity)
    if (amount !== undefined && amount.nano < 0n) faults.push(invalidValue(at.child('capacity'), capacity.capacity, nonNegativeText))
    return faults
  },
  validateUpdate: (next, previous, at) => [
    ...immutable(next.nodeTopology, previous.nodeTopology, at.child('nodeTopology')),
    ...immutable(next.storageClassName, previous.storageClassName, at.child('storageClassName')),
  ],
})
