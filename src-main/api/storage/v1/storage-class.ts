import { defineResource } from '../../resource.ts'
import { ageColumn } from '../../columns.ts'
import { forbiddenField, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { StorageClass } from '../../generated/storage-v1.ts'
import { sameValue } from '../../validation.ts'

export type { StorageClass }

const defaultAnnotation = 'storageclass.kubernetes.io/is-default-class'

export function isDefaultStorageClass(storageClass: StorageClass): boolean {
  const annotations = storageClass.metadata.annotations ?? {}
  return annotations[defaultAnnotation] === 'true' || annotations['storageclass.beta.kubernetes.io/is-default-class'] === 'true'
}

const reclaimPolicies = ['Delete', 'Retain']
const bindingModes = ['Immediate', 'WaitForFirstConsumer']

export const storageClasses = defineResource<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  scope: 'Cluster',
  shortNames: ['sc'],
  schema: 'io.k8s.api.storage.v1.StorageClass',
  columns: [
    { name: 'Name', type: 'string', format: 'name', value: s => `${s.metadata.name ?? ''}${isDefaultStorageClass(s) ? ' (default)' : ''}` },
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
    if (!storageClass.provisioner) faults.push(required(at.child('provisioner'), ''))
    if (storageClass.reclaimPolicy && !reclaimPolicies.includes(storageClass.reclaimPolicy))
      faults.push(notSupported(at.child('reclaimPolicy'), storageClass.reclaimPolicy, reclaimPolicies))
    if (!bindingModes.includes(storageClass.volumeBindingMode ?? '')) faults.push(notSupported(at.child('volumeBindingMode'), storageClass.volumeBindingMode ?? '', bindingModes))
    return faults
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
