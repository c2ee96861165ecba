import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ConfigMap } from '../../generated/core-v1.ts'
import { byteLength, isConfigMapKey } from '../../names.ts'
import { sameValue } from '../../validation.ts'

export type { ConfigMap }

/** All keys and values of a ConfigMap or Secret together. */
export const maxDataBytes = 1024 * 1024

export const immutableSet = 'field is immutable when `immutable` is set'

export const configMaps = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  scope: 'Namespaced',
  shortNames: ['cm'],
  schema: 'io.k8s.api.core.v1.ConfigMap',
  columns: [nameColumn(), { name: 'Data', type: 'string', value: c => Object.keys(c.data ?? {}).length + Object.keys(c.binaryData ?? {}).length }, ageColumn()],
  menu: { area: 'config', order: 10 },
  validate(config, at) {
    const faults: FieldErrorList = []
    let bytes = 0
    for (const [key, value] of Object.entries(config.data ?? {})) {
      faults.push(...isConfigMapKey(key).map(text => invalidValue(at.child('data').key(key), key, text)))
      if (Object.hasOwn(config.binaryData ?? {}, key)) faults.push(invalidValue(at.child('data').key(key), key, 'duplicate of key present in binaryData'))
      bytes += byteLength(String(value))
    }
    for (const [key, value] of Object.entries(config.binaryData ?? {})) {
      faults.push(...isConfigMapKey(key).map(text => invalidValue(at.child('binaryData').key(key), key, text)))
      bytes += Math.floor((String(value).length * 3) / 4)
    }
    if (bytes > maxDataBytes)
      faults.push({ type: 'FieldValueTooLong', field: at.toString() === '<nil>' ? '[]' : at.toString(), message: `Too long: may not be more than ${maxDataBytes} bytes` })
    return faults
  },
  validateUpdate(next, previous, at) {
    if (previous.immutable !== true) return []
    const faults: FieldErrorList = []
    if (next.immutable !== true) faults.push(forbiddenField(at.child('immutable'), immutableSet))
    if (!sameValue(next.data, previous.data)) faults.push(forbiddenField(at.child('data'), immutableSet))
    if (!sameValue(next.binaryData, previous.binaryData)) faults.push(forbiddenField(at.child('binaryData'), immutableSet))
    return faults
  },
})
