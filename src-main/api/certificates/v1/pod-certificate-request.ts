/** PodCertificateRequest: a kubelet asks for a certificate of one pod. Signatures are checked by the API server (admission/pod-certificates.ts). */
import { defineResource } from '../../resource.ts'
import { labelsText, nameColumn } from '../../columns.ts'
import { conditionsFaults } from '../../conditions-validation.ts'
import { invalidValue, invalidWithoutValue, notSupportedInOrder, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { PodCertificateRequest, PodCertificateRequestSpec, PodCertificateRequestStatus } from '../../generated/certificates-v1.ts'
import { deepEqual } from '../../json.ts'
import { isQualifiedName } from '../../names.ts'
import { immutableText, sameValue, subdomainFaults } from '../../validation.ts'
import { fromBase64, pemBlocks, requestedKey } from './der.ts'
import { isKubernetesSigner, signerNameFaults } from './signer-name.ts'

export type { PodCertificateRequest }

const verdicts = ['Issued', 'Denied', 'Failed']
const maxUidLength = 128
const maxRequestBytes = 10 * 1024
const maxChainBytes = 100 * 1024
const minSeconds = 3600
const maxSeconds = 91 * 24 * 3600
const maxKubernetesSeconds = 24 * 3600

const hasVerdict = (request: PodCertificateRequest, type: string): boolean =>
  (request.status?.conditions ?? []).some(condition => condition.type === type && condition.status === 'True')

function uidFaults(uid: string | undefined, path: FieldPath): FieldErrorList {
  if (!uid) return [invalidValue(path, '', 'must not be empty')]
  return uid.length > maxUidLength ? [tooLong(path, uid, maxUidLength)] : []
}

function secondsFaults(spec: Partial<PodCertificateRequestSpec>, path: FieldPath): FieldErrorList {
  const seconds = spec.maxExpirationSeconds
  if (seconds === undefined) return [required(path, 'must be set')]
  const most = isKubernetesSigner(spec.signerName ?? '') ? maxKubernetesSeconds : maxSeconds
  return seconds >= minSeconds && seconds <= most ? [] : [invalidValue(path, seconds, `must be in the range [${minSeconds}, ${most}]`)]
}

function requestFaults(request: string | undefined, at: FieldPath): FieldErrorList {
  if (!request) return [invalidWithoutValue(at, 'exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set')]
  const path = at.child('stubPKCS10Request')
  const bytes = fromBase64(request)
  if (bytes !== undefined && bytes.length > maxRequestBytes) return [tooLong(path, request, maxRequestBytes)]
  return bytes === undefined || requestedKey(bytes) === undefined ? [invalidWithoutValue(path, 'must be a valid PKCS#10 CSR')] : []
}

function specFaults(spec: Partial<PodCertificateRequestSpec>, at: FieldPath): FieldErrorList {
  const annotations = Object.keys(spec.unverifiedUserAnnotations ?? {})
  return [
    ...signerNameFaults(spec.signerName, at.child('signerName')),
    ...annotations.flatMap(key => domainKeyFaults(key.toLowerCase(), at.child('unverifiedUserAnnotations'))),
    ...subdomainFaults(spec.podName ?? '', at.child('podName')),
    ...uidFaults(spec.podUID, at.child('podUID')),
    ...subdomainFaults(spec.serviceAccountName ?? '', at.child('serviceAccountName')),
    ...uidFaults(spec.serviceAccountUID, at.child('serviceAccountUID')),
    ...subdomainFaults(spec.nodeName ?? '', at.child('nodeName')),
    ...uidFaults(spec.nodeUID, at.child('nodeUID')),
    ...secondsFaults(spec, at.child('maxExpirationSeconds')),
    ...(spec.maxExpirationSeconds === undefined ? [] : requestFaults(spec.stubPKCS10Request, at)),
  ]
}

function domainKeyFaults(key: string, path: FieldPath): FieldErrorList {
  if (key === '') return [required(path, '')]
  if (!key.includes('/')) return [invalidValue(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")')]
  return isQualifiedName(key).map(text => invalidValue(path, key, text))
}

/** At most one verdict, which is true, and nothing else. */
function verdictFaults(status: PodCertificateRequestStatus, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  let known = 0
  for (const [i, condition] of (status.conditions ?? []).entries()) {
    // Upstream puts the index between dots.
    const path = at.child(`[${i}]`)
    if (!verdicts.includes(condition.type)) {
      faults.push(notSupportedInOrder(path.child('type'), condition.type, verdicts))
      continue
    }
    known++
    if (known > 1) faults.push(invalidValue(path.child('type'), condition.type, 'There may be at most one condition with type "Issued", "Denied", or "Failed"'))
    if (condition.status !== 'True') faults.push(notSupportedInOrder(path.child('status'), condition.status, ['True']))
  }
  return [...faults, ...conditionsFaults(status.conditions, at)]
}

function chainFaults(status: PodCertificateRequestStatus, at: FieldPath): FieldErrorList {
  const path = at.child('certificateChain')
  const chain = status.certificateChain ?? ''
  if (chain.length > maxChainBytes) return [tooLong(path, chain, maxChainBytes)]
  const blocks = pemBlocks(chain)
  if (blocks.length === 0) return [invalidValue(path, chain, 'issued certificate chain must contain at least one certificate')]
  if (blocks.some(block => block.type !== 'CERTIFICATE')) return [invalidValue(path, chain, 'issued certificate chain must consist entirely of CERTIFICATE PEM blocks')]
  const faults: FieldErrorList = []
  if (!status.notBefore) faults.push(required(at.child('notBefore'), 'must be present and consistent with the issued certificate'))
  if (!status.notAfter) faults.push(required(at.child('notAfter'), 'must be present and consistent with the issued certificate'))
  if (!status.beginRefreshAt) faults.push(required(at.child('beginRefreshAt'), 'must be present and in the range [notbefore+10min, notafter-10min]'))
  return faults
}

export const podCertificateRequests = defineResource<PodCertificateRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'PodCertificateRequest',
  plural: 'podcertificaterequests',
  scope: 'Namespaced',
  schema: 'io.k8s.api.certificates.v1.PodCertificateRequest',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'PodName', type: 'string', value: r => r.spec?.podName ?? '' },
    { name: 'ServiceAccountName', type: 'string', value: r => r.spec?.serviceAccountName ?? '' },
    { name: 'NodeName', type: 'string', value: r => r.spec?.nodeName ?? '' },
    { name: 'SignerName', type: 'string', value: r => r.spec?.signerName ?? '' },
    { name: 'State', type: 'string', value: r => r.status?.conditions?.findLast(condition => verdicts.includes(condition.type))?.type ?? 'Pending' },
    { name: 'UnverifiedUserAnnotations', type: 'string', value: r => labelsText(r.spec?.unverifiedUserAnnotations) },
  ],
  menu: { area: 'access', order: 75 },
  fields: {
    'spec.signerName': r => r.spec?.signerName ?? '',
    'spec.podName': r => r.spec?.podName ?? '',
    'spec.nodeName': r => r.spec?.nodeName ?? '',
  },
  setDefaults(request) {
    if (request.spec !== undefined) request.spec.maxExpirationSeconds ??= 86_400
  },
  prepareForCreate(request) {
    request.status = {}
  },
  validate: (request, at) => specFaults(request.spec ?? {}, at.child('spec')),
  validateUpdate: (next, previous, at) => (sameValue(next.spec, previous.spec) ? [] : [invalidValue(at.child('spec'), next.spec ?? null, immutableText)]),
  validateStatusUpdate(next, previous, at) {
    const path = at.child('status')
    const status = next.status ?? {}
    const faults = verdictFaults(status, path.child('conditions'))
    if (faults.length > 0) return faults
    const same = deepEqual(status, previous.status ?? {})
    if (verdicts.some(verdict => hasVerdict(previous, verdict)))
      return same ? [] : [invalidWithoutValue(path, 'immutable after PodCertificateRequest is issued, denied, or failed')]
    if (hasVerdict(next, 'Issued')) return chainFaults(status, path)
    if (hasVerdict(next, 'Denied') || hasVerdict(next, 'Failed')) {
      const { conditions: _conditions, ...rest } = status
      return Object.keys(rest).length === 0 ? [] : [invalidWithoutValue(path, 'non-condition status fields must be empty when denying or failing the PodCertificateRequest')]
    }
    return same ? [] : [invalidWithoutValue(path, 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"')]
  },
})
