/** PodCertificateRequests: who asks proves that the key is theirs; who answers may sign for the signer. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { fromBase64, requestedKey, signedParts } from '../../api/certificates/v1/der.ts'
import { FieldPath, forbiddenField, invalidValue, invalidWithoutValue } from '../../api/field-errors.ts'
import type { FieldError } from '../../api/field-errors.ts'
import type { PodCertificateRequest } from '../../api/generated/certificates-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { invalid } from '../../api/status-error.ts'
import type { AdmissionAttributes, AdmissionPlugin, Authorizer } from '../contracts.ts'
import { maySigner } from './certificates.ts'

/** Hashes by the object identifier of a signature algorithm; null where the algorithm brings its own. */
const hashes: ReadonlyMap<string, string | null> = new Map([
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2b6570', null],
])

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }
const rsaBits = [3072, 4096]

function keyFault(key: KeyObject, path: FieldPath): FieldError | undefined {
  const details = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'ed25519') return undefined
  if (key.asymmetricKeyType === 'ec') {
    const curve = details.namedCurve ?? ''
    return Object.hasOwn(curves, curve) ? undefined : invalidValue(path, `curve ${curve}`, 'elliptic public keys must use curve P256, P384, or P521')
  }
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details.modulusLength ?? 0
    return rsaBits.includes(bits) ? undefined : invalidValue(path, `${bits}-bit modulus`, 'RSA keys must have modulus size 3072 or 4096')
  }
  return invalidWithoutValue(path, 'unknown public key type; supported types are Ed25519, ECDSA, and RSA')
}

/** What is wrong with the PKCS#10 request's key or its signature over itself. */
export function requestFault(request: string): FieldError | undefined {
  const path = FieldPath.root('spec', 'stubPKCS10Request')
  const der = fromBase64(request)
  const spki = der && requestedKey(der)
  if (der === undefined || spki === undefined) return invalidWithoutValue(path, 'must be a valid PKCS#10 CSR')
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    const fault = keyFault(key, path)
    if (fault) return fault
    const { content, algorithm, signature } = signedParts(der)
    const hash = hashes.get(algorithm)
    return hash !== undefined && verify(hash, content.whole, key, signature) ? undefined : invalidWithoutValue(path, 'invalid signature')
  } catch {
    return invalidWithoutValue(path, 'must be a valid PKCS#10 CSR')
  }
}

export function podCertificates(authorizer: Authorizer): AdmissionPlugin {
  const refuse = (a: AdmissionAttributes, fault: FieldError): Error => invalid(a.resource.group, a.resource.kind, a.name, [fault])
  return {
    name: 'PodCertificates',
    async validate(a) {
      if (a.resource.group !== 'certificates.k8s.io' || a.resource.plural !== 'podcertificaterequests') return
      const [request, previous] = [a.object as PodCertificateRequest | undefined, a.previous as PodCertificateRequest | undefined]
      if (a.operation === 'CREATE' && a.subresource === '') {
        const fault = requestFault(request?.spec.stubPKCS10Request ?? '')
        if (fault) throw refuse(a, fault)
      }
      if (a.operation !== 'UPDATE' || a.subresource !== 'status' || deepEqual(request?.status ?? {}, previous?.status ?? {})) return
      const signer = previous?.spec.signerName ?? ''
      if (await maySigner(authorizer, a, 'sign', signer)) return
      const text = `User ${JSON.stringify(a.user.name)} is not permitted to "sign" for signer ${JSON.stringify(signer)}`
      throw refuse(a, forbiddenField(FieldPath.root('spec', 'signerName'), text))
    },
  }
}
