/** CustomResourceDefinition as a resource: defaults, strategy, columns. What it says about instances is in api/apiextensions. */
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../../generated/apiextensions-v1.ts'
import { nameColumn } from '../../columns.ts'
import { defineResource } from '../../resource.ts'
import { definitionFaults, definitionStatusFaults } from './definition-validation.ts'
import { definitionWarnings } from './definition-warnings.ts'

export type { CustomResourceDefinition, CustomResourceDefinitionCondition }

/** Keeps a deleted definition until its instances are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

export function findCondition(definition: CustomResourceDefinition, type: string): CustomResourceDefinitionCondition | undefined {
  return (definition.status?.conditions ?? []).find(condition => condition.type === type)
}

export function isConditionTrue(definition: CustomResourceDefinition, type: string): boolean {
  return findCondition(definition, type)?.status === 'True'
}

/** The version in which instances are stored; '' for a definition that was never valid. */
export function storageVersionOf(definition: CustomResourceDefinition): string {
  return definition.spec.versions.find(version => version.storage)?.name ?? ''
}

/** The storage version belongs to the stored versions from the moment it is declared. In place. */
function addStoredVersion(definition: CustomResourceDefinition): void {
  const storage = definition.spec?.versions?.find(version => version.storage)?.name
  if (storage === undefined) return
  const status = (definition.status ??= {})
  if (!(status.storedVersions ?? []).includes(storage)) status.storedVersions = [...(status.storedVersions ?? []), storage]
}

export const customResourceDefinitions = defineResource<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  scope: 'Cluster',
  schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  subresources: { status: true },
  generation: true,
  columns: [
    nameColumn(),
    { name: 'Scope', type: 'string', value: d => d.spec?.scope ?? '' },
    {
      name: 'Versions',
      type: 'string',
      value: d =>
        (d.spec?.versions ?? [])
          .filter(version => version.served)
          .map(version => `${version.name}${version.storage ? '(storage)' : ''}`)
          .sort()
          .join(','),
    },
    { name: 'Created At', type: 'date', value: d => d.metadata.creationTimestamp ?? null },
    { name: 'Group', type: 'string', priority: 1, value: d => d.spec?.group ?? '' },
    { name: 'Kind', type: 'string', priority: 1, value: d => d.spec?.names?.kind ?? '' },
    { name: 'ShortNames', type: 'string', priority: 1, value: d => (d.spec?.names?.shortNames ?? []).join(',') },
    { name: 'Established', type: 'boolean', priority: 1, value: d => isConditionTrue(d, 'Established') },
  ],
  menu: { area: 'custom', order: 0 },
  setDefaults(definition) {
    const { spec } = definition
    if (!spec) return
    const names = spec.names
    if (names && !names.singular) names.singular = (names.kind ?? '').toLowerCase()
    if (names && !names.listKind && names.kind) names.listKind = `${names.kind}List`
    spec.conversion ??= { strategy: 'None' }
    const service = spec.conversion.webhook?.clientConfig?.service
    if (service) service.port ??= 443
    if ((definition.status?.storedVersions ?? []).length === 0) addStoredVersion(definition)
  },
  prepareForCreate(definition) {
    delete definition.status
    addStoredVersion(definition)
  },
  prepareForUpdate(next) {
    addStoredVersion(next)
  },
  validate: (definition, at, previous) => definitionFaults(definition, previous, at),
  validateStatusUpdate: (next, _previous, at) => definitionStatusFaults(next, at),
  warnings: definitionWarnings,
})
