import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, unset } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { PersistentVolume, PersistentVolumeSpec } from '../../generated/core-v1.ts'
import { deepEqual } from '../../json.ts'
import { milliValue } from '../../quantity.ts'
import { formatTime } from '../../time.ts'
import { immutable, subdomainFaults } from '../../validation.ts'
import { accessModesFaults, volumeModes } from './claim-validation.ts'
import { accessModesText } from './persistent-volume-claim.ts'
import { quantityOf } from './resource-validation.ts'

export type { PersistentVolume }

/** Everything of a volume's spec that is not its source. */
const nonSource = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

function sourceOf(spec: PersistentVolumeSpec | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec ?? {}).filter(([name]) => !nonSource.has(name)))
}

function statusText(volume: PersistentVolume): string {
  return volume.metadata.deletionTimestamp === undefined ? (volume.status?.phase ?? '') : 'Terminating'
}

function claimText(volume: PersistentVolume): string {
  const claim = volume.spec?.claimRef
  return claim === undefined ? '' : `${claim.namespace ?? ''}/${claim.name ?? ''}`
}

function hostPathFaults(spec: PersistentVolumeSpec, at: FieldPath): FieldErrorList {
  if (spec.hostPath === undefined) return []
  const path = at.child('hostPath', 'path')
  const folder = spec.hostPath.path ?? ''
  if (folder === '') return [required(path, '')]
  if (folder.split('/').includes('..')) return [invalidValue(path, folder, "must not contain '..'")]
  const isRoot = folder.split('/').every(part => part === '' || part === '.')
  return isRoot && spec.persistentVolumeReclaimPolicy === 'Recycle'
    ? [forbiddenField(at.child('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'")]
    : []
}

export const persistentVolumes = defineResource<PersistentVolume>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  scope: 'Cluster',
  shortNames: ['pv'],
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Capacity', type: 'string', value: v => v.spec?.capacity?.['storage'] ?? '0' },
    { name: 'Access Modes', type: 'string', value: v => accessModesText(v.spec?.accessModes) },
    { name: 'Reclaim Policy', type: 'string', value: v => v.spec?.persistentVolumeReclaimPolicy ?? '' },
    { name: 'Status', type: 'string', value: statusText },
    { name: 'Claim', type: 'string', value: claimText },
    { name: 'StorageClass', type: 'string', value: v => v.spec?.storageClassName ?? '' },
    { name: 'VolumeAttributesClass', type: 'string', value: v => v.spec?.volumeAttributesClassName ?? unset },
    { name: 'Reason', type: 'string', value: v => v.status?.reason ?? '' },
    ageColumn(),
    { name: 'VolumeMode', type: 'string', priority: 1, value: v => v.spec?.volumeMode ?? unset },
  ],
  menu: { area: 'storage', order: 20 },
  setDefaults(volume) {
    const spec = (volume.spec ??= {})
    spec.persistentVolumeReclaimPolicy ||= 'Retain'
    spec.volumeMode ??= 'Filesystem'
    if (spec.hostPath !== undefined) spec.hostPath.type ??= ''
    ;(volume.status ??= {}).phase ||= 'Pending'
  },
  prepareForCreate(volume, context) {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(context.now) }
  },
  prepareForStatusUpdate(next, previous, context) {
    const [to, from] = [(next.status ??= {}), previous.status]
    if (to.phase === from?.phase) {
      if (to.lastPhaseTransitionTime === undefined && from?.lastPhaseTransitionTime !== undefined) to.lastPhaseTransitionTime = from.lastPhaseTransitionTime
    } else if (to.lastPhaseTransitionTime === undefined || to.lastPhaseTransitionTime === from?.lastPhaseTransitionTime) to.lastPhaseTransitionTime = formatTime(context.now)
  },
  validate(volume, at) {
    const spec = volume.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = accessModesFaults(spec.accessModes, path.child('accessModes'), '')
    if (Object.keys(spec.capacity ?? {}).length === 0) faults.push(required(path.child('capacity'), ''))
    if (spec.capacity?.['storage'] === undefined || Object.keys(spec.capacity).length > 1) faults.push(notSupported(path.child('capacity'), spec.capacity ?? null, ['storage']))
    for (const [name, text] of Object.entries(spec.capacity ?? {})) {
      const quantity = quantityOf(text)
      if (quantity !== undefined && milliValue(quantity) <= 0) faults.push(invalidValue(path.child('capacity').key(name), text, 'must be greater than zero'))
    }
    const policy = spec.persistentVolumeReclaimPolicy ?? ''
    if (!['Delete', 'Recycle', 'Retain'].includes(policy)) faults.push(notSupported(path.child('persistentVolumeReclaimPolicy'), policy, ['Delete', 'Recycle', 'Retain']))
    const sources = Object.keys(sourceOf(spec))
    if (sources.length === 0) faults.push(required(path, 'must specify a volume type'))
    for (const name of sources.slice(1)) faults.push(forbiddenField(path.child(name), 'may not specify more than 1 volume type'))
    faults.push(...hostPathFaults(spec, path))
    if (spec.storageClassName) faults.push(...subdomainFaults(spec.storageClassName, path.child('storageClassName')))
    if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) faults.push(notSupported(path.child('volumeMode'), spec.volumeMode, volumeModes))
    return faults
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    if (!deepEqual(sourceOf(next.spec), sourceOf(previous.spec)))
      faults.push(forbiddenField(at.child('spec', 'persistentvolumesource'), 'spec.persistentvolumesource is immutable after creation'))
    return [...faults, ...immutable(next.spec?.volumeMode, previous.spec?.volumeMode, at.child('volumeMode'))]
  },
  warnings: volume =>
    volume.spec?.persistentVolumeReclaimPolicy === 'Recycle'
      ? ['spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.']
      : [],
})
