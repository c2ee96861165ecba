/** Trust bundles and pod certificates: what the API server reads in certificates and requests. */
import { describe, expect, it } from 'vitest'
import { certificateAuthority, fromBase64, pemBlocks, requestedKey } from '../../../src-main/api/certificates/v1/der.ts'
import { clusterTrustBundles, podCertificateRequests } from '../../../src-main/api/resources.ts'
import { requestFault } from '../../../src-main/apiserver/admission/pod-certificates.ts'
import { sampleOf } from '../../conformance/kinds/samples.ts'
import { createFaults, statusFaults, type Changes } from './judge.ts'

const bundle = (sampleOf(clusterTrustBundles, 'a') as unknown as { spec: { trustBundle: string } }).spec.trustBundle
const request = (sampleOf(podCertificateRequests, 'a') as unknown as { spec: { stubPKCS10Request: string } }).spec.stubPKCS10Request
const block = (type: string, body: string): string => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`

describe('trust bundles', () => {
  it.each<[Changes, string[]]>([
    [{ 'spec.trustBundle': '' }, ['spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided']],
    [{ 'spec.trustBundle': block('PRIVATE KEY', 'AAAA') }, ['spec.trustBundle: Invalid value: "<value omitted>": entry 0 has bad block type: PRIVATE KEY']],
    [{ 'spec.trustBundle': block('CERTIFICATE', 'AAAA') }, ['spec.trustBundle: Invalid value: "<value omitted>": entry 0 does not parse as X.509']],
    [{ 'spec.trustBundle': bundle + bundle }, ['spec.trustBundle: Invalid value: "<value omitted>": duplicate trust anchor (indices [0 1])']],
    [{ 'spec.signerName': 'a.b/c' }, ['metadata.name: Invalid value: "a": ClusterTrustBundle for signerName a.b/c must be named with prefix a.b:c:']],
    [{ 'spec.signerName': 'a.b/c', 'metadata.name': 'a.b:c:x' }, []],
  ])('with %j', (changes, wanted) => {
    expect(createFaults(clusterTrustBundles, changes)).toEqual(wanted)
  })

  it('finds the certificates between other text', () => {
    const blocks = pemBlocks(`# comment\n${bundle}# more\n${bundle}`)
    expect(blocks.map(({ type, bytes }) => [type, certificateAuthority(bytes)])).toEqual([
      ['CERTIFICATE', true],
      ['CERTIFICATE', true],
    ])
  })

  it('answers bytes of every length without an exception', () => {
    const [whole] = pemBlocks(bundle)
    const bytes = whole?.bytes ?? new Uint8Array()
    for (let length = 0; length < bytes.length; length++) expect(certificateAuthority(bytes.subarray(0, length))).toBeUndefined()
  })
})

describe('pod certificates', () => {
  it.each<[Changes, string[]]>([
    [{ 'spec.maxExpirationSeconds': 60 }, ['spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]']],
    [{ 'spec.signerName': 'kubernetes.io/x', 'spec.maxExpirationSeconds': 90_000 }, ['spec.maxExpirationSeconds: Invalid value: 90000: must be in the range [3600, 86400]']],
    [{ 'spec.podUID': '' }, ['spec.podUID: Invalid value: "": must not be empty']],
    [{ 'spec.stubPKCS10Request': 'AAAA' }, ['spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR']],
    [{ 'spec.stubPKCS10Request': '' }, ['spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set']],
  ])('with %j', (changes, wanted) => {
    expect(createFaults(podCertificateRequests, changes)).toEqual(wanted)
  })

  it('proves the key by the signature of the request', () => {
    expect(requestFault(request)).toBeUndefined()
    const der = fromBase64(request) ?? new Uint8Array()
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    expect(requestedKey(der)).toBeDefined()
    expect(requestFault(btoa(String.fromCharCode(...der)))?.message).toBe('Invalid value: invalid signature')
  })

  it('has one verdict, which stays', () => {
    const condition = (type: string): object => ({ type, status: 'True', reason: 'Because', lastTransitionTime: '2026-01-01T00:00:00Z' })
    const denied = { 'status.conditions': [condition('Denied')] }
    expect(statusFaults(podCertificateRequests, {}, denied)).toEqual([])
    expect(statusFaults(podCertificateRequests, denied, { 'status.conditions': [condition('Failed')] })).toEqual([
      'status: Invalid value: immutable after PodCertificateRequest is issued, denied, or failed',
    ])
    expect(statusFaults(podCertificateRequests, {}, { 'status.conditions': [condition('Issued')] })).toEqual([
      'status.certificateChain: Invalid value: "": issued certificate chain must contain at least one certificate',
    ])
    expect(statusFaults(podCertificateRequests, {}, { 'status.notBefore': '2026-01-01T00:00:00Z' })).toEqual([
      'status: Invalid value: status is immutable unless transitioning to "Issued", "Denied", or "Failed"',
    ])
  })
})
