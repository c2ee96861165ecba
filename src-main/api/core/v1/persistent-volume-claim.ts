import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, unset } from '../../columns.ts'
import { forbiddenField } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/core-v1.ts'
import { compareQuantity, zeroQuantity } from '../../quantity.ts'
import { immutable, sameValue } from '../../validation.ts'
import { claimSpecFaults, claimStatusFaults, normalizeDataSources } from './claim-validation.ts'
import { quantityOf } from './resource-validation.ts'

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
    normalizeDataSources(claim.spec)
  },
  prepareForUpdate(next, previous) {
    normalizeDataSources(next.spec, previous.spec)
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
    if (!sameValue(allowed, from)) faults.push(forbiddenField(at.child('spec'), updateText))
    const [size, before] = [to, from].map(spec => quantityOf(spec.resources?.requests?.['storage'] ?? '0') ?? zeroQuantity)
    const capacity = quantityOf(previous.status?.capacity?.['storage'] ?? '0') ?? zeroQuantity
    // A claim may shrink again as far as its volume has not grown yet.
    if (size !== undefined && before !== undefined && compareQuantity(size, before) < 0 && compareQuantity(size, capacity) <= 0)
      faults.push(forbiddenField(at.child('spec', 'resources', 'requests', 'storage'), 'field can not be less than status.capacity'))
    if (previous.status?.currentVolumeAttributesClassName !== undefined && from.volumeAttributesClassName !== to.volumeAttributesClassName && !to.volumeAttributesClassName) {
      const what = to.volumeAttributesClassName === undefined ? 'nil' : 'empty string'
      faults.push(forbiddenField(at.child('spec', 'volumeAttributesClassName'), `update to ${what} is forbidden when status.currentVolumeAttributesClassName is not nil`))
    }
    return [...faults, ...immutable(to.volumeMode, from.volumeMode, at.child('volumeMode'))]
  },
  validateStatusUpdate: (next, _previous, at) => claimStatusFaults(next.status, at.child('status')),
})
