import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { VolumeAttributesClass } from '../../generated/storage-v1.ts'
import { sameValue } from '../../validation.ts'
import { parametersFaults, provisionerFaults } from './class-parameters.ts'

export type { VolumeAttributesClass }

export const volumeAttributesClasses = defineResource<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  scope: 'Cluster',
  shortNames: ['vac'],
  schema: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  columns: [nameColumn(), { name: 'DriverName', type: 'string', value: c => c.driverName ?? '' }, ageColumn()],
  menu: { area: 'storage', order: 40 },
  validate: (attributes, at) => [...provisionerFaults(attributes.driverName, at.child('driverName')), ...parametersFaults(attributes.parameters, at.child('parameters'), false)],
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    if (next.driverName !== previous.driverName) faults.push(forbiddenField(at.child('driverName'), 'updates to driverName are forbidden.'))
    if (!sameValue(next.parameters, previous.parameters)) faults.push(forbiddenField(at.child('parameters'), 'updates to parameters are forbidden.'))
    return faults
  },
})
