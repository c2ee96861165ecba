import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { ResourceQuota, ResourceQuotaSpec } from '../../generated/core-v1.ts'
import { invalidValue, required } from '../../field-errors.ts'
import { immutable, sameValue } from '../../validation.ts'
import { isQualifiedName } from '../../names.ts'
import { quantityFaults } from './resource-validation.ts'

export type { ResourceQuota }

const scopes = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity', 'VolumeAttributesClass'])

/** `cpu: 1/4, pods: 2/10`: requests in one column, limits in the other. */
function usageText(quota: ResourceQuota, limits: boolean): string {
  const names = Object.keys(quota.status?.hard ?? {})
    .sort()
    .filter(name => name.startsWith('limits.') === limits)
  return names.map(name => `${name}: ${quota.status?.used?.[name] ?? '0'}/${quota.status?.hard?.[name] ?? '0'}`).join(', ')
}

/** Scopes that a pod has or has not: there are no values to compare with. */
const plainScopes = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'CrossNamespacePodAffinity'])
const plainScopeText =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

function selectorFaults(spec: ResourceQuotaSpec | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const { scopeName, operator, values } of spec?.scopeSelector?.matchExpressions ?? []) {
    if (!scopes.has(scopeName)) faults.push(invalidValue(at.child('scopeName'), scopeName, 'unsupported scope'))
    const claims = Object.keys(spec?.hard ?? {}).every(name => name === 'persistentvolumeclaims' || name.includes('storage'))
    if (scopeName === 'VolumeAttributesClass' && !claims) faults.push(invalidValue(at, goSelector(spec), 'unsupported scope applied to resource'))
    if (plainScopes.has(scopeName) && operator !== 'Exists') faults.push(invalidValue(at.child('operator'), operator, plainScopeText))
    if (operator === 'In' || operator === 'NotIn') {
      if ((values ?? []).length === 0) faults.push(required(at.child('values'), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if ((values ?? []).length > 0) faults.push(invalidValue(at.child('values'), values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
    } else faults.push(invalidValue(at.child('operator'), operator, 'not a valid selector operator'))
  }
  return faults
}

/** The selector under the names of Go's fields, as its text shows it. */
function goSelector(spec: ResourceQuotaSpec | undefined): unknown {
  return {
    MatchExpressions: (spec?.scopeSelector?.matchExpressions ?? []).map(({ scopeName, operator, values }) => ({
      ScopeName: scopeName,
      Operator: operator,
      Values: values ?? null,
    })),
  }
}

export const resourceQuotas = defineResource<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  scope: 'Namespaced',
  shortNames: ['quota'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  subresources: { status: true },
  columns: [nameColumn(), { name: 'Request', type: 'string', value: q => usageText(q, false) }, { name: 'Limit', type: 'string', value: q => usageText(q, true) }, ageColumn()],
  menu: { area: 'config', order: 30 },
  setDefaults(quota) {
    quota.spec ??= {}
    quota.status ??= {}
  },
  prepareForCreate(quota) {
    quota.status = {}
  },
  validate(quota, at) {
    const faults: FieldErrorList = []
    for (const [name, text] of Object.entries(quota.spec?.hard ?? {})) {
      const path = at.child('spec', 'hard').key(name)
      faults.push(...isQualifiedName(name).map(fault => invalidValue(path, name, fault)), ...quantityFaults(name, text, path))
    }
    faults.push(...selectorFaults(quota.spec, at.child('spec', 'scopeSelector', 'matchExpressions')))
    const given = new Set<string>(quota.spec?.scopes)
    if (
      [
        ['BestEffort', 'NotBestEffort'],
        ['Terminating', 'NotTerminating'],
      ].some(pair => pair.every(scope => given.has(scope)))
    )
      faults.push(invalidValue(at.child('spec', 'scopes'), quota.spec?.scopes, 'conflicting scopes'))
    for (const scope of quota.spec?.scopes ?? []) if (!scopes.has(scope)) faults.push(invalidValue(at.child('spec', 'scopes'), quota.spec?.scopes, 'unsupported scope'))
    return faults
  },
  validateUpdate: (next, previous, at) =>
    sameValue(next.spec?.scopes, previous.spec?.scopes) ? [] : immutable(next.spec?.scopes ?? [], previous.spec?.scopes ?? [], at.child('spec', 'scopes')),
})
