/** Validation of the spec of a PersistentVolumeClaim; stateful sets and ephemeral volumes carry it as a template. */
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimStatus } from '../../generated/core-v1.ts'
import { forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts'
import { milliValue } from '../../quantity.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { nameFaults, nonNegativeText, qualifiedNameFaults } from '../../validation.ts'
import { isNativeResource, quantityOf } from './resource-validation.ts'

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
export const volumeModes = ['Block', 'Filesystem']

export function accessModesFaults(modes: readonly string[] | undefined, at: FieldPath, absent = 'at least 1 access mode is required'): FieldErrorList {
  const faults: FieldErrorList = []
  if ((modes?.length ?? 0) === 0) faults.push(required(at, absent))
  for (const mode of modes ?? []) if (!accessModes.includes(mode)) faults.push(notSupported(at, mode, accessModes))
  if (modes?.includes('ReadWriteOncePod') === true && modes.length > 1) faults.push(forbiddenField(at, 'may not use ReadWriteOncePod with other access modes'))
  return faults
}

export function claimSpecFaults(spec: PersistentVolumeClaimSpec | undefined, at: FieldPath): FieldErrorList {
  const faults = accessModesFaults(spec?.accessModes, at.child('accessModes'))
  if (spec?.selector !== undefined) faults.push(...validateLabelSelector(spec.selector, at.child('selector')))
  const storage = spec?.resources?.requests?.['storage']
  if (storage === undefined) faults.push(required(at.child('resources').key('storage'), ''))
  else {
    const quantity = quantityOf(storage)
    if (quantity !== undefined && milliValue(quantity) <= 0) faults.push(invalidValue(at.child('resources').key('storage'), storage, 'must be greater than zero'))
  }
  if (spec?.storageClassName) faults.push(...nameFaults(spec.storageClassName, at.child('storageClassName'), isDns1123Subdomain))
  if (spec?.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) faults.push(notSupported(at.child('volumeMode'), spec.volumeMode, volumeModes))
  if (spec?.volumeAttributesClassName) faults.push(...nameFaults(spec.volumeAttributesClassName, at.child('volumeAttributesClassName'), isDns1123Subdomain))
  return [...faults, ...dataSourcesFaults(spec ?? {}, at)]
}

interface DataSource {
  readonly apiGroup?: string
  readonly kind?: string
  readonly name?: string
  readonly namespace?: string
}

function dataSourceFaults({ apiGroup = '', kind = '', name = '', namespace = '' }: DataSource, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (name === '') faults.push(required(at.child('name'), ''))
  if (kind === '') faults.push(required(at.child('kind'), ''))
  if (apiGroup === '' && kind !== 'PersistentVolumeClaim') faults.push(invalidValue(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
  if (apiGroup !== '') faults.push(...nameFaults(apiGroup, at.child('apiGroup'), isDns1123Subdomain))
  if (namespace !== '') faults.push(...nameFaults(namespace, at.child('namespace'), isDns1123Label))
  return faults
}

/** Both ways to name where the data come from; they have to agree. */
function dataSourcesFaults({ dataSource, dataSourceRef }: PersistentVolumeClaimSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (dataSource !== undefined) faults.push(...dataSourceFaults(dataSource, at.child('dataSource')))
  if (dataSourceRef !== undefined) faults.push(...dataSourceFaults(dataSourceRef, at.child('dataSourceRef')))
  if (dataSource === undefined || dataSourceRef === undefined) return faults
  // Upstream shows the path, an object without public fields, in place of a value.
  if (dataSourceRef.namespace) faults.push(invalidValue(at, {}, 'may not be specified when dataSourceRef.namespace is specified'))
  else if ((['kind', 'name', 'apiGroup'] as const).some(field => (dataSource[field] ?? '') !== (dataSourceRef[field] ?? '')))
    faults.push(invalidValue(at, {}, 'must match dataSourceRef'))
  return faults
}

const isClaimOrSnapshot = ({ kind, apiGroup = '' }: DataSource): boolean =>
  (kind === 'PersistentVolumeClaim' && apiGroup === '') || (kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io')

/** Fills in whichever of the two data sources is missing; what dataSource never could name is dropped. In place. */
export function normalizeDataSources(spec: PersistentVolumeClaimSpec | undefined, previous?: PersistentVolumeClaimSpec): void {
  if (spec === undefined) return
  if (spec.dataSourceRef?.namespace && previous?.dataSourceRef === undefined) delete spec.dataSourceRef
  const inUse = previous?.dataSource !== undefined || previous?.dataSourceRef !== undefined
  if (!inUse && spec.dataSourceRef === undefined && spec.dataSource !== undefined && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) spec.dataSourceRef = { ...spec.dataSource }
  else if (spec.dataSourceRef !== undefined && spec.dataSource === undefined && !spec.dataSourceRef.namespace) {
    const { namespace: _namespace, ...local } = spec.dataSourceRef
    spec.dataSource = local
  }
}

const resizeStates = ['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress', 'NodeResizeInfeasible', 'NodeResizePending']

function resourceKeyFaults(name: string, path: FieldPath): FieldErrorList {
  const faults = qualifiedNameFaults(name, path)
  if (faults.length > 0) return faults
  return isNativeResource(name) && name !== 'storage' ? [notSupported(path, name, ['storage'])] : []
}

export function claimStatusFaults(status: PersistentVolumeClaimStatus | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const amountFaults = (text: string, path: FieldPath): void => {
    const quantity = quantityOf(text)
    if (quantity !== undefined && milliValue(quantity) < 0) faults.push(invalidValue(path, text, nonNegativeText))
  }
  for (const [name, amount] of Object.entries(status?.capacity ?? {})) amountFaults(amount, at.child('capacity').key(name))
  const path = at.child('allocatedResourceStatuses')
  for (const [name, state] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    faults.push(...resourceKeyFaults(name, path))
    if (!resizeStates.includes(state)) faults.push(notSupportedInOrder(path, name, resizeStates))
  }
  const allocated = at.child('allocatedResources')
  for (const [name, amount] of Object.entries(status?.allocatedResources ?? {})) {
    const keyFaults = resourceKeyFaults(name, allocated)
    faults.push(...keyFaults)
    if (keyFaults.length === 0) amountFaults(amount, allocated.key(name))
  }
  return faults
}
