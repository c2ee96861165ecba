import { defineResource } from '../../resource.ts'
import { conditionsFaults } from '../../conditions-validation.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { StorageVersionMigration } from '../../generated/storagemigration-v1.ts'
import { isDns1035Label, isDns1123Subdomain } from '../../names.ts'
import { immutableText, sameValue } from '../../validation.ts'

export type { StorageVersionMigration }

const progress = new Set(['Running', 'Failed', 'Succeeded'])

const isTrue = (migration: StorageVersionMigration, type: string): boolean =>
  (migration.status?.conditions ?? []).some(condition => condition.type === type && condition.status === 'True')

function resourceText(migration: StorageVersionMigration): string {
  const { group = '', resource = '' } = migration.spec?.resource ?? {}
  return group === '' ? resource : `${resource}.${group}`
}

function statusText(migration: StorageVersionMigration): string {
  return (migration.status?.conditions ?? []).findLast(condition => condition.status === 'True' && progress.has(condition.type))?.type ?? 'Unknown'
}

function versionFaults(version: string, path: FieldPath): FieldErrorList {
  if (version === '') return []
  if (version.startsWith('0')) return [invalidValue(path, version, `resource version is not well formed: ${version}`)]
  return /^[0-9]+$/.test(version) ? [] : [invalidValue(path, version, `resource version is not well formed: ${version}`)]
}

export const storageVersionMigrations = defineResource<StorageVersionMigration>({
  group: 'storagemigration.k8s.io',
  version: 'v1',
  kind: 'StorageVersionMigration',
  plural: 'storageversionmigrations',
  scope: 'Cluster',
  schema: 'io.k8s.api.storagemigration.v1.StorageVersionMigration',
  subresources: { status: true },
  columns: [
    // Upstream forgets the format of this one.
    { name: 'Name', type: 'string', format: '', value: m => m.metadata.name ?? '' },
    { name: 'Resource', type: 'string', value: resourceText },
    { name: 'Status', type: 'string', value: statusText },
  ],
  menu: { area: 'cluster', order: 90 },
  prepareForCreate(migration) {
    migration.status = {}
  },
  validate(migration, at) {
    const path = at.child('spec', 'resource')
    const { group = '', resource = '' } = migration.spec?.resource ?? {}
    const faults: FieldErrorList = []
    if (resource === '') faults.push(required(path.child('resource'), 'resource is required to be set'))
    else faults.push(...joined(isDns1035Label(resource), resource, path.child('resource')))
    if (group !== '') faults.push(...joined(isDns1123Subdomain(group), group, path.child('group')))
    return faults
  },
  validateUpdate: (next, previous, at) =>
    // Go prints the embedded struct by its name.
    sameValue(next.spec, previous.spec) ? [] : [invalidValue(at.child('spec'), { Resource: next.spec?.resource }, immutableText)],
  validateStatusUpdate(next, previous, at) {
    const path = at.child('status')
    const [version, before] = [next.status?.resourceVersion ?? '', previous.status?.resourceVersion ?? '']
    const conditions = next.status?.conditions ?? []
    const faults = [...versionFaults(version, path.child('resourceVersion')), ...conditionsFaults(conditions, path.child('conditions'))]
    if (before !== '' && before !== version) faults.push(invalidValue(path.child('resourceVersion'), version, immutableText))
    if (isTrue(next, 'Succeeded') && isTrue(next, 'Failed'))
      faults.push(invalidValue(path.child('conditions'), conditions, 'Both success and failed conditions cannot be true at the same time'))
    if (isTrue(previous, 'Succeeded') && !isTrue(next, 'Succeeded'))
      faults.push(invalidValue(path.child('conditions'), conditions, 'Success condition cannot be set to false once it is true'))
    if (isTrue(previous, 'Failed') && !isTrue(next, 'Failed'))
      faults.push(invalidValue(path.child('conditions'), conditions, 'Failed condition cannot be set to false once it is true'))
    return faults
  },
})

function joined(texts: readonly string[], value: string, path: FieldPath): FieldErrorList {
  return texts.length === 0 ? [] : [invalidValue(path, value, texts.join(','))]
}
