/** Names of CSI drivers. */
import { required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { invalidValue } from '../../field-errors.ts'
import { isDns1123Subdomain } from '../../names.ts'

const maxLength = 63

/** Required, at most 63 characters, a DNS subdomain in any case. */
export function csiDriverNameFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (!name) return [required(path, '')]
  const faults: FieldErrorList = name.length > maxLength ? [tooLong(path, name, maxLength)] : []
  return [...faults, ...isDns1123Subdomain(name.toLowerCase()).map(text => invalidValue(path, name, text))]
}
