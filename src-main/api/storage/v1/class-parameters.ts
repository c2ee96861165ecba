/** What StorageClass and VolumeAttributesClass check alike. */
import { invalidValue, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { byteLength, isQualifiedName } from '../../names.ts'

const maxParameters = 512
const maxParameterBytes = 256 * 1024

/** Name of a provisioner or driver: required, a qualified name in any case. */
export function provisionerFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (!name) return [required(path, '')]
  return isQualifiedName(name.toLowerCase()).map(text => invalidValue(path, name.toLowerCase(), text))
}

export function parametersFaults(parameters: Readonly<Record<string, string>> | undefined, path: FieldPath, allowEmpty: boolean): FieldErrorList {
  const entries = Object.entries(parameters ?? {})
  if (entries.length > maxParameters) return [tooLong(path, '', maxParameters)]
  const faults: FieldErrorList = entries.filter(([key]) => key === '').map(() => invalidValue(path, '', 'field can not be empty.'))
  if (entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0) > maxParameterBytes) faults.push(tooLong(path, '', maxParameterBytes))
  if (!allowEmpty && entries.length === 0) faults.push(required(path, 'must contain at least one key/value pair'))
  return faults
}
