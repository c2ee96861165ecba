/** Validation of the spec of a PersistentVolumeClaim; stateful sets and ephemeral volumes carry it as a template. */
import type { PersistentVolumeClaimSpec } from '../../generated/core-v1.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Subdomain } from '../../names.ts'
import { milliValue } from '../../quantity.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { nameFaults } from '../../validation.ts'
import { quantityOf } from './resource-validation.ts'

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
export const volumeModes = ['Block', 'Filesystem']

export function accessModesFaults(modes: readonly string[] | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if ((modes?.length ?? 0) === 0) faults.push(required(at, 'at least 1 access mode is required'))
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
  return faults
}
