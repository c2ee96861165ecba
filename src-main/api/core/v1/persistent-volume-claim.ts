import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, unset } from '../../columns.ts'
import { forbiddenField } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/core-v1.ts'
import { deepEqual } from '../../json.ts'
import { immutable } from '../../validation.ts'
import { claimSpecFaults } from './claim-validation.ts'

export type { PersistentVolumeClaim }

const order = ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']
const short: Readonly<Record<string, string>> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }

/** `RWO,ROX`: each mode once, in Kubernetes' order. */
export function accessModesText(modes: readonly string[] | undefined): string {
  return order
    .filter(mode => modes?.includes(mode) === true)
    .map(mode => short[mode] ?? mode)
    .join(',')
}

const updateText = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'

export const persistentVolumeClaims = defineResource<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  scope: 'Namespaced',
  shortNames: ['pvc'],
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', value: c => (c.metadata.deletionTimestamp === undefined ? (c.status?.phase ?? '') : 'Terminating') },
    { name: 'Volume', type: 'string', value: c => c.spec?.volumeName ?? '' },
    { name: 'Capacity', type: 'string', value: c => (c.spec?.volumeName ? (c.status?.capacity?.['storage'] ?? '0') : '') },
    { name: 'Access Modes', type: 'string', value: c => (c.spec?.volumeName ? accessModesText(c.status?.accessModes) : '') },
    { name: 'StorageClass', type: 'string', value: c => c.spec?.storageClassName ?? c.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? '' },
    { name: 'VolumeAttributesClass', type: 'string', value: c => c.spec?.volumeAttributesClassName ?? unset },
    ageColumn(),
    { name: 'VolumeMode', type: 'string', priority: 1, value: c => c.spec?.volumeMode ?? unset },
  ],
  menu: { area: 'storage', order: 10 },
  setDefaults(claim) {
    ;(claim.spec ??= {}).volumeMode ??= 'Filesystem'
    ;(claim.status ??= {}).phase ||= 'Pending'
  },
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' }
  },
  validate: (claim, at) => claimSpecFaults(claim.spec, at.child('spec')),
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    const [to, from]: [PersistentVolumeClaimSpec, PersistentVolumeClaimSpec] = [next.spec ?? {}, previous.spec ?? {}]
    const allowed: PersistentVolumeClaimSpec = { ...to }
    // Binding is the one-time choice of a volume; a bound claim may grow.
    if (!from.volumeName && to.volumeName) delete allowed.volumeName
    if (previous.status?.phase === 'Bound') {
      if (from.resources?.requests === undefined) delete allowed.resources
      else allowed.resources = { ...to.resources, requests: from.resources.requests }
      if (from.volumeAttributesClassName === undefined) delete allowed.volumeAttributesClassName
      else allowed.volumeAttributesClassName = from.volumeAttributesClassName
    }
    if (from.storageClassName === undefined && to.storageClassName !== undefined && previous.status?.phase === 'Pending') delete allowed.storageClassName
    if (!deepEqual(allowed, from)) faults.push(forbiddenField(at.child('spec'), updateText))
    return [...faults, ...immutable(to.volumeMode, from.volumeMode, at.child('volumeMode'))]
  },
})
