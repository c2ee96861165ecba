import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { duplicate, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { CSINode, CSINodeDriver } from '../../generated/storage-v1.ts'
import { byteLength } from '../../names.ts'
import { immutable, nonNegative, qualifiedNameFaults } from '../../validation.ts'
import { csiDriverNameFaults } from './csi-driver-name.ts'

export type { CSINode }

const maxNodeIDLength = 256

function driverFaults(driver: CSINodeDriver, names: ReadonlySet<string>, at: FieldPath): FieldErrorList {
  const faults = csiDriverNameFaults(driver.name, at.child('name'))
  if (!driver.nodeID) faults.push(required(at.child('nodeID'), ''))
  else if (byteLength(driver.nodeID) > maxNodeIDLength) faults.push(invalidValue(at.child('nodeID'), driver.nodeID, `must be ${maxNodeIDLength} characters or less`))
  faults.push(...nonNegative(driver.allocatable?.count, at.child('allocatable', 'count')))
  if (names.has(driver.name)) faults.push(duplicate(at.child('name'), driver.name))
  const keys = new Set<string>()
  for (const key of driver.topologyKeys ?? []) {
    if (key === '') faults.push(required(at, ''))
    if (keys.has(key)) faults.push(duplicate(at, key))
    keys.add(key)
    faults.push(...qualifiedNameFaults(key, at))
  }
  return faults
}

export const csiNodes = defineResource<CSINode>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  scope: 'Cluster',
  schema: 'io.k8s.api.storage.v1.CSINode',
  subresources: { status: true },
  columns: [nameColumn(), { name: 'Drivers', type: 'integer', value: n => n.spec?.drivers?.length ?? 0 }, ageColumn()],
  menu: { area: 'storage', order: 70 },
  prepareForCreate: dropHealth,
  prepareForUpdate: dropHealth,
  prepareForStatusUpdate: dropHealth,
  validate(node, at) {
    const names = new Set<string>()
    return (node.spec?.drivers ?? []).flatMap((driver, i) => {
      const faults = driverFaults(driver, names, at.child('spec', 'drivers').index(i))
      names.add(driver.name)
      return faults
    })
  },
  validateUpdate(next, previous, at) {
    const identity = ({ allocatable: _allocatable, ...rest }: CSINodeDriver): unknown => rest
    return (previous.spec?.drivers ?? []).flatMap(old =>
      (next.spec?.drivers ?? []).filter(driver => driver.name === old.name).flatMap(driver => immutable(identity(driver), identity(old), at.child('spec', 'drivers'))),
    )
  },
})

/** Health of storage belongs to a feature that is off in v1.37. */
function dropHealth(node: CSINode): void {
  delete node.status
}
