import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ResourceQuota } from '../../generated/core-v1.ts'
import { invalidValue } from '../../field-errors.ts'
import { immutable, sameValue } from '../../validation.ts'
import { isQualifiedName } from '../../names.ts'
import { quantityFaults } from './resource-validation.ts'

export type { ResourceQuota }

const scopes = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity', 'VolumeAttributesClass'])

/** `cpu: 1/4, pods: 2/10`: requests in one column, limits in the other. */
function usageText(quota: ResourceQuota, limits: boolean): string {
  const names = Object.keys(quota.status?.hard ?? {}).sort().filter(name => name.startsWith('limits.') === limits)
  return names.map(name => `${name}: ${quota.status?.used?.[name] ?? '0'}/${quota.status?.hard?.[name] ?? '0'}`).join(', ')
}

export const resourceQuotas = defineResource<ResourceQuota>({
  group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', scope: 'Namespaced',
  shortNames: ['quota'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  subresources: { status: true },
  columns: [nameColumn(), { name: 'Request', type: 'string', value: q => usageText(q, false) }, { name: 'Limit', type: 'string', value: q => usageText(q, true) }, ageColumn()],
  menu: { area: 'config', order: 30 },
  setDefaults(quota) {
    quota.spec ??= {}
    quota.status ??= {}
  },
  prepareForCreate(quota) { quota.status = {} },
  validate(quota, at) {
    const faults: FieldErrorList = []
    for (const [name, text] of Object.entries(quota.spec?.hard ?? {})) {
      const path = at.child('spec', 'hard').key(name)
      faults.push(...isQualifiedName(name).map(fault => invalidValue(path, name, fault)), ...quantityFaults(name, text, path))
    }
    for (const scope of quota.spec?.scopes ?? []) if (!scopes.has(scope)) faults.push(invalidValue(at.child('spec', 'scopes'), quota.spec?.scopes, 'unsupported scope'))
    return faults
  },
  validateUpdate: (next, previous, at) => sameValue(next.spec?.scopes, previous.spec?.scopes) ? [] : immutable(next.spec?.scopes ?? [], previous.spec?.scopes ?? [], at.child('spec', 'scopes')),
})
