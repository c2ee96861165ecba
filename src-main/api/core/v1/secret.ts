import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Secret } from '../../generated/core-v1.ts'
import { isConfigMapKey } from '../../names.ts'
import { immutable, sameValue } from '../../validation.ts'
import { immutableSet, maxDataBytes } from './config-map.ts'

export type { Secret }

/** Secret of a Machine; see infra/v1alpha1/machine.ts. */
export const sshSecretType = 'infra.quarterdeck.app/ssh'
const redacted = '<secret contents redacted>'

/** Bytes of a value of `data`. Throws on text that is no base64. */
export function decodeSecretValue(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0))
}

export function encodeSecretValue(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

function textOf(base64: string | undefined): string {
  try {
    return new TextDecoder().decode(decodeSecretValue(base64 ?? ''))
  } catch {
    return ''
  }
}

/** The fault Go's JSON decoder finds, for the first characters it looks at. */
function jsonFault(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch {
    const first = /\S/.exec(text)?.[0]
    if (first === undefined) return 'unexpected end of JSON input'
    return /[{["0-9tfn-]/.test(first) ? 'unexpected end of JSON input' : `invalid character '${first}' looking for beginning of value`
  }
}

/** Keys that a type of secret must have; any one of the inner list will do. */
function typeFaults(secret: Secret, at: FieldPath): FieldErrorList {
  const data = secret.data ?? {}
  const need = (key: string): FieldErrorList => (Object.hasOwn(data, key) ? [] : [required(at.child('data').key(key), '')])
  const json = (key: string): FieldErrorList => {
    if (!Object.hasOwn(data, key)) return need(key)
    const fault = jsonFault(textOf(data[key]))
    return fault === undefined ? [] : [invalidValue(at.child('data').key(key), redacted, fault)]
  }
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      return secret.metadata.annotations?.['kubernetes.io/service-account.name']
        ? []
        : [required(at.child('metadata', 'annotations').key('kubernetes.io/service-account.name'), '')]
    case 'kubernetes.io/dockercfg':
      return json('.dockercfg')
    case 'kubernetes.io/dockerconfigjson':
      return json('.dockerconfigjson')
    case 'kubernetes.io/basic-auth':
      return Object.hasOwn(data, 'username') || Object.hasOwn(data, 'password') ? [] : [...need('username'), ...need('password')]
    case 'kubernetes.io/ssh-auth':
      return textOf(data['ssh-privatekey']) === '' ? [required(at.child('data').key('ssh-privatekey'), '')] : []
    case 'kubernetes.io/tls':
      return [...need('tls.crt'), ...need('tls.key')]
    default:
      return []
  }
}

export const secrets = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  scope: 'Namespaced',
  schema: 'io.k8s.api.core.v1.Secret',
  columns: [nameColumn(), { name: 'Type', type: 'string', value: s => s.type ?? '' }, { name: 'Data', type: 'string', value: s => Object.keys(s.data ?? {}).length }, ageColumn()],
  menu: { area: 'config', order: 20 },
  fields: { type: s => s.type ?? '' },
  setDefaults(secret) {
    secret.type ||= 'Opaque'
    // stringData is for writers only: it ends up in data and is never stored.
    if (secret.stringData !== undefined) {
      const data: Record<string, string> = { ...secret.data }
      for (const [key, text] of Object.entries(secret.stringData)) data[key] = encodeSecretValue(new TextEncoder().encode(String(text)))
      secret.data = data
      delete secret.stringData
    }
  },
  prepareForUpdate(next, previous) {
    if ((next.type === undefined || next.type === '') && previous.type !== undefined) next.type = previous.type
  },
  validate(secret, at) {
    const faults: FieldErrorList = []
    let bytes = 0
    for (const [key, value] of Object.entries(secret.data ?? {})) {
      faults.push(...isConfigMapKey(key).map(text => invalidValue(at.child('data').key(key), key, text)))
      bytes += Math.floor((String(value).length * 3) / 4)
    }
    if (bytes > maxDataBytes) faults.push({ type: 'FieldValueTooLong', field: 'data', message: `Too long: may not be more than ${maxDataBytes} bytes` })
    return [...faults, ...typeFaults(secret, at)]
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = immutable(next.type, previous.type, at.child('type'))
    if (previous.immutable !== true) return faults
    if (next.immutable !== true) faults.push(forbiddenField(at.child('immutable'), immutableSet))
    if (!sameValue(next.data, previous.data)) faults.push(forbiddenField(at.child('data'), immutableSet))
    return faults
  },
  warnings(secret) {
    return secret.type === 'kubernetes.io/tls' && !textOf(secret.data?.['tls.crt']).includes('-----BEGIN') ? ['tls: failed to find any PEM data in certificate input'] : []
  },
})
