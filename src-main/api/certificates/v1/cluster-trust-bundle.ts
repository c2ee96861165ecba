import { defineResource } from '../../resource.ts'
import { nameColumn, none } from '../../columns.ts'
import { invalidValue, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { ClusterTrustBundle } from '../../generated/certificates-v1.ts'
import { byteLength, isDns1123Subdomain } from '../../names.ts'
import { immutableText } from '../../validation.ts'
import { certificateAuthority, pemBlocks } from './der.ts'
import { signerNameFaults } from './signer-name.ts'

export type { ClusterTrustBundle }

const maxBundleBytes = 1024 * 1024
const omitted = '<value omitted>'

/** A bundle of a signer is named after it. */
function nameFaults(bundle: ClusterTrustBundle, path: FieldPath): FieldErrorList {
  const { name } = bundle.metadata
  if (!name) return []
  const signer = bundle.spec?.signerName ?? ''
  const texts = (): string[] => {
    if (signer === '') return name.includes(':') ? ['ClusterTrustBundle without signer name must not have ":" in its name'] : isDns1123Subdomain(name)
    const prefix = `${signer.replaceAll('/', ':')}:`
    return name.startsWith(prefix) ? isDns1123Subdomain(name.slice(prefix.length)) : [`ClusterTrustBundle for signerName ${signer} must be named with prefix ${prefix}`]
  }
  return texts().map(text => invalidValue(path, name, text))
}

function bundleFaults(text: string, path: FieldPath): FieldErrorList {
  if (byteLength(text) > maxBundleBytes) return [tooLong(path, '', maxBundleBytes)]
  const fault = (detail: string): FieldErrorList => [invalidValue(path, omitted, detail)]
  const blocks = pemBlocks(text)
  const faults = blocks.flatMap(({ type, hasHeaders, bytes }, i) => {
    if (type !== 'CERTIFICATE') return fault(`entry ${i} has bad block type: ${type}`)
    if (hasHeaders) return fault(`entry ${i} has PEM block headers`)
    const authority = certificateAuthority(bytes)
    if (authority === undefined) return fault(`entry ${i} does not parse as X.509`)
    return authority ? [] : fault(`entry ${i} does not have the CA bit set`)
  })
  if (faults.length > 0) return faults
  if (blocks.length === 0) return fault('at least one trust anchor must be provided')
  const indices = new Map<string, number[]>()
  for (const [i, { bytes }] of blocks.entries()) indices.set(bytes.join(), [...(indices.get(bytes.join()) ?? []), i])
  return [...indices.values()].filter(list => list.length > 1).flatMap(list => fault(`duplicate trust anchor (indices [${list.join(' ')}])`))
}

export const clusterTrustBundles = defineResource<ClusterTrustBundle>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'ClusterTrustBundle',
  plural: 'clustertrustbundles',
  scope: 'Cluster',
  schema: 'io.k8s.api.certificates.v1.ClusterTrustBundle',
  columns: [nameColumn(), { name: 'SignerName', type: 'string', value: b => b.spec?.signerName || none }],
  menu: { area: 'access', order: 70 },
  fields: { 'spec.signerName': b => b.spec?.signerName ?? '' },
  // The rule depends on the signer: validate() has it.
  validateName: () => [],
  validate: (bundle, at) => [
    ...nameFaults(bundle, at.child('metadata', 'name')),
    ...(bundle.spec?.signerName ? signerNameFaults(bundle.spec.signerName, at.child('spec', 'signerName')) : []),
    ...bundleFaults(bundle.spec?.trustBundle ?? '', at.child('spec', 'trustBundle')),
  ],
  validateUpdate(next, previous, at) {
    const [signer, before] = [next.spec?.signerName ?? '', previous.spec?.signerName ?? '']
    return signer === before ? [] : [invalidValue(at.child('spec', 'signerName'), signer, immutableText)]
  },
})
