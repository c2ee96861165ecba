/** Names of drivers, pools, devices and their attributes. */
import { invalidValue, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isCIdentifier, isDns1123Subdomain } from '../../names.ts'
import { nameFaults } from '../../validation.ts'
import { csiDriverNameFaults } from '../../storage/v1/csi-driver-name.ts'

const maxPoolName = 253
const maxIdentifier = 32

export const driverNameFaults = csiDriverNameFaults

export function poolNameFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (!name) return [required(path, '')]
  const faults: FieldErrorList = name.length > maxPoolName ? [tooLong(path, name, maxPoolName)] : []
  return [...faults, ...name.split('/').flatMap(part => nameFaults(part, path, isDns1123Subdomain))]
}

function identifierFaults(name: string, path: FieldPath): FieldErrorList {
  return [...(name.length > maxIdentifier ? [tooLong(path, name, maxIdentifier)] : []), ...nameFaults(name, path, isCIdentifier)]
}

/** `name` or `domain/name`. */
export function attributeNameFaults(name: string, path: FieldPath): FieldErrorList {
  const [first = '', second, ...more] = name.split('/')
  if (second === undefined) return identifierFaults(first, path)
  if (more.length > 0) return []
  return [
    ...(first === '' ? [invalidValue(path, '', 'the domain must not be empty')] : driverNameFaults(first, path)),
    ...(second === '' ? [invalidValue(path, '', 'the name must not be empty')] : identifierFaults(second, path)),
  ]
}

export function fullAttributeNameFaults(name: string, path: FieldPath): FieldErrorList {
  const faults = attributeNameFaults(name, path)
  return name.includes('/') ? faults : [...faults, invalidValue(path, name, 'a fully qualified name must be a domain and a name separated by a slash')]
}
