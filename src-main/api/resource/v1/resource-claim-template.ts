import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue } from '../../field-errors.ts'
import type { ResourceClaimTemplate } from '../../generated/resource-v1.ts'
import { validateLabels } from '../../selectors.ts'
import { immutableText, sameValue } from '../../validation.ts'
import { deviceClaimFaults, dropDisabledClaimFields, setDeviceClaimDefaults } from './device-claim-validation.ts'

export type { ResourceClaimTemplate }

export const resourceClaimTemplates = defineResource<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  scope: 'Namespaced',
  schema: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 95 },
  setDefaults(template) {
    setDeviceClaimDefaults(template.spec?.spec?.devices)
  },
  prepareForCreate(template) {
    dropDisabledClaimFields(template.spec?.spec?.devices)
  },
  prepareForUpdate(template) {
    dropDisabledClaimFields(template.spec?.spec?.devices)
  },
  validate: (template, at) => [
    ...validateLabels(template.spec?.metadata?.labels, at.child('spec', 'metadata', 'labels')),
    ...deviceClaimFaults(template.spec?.spec?.devices, at.child('spec', 'spec', 'devices')),
  ],
  validateUpdate(next, previous, at) {
    if (sameValue(next.spec, previous.spec)) return []
    // Go prints its inner structs by the names of their fields.
    const { requests, constraints, config } = next.spec?.spec?.devices ?? {}
    const orNull = (list: readonly unknown[] | undefined): unknown => (list === undefined || list.length === 0 ? null : list)
    const shown = { ...next.spec?.metadata, Spec: { Devices: { Requests: orNull(requests), Constraints: orNull(constraints), Config: orNull(config) } } }
    return [invalidValue(at.child('spec'), shown, immutableText)]
  },
})
