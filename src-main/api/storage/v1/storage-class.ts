import { defineResource } from '../../resource.ts'
import { ageColumn } from '../../columns.ts'
import { duplicate, forbiddenField, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { StorageClass } from '../../generated/storage-v1.ts'
import type { TopologySelectorTerm } from '../../generated/core-v1.ts'
import { qualifiedNameFaults, sameValue } from '../../validation.ts'
import { parametersFaults, provisionerFaults } from './class-parameters.ts'

export type { StorageClass }

const defaultAnnotation = 'storageclass.kubernetes.io/is-default-class'

export function isDefaultStorageClass(storageClass: StorageClass): boolean {
  const annotations = storageClass.metadata.annotations ?? {}
  return annotations[defaultAnnotation] === 'true' || annotations['storageclass.beta.kubernetes.io/is-default-class'] === 'true'
}

/** The one default that counts: the newest, then the first by name. */
function defaultOf(classes: readonly StorageClass[] | undefined): StorageClass | undefined {
  const age = (one: StorageClass): string => one.metadata.creationTimestamp ?? ''
  return classes?.filter(isDefaultStorageClass).reduce<StorageClass | undefined>((best, one) => {
    if (best === undefined || age(one) > age(best)) return one
    return age(one) === age(best) && (one.metadata.name ?? '') < (best.metadata.name ?? '') ? one : best
  }, undefined)
}

const reclaimPolicies = ['Delete', 'Retain']
const bindingModes = ['Immediate', 'WaitForFirstConsumer']

/** Each term names a key once, and a key's values once. */
function topologiesFaults(terms: readonly TopologySelectorTerm[] | undefined, at: FieldPath): FieldErrorList {
  const seen = new Set<string>()
  return (terms ?? []).flatMap((term, i) => {
    const path = at.index(i).child('matchLabelExpressions')
    const values = new Map<string, readonly string[]>()
    const faults = (term.matchLabelExpressions ?? []).flatMap((requirement, j) => {
      const item = path.index(j)
      const list = requirement.values ?? []
      const repeated = list.flatMap((value, k) => (list.indexOf(value) < k ? [duplicate(item.child('values').index(k), value)] : []))
      const known = values.has(requirement.key) ? [duplicate(item.child('key'), requirement.key)] : []
      values.set(requirement.key, list)
      return [...(list.length === 0 ? [required(item.child('values'), '')] : []), ...repeated, ...qualifiedNameFaults(requirement.key, item.child('key')), ...known]
    })
    const text = JSON.stringify([...values].map(([key, list]) => [key, [...list].sort()]).sort())
    // Upstream compares with as many empty terms as there are terms.
    const doubled = seen.has(text) || values.size === 0 ? [duplicate(path, '')] : []
    seen.add(text)
    return [...faults, ...doubled]
  })
}

export const storageClasses = defineResource<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  scope: 'Cluster',
  shortNames: ['sc'],
  schema: 'io.k8s.api.storage.v1.StorageClass',
  columns: [
    { name: 'Name', type: 'string', format: 'name', value: (s, _now, listed) => `${s.metadata.name ?? ''}${s === defaultOf(listed) ? ' (default)' : ''}` },
    { name: 'Provisioner', type: 'string', value: s => s.provisioner ?? '' },
    { name: 'ReclaimPolicy', type: 'string', value: s => s.reclaimPolicy ?? 'Delete' },
    { name: 'VolumeBindingMode', type: 'string', value: s => s.volumeBindingMode ?? 'Immediate' },
    { name: 'AllowVolumeExpansion', type: 'string', value: s => s.allowVolumeExpansion ?? false },
    ageColumn(),
  ],
  menu: { area: 'storage', order: 30 },
  setDefaults(storageClass) {
    storageClass.reclaimPolicy ??= 'Delete'
    storageClass.volumeBindingMode ??= 'Immediate'
  },
  validate(storageClass, at) {
    const faults: FieldErrorList = []
    faults.push(...provisionerFaults(storageClass.provisioner, at.child('provisioner')), ...parametersFaults(storageClass.parameters, at.child('parameters'), true))
    if (storageClass.reclaimPolicy && !reclaimPolicies.includes(storageClass.reclaimPolicy))
      faults.push(notSupported(at.child('reclaimPolicy'), storageClass.reclaimPolicy, reclaimPolicies))
    if (!bindingModes.includes(storageClass.volumeBindingMode ?? '')) faults.push(notSupported(at.child('volumeBindingMode'), storageClass.volumeBindingMode ?? '', bindingModes))
    return [...faults, ...topologiesFaults(storageClass.allowedTopologies, at.child('allowedTopologies'))]
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    const text = 'updates to parameters are forbidden.'
    if (!sameValue(next.parameters, previous.parameters)) faults.push(forbiddenField(at.child('parameters'), text))
    if (next.provisioner !== previous.provisioner) faults.push(forbiddenField(at.child('provisioner'), 'updates to provisioner are forbidden.'))
    if (next.reclaimPolicy !== previous.reclaimPolicy) faults.push(forbiddenField(at.child('reclaimPolicy'), 'updates to reclaimPolicy are forbidden.'))
    if (next.volumeBindingMode !== previous.volumeBindingMode)
      faults.push({
        type: 'FieldValueInvalid',
        field: at.child('volumeBindingMode').toString(),
        message: `Invalid value: ${JSON.stringify(next.volumeBindingMode ?? null)}: field is immutable`,
      })
    return faults
  },
})
