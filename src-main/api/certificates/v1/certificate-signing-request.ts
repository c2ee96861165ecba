/** CertificateSigningRequest: who asked is written by the API server; spec never changes; approval and certificate arrive through subresources. */
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { duplicate, forbiddenField, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { CertificateSigningRequest } from '../../generated/certificates-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { signerNameFaults } from './signer-name.ts'

export type { CertificateSigningRequest }

export const kubeletServingSigner = 'kubernetes.io/kubelet-serving'
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet'
export const clientSigner = 'kubernetes.io/kube-apiserver-client'
const minSeconds = 600

export function csrCondition(request: CertificateSigningRequest, type: string): boolean {
  return request.status?.conditions?.some(c => c.type === type) === true
}

export const isCsrApproved = (request: CertificateSigningRequest): boolean => csrCondition(request, 'Approved') && !csrCondition(request, 'Denied')

function conditionText(request: CertificateSigningRequest): string {
  const state = csrCondition(request, 'Denied') ? 'Denied' : csrCondition(request, 'Approved') ? 'Approved' : 'Pending'
  const failed = csrCondition(request, 'Failed') ? ',Failed' : ''
  return `${state}${failed}${request.status?.certificate ? ',Issued' : ''}`
}

/** Hours and minutes without zero parts after them: `120m`, `24h`, `90s`. */
function durationText(seconds: number | undefined): string {
  if (seconds === undefined) return none
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  return hours < 24 * 365 * 2 ? `${days}d` : `${Math.floor(days / 365)}y`
}

function pemFaults(request: CertificateSigningRequest, path: FieldPath): FieldErrorList {
  const encoded: string | undefined = request.spec?.request
  let text = ''
  try {
    text = atob(encoded ?? '')
  } catch {
    text = ''
  }
  if (/-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(text)) return []
  return [invalidValue(path, encoded ?? null, 'PEM block type must be CERTIFICATE REQUEST')]
}

function conditionsFaults(request: CertificateSigningRequest, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  const conditions = request.status?.conditions ?? []
  for (const [i, condition] of conditions.entries()) {
    const path = at.index(i)
    if (!condition.type) faults.push(required(path.child('type'), ''))
    if (!condition.status) faults.push(required(path.child('status'), ''))
    else if (['Approved', 'Denied', 'Failed'].includes(condition.type) && condition.status !== 'True')
      faults.push({
        type: 'FieldValueNotSupported',
        field: path.child('status').toString(),
        message: `Unsupported value: ${JSON.stringify(condition.status)}: supported values: "True"`,
      })
    if (seen.has(condition.type)) faults.push(duplicate(path.child('type'), condition.type))
    seen.add(condition.type)
  }
  if (seen.has('Approved') && seen.has('Denied'))
    faults.push(invalidValue(at.index(conditions.findIndex(c => c.type === 'Denied')).child('type'), 'Denied', 'Approved and Denied conditions are mutually exclusive'))
  return faults
}

/** The certificate, once there, and verdicts, once given, stay. */
function statusChangeFaults(next: CertificateSigningRequest, previous: CertificateSigningRequest, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const type of ['Approved', 'Denied', 'Failed']) {
    const before = previous.status?.conditions?.filter(c => c.type === type) ?? []
    const after = next.status?.conditions?.filter(c => c.type === type) ?? []
    if (before.length > after.length) faults.push(forbiddenField(at.child('status', 'conditions'), `updates may not remove a condition of type "${type}"`))
  }
  if (previous.status?.certificate && next.status?.certificate !== previous.status.certificate)
    faults.push(forbiddenField(at.child('status', 'certificate'), 'updates may not modify or remove an existing certificate'))
  return faults
}

export const certificateSigningRequests = defineResource<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  scope: 'Cluster',
  shortNames: ['csr'],
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  subresources: { status: true, others: ['approval'] },
  columns: [
    nameColumn(),
    ageColumn(),
    { name: 'SignerName', type: 'string', value: c => c.spec?.signerName || none },
    { name: 'Requestor', type: 'string', value: c => c.spec?.username ?? '' },
    { name: 'RequestedDuration', type: 'string', value: c => durationText(c.spec?.expirationSeconds) },
    { name: 'Condition', type: 'string', value: conditionText },
  ],
  menu: { area: 'access', order: 60 },
  fields: { 'spec.signerName': c => c.spec?.signerName ?? '' },
  validateName: isPathSegmentName,
  setDefaults(request) {
    for (const condition of request.status?.conditions ?? []) condition.status ||= 'True'
  },
  prepareForCreate(request, { user }) {
    request.status = {}
    const { uid, extra } = user as { uid?: string; extra?: Readonly<Record<string, readonly string[]>> }
    const spec = request.spec ?? (((request as { spec: unknown }).spec = {}), request.spec)
    for (const field of ['username', 'uid', 'groups', 'extra'] as const) delete spec[field]
    spec.username = user.name
    if (user.groups.length > 0) spec.groups = [...user.groups]
    if (uid !== undefined && uid !== '') spec.uid = uid
    if (extra !== undefined && Object.keys(extra).length > 0) spec.extra = Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]))
  },
  prepareForUpdate(next, previous) {
    next.spec = structuredClone(previous.spec)
  },
  validate(request, at) {
    const path = at.child('spec')
    const faults: FieldErrorList = pemFaults(request, path.child('request'))
    const usages = request.spec?.usages ?? []
    if (usages.length === 0) faults.push(required(path.child('usages'), ''))
    for (const [i, usage] of usages.entries()) if (usages.indexOf(usage) < i) faults.push(duplicate(path.child('usages').index(i), usage))
    if (request.spec?.signerName === 'kubernetes.io/legacy-unknown')
      faults.push(invalidValue(path.child('signerName'), request.spec.signerName, 'the legacy signerName is not allowed via this API version'))
    else faults.push(...signerNameFaults(request.spec?.signerName, path.child('signerName')))
    const seconds = request.spec?.expirationSeconds
    if (seconds !== undefined && seconds < minSeconds)
      faults.push(invalidValue(path.child('expirationSeconds'), seconds, `may not specify a duration less than ${minSeconds} seconds (10 minutes)`))
    return [...faults, ...conditionsFaults(request, at.child('status', 'conditions'))]
  },
  validateUpdate: statusChangeFaults,
  validateStatusUpdate: statusChangeFaults,
})
