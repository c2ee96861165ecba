/** Which certificate requests are approved by themselves, and what each signer allows. Pure; rules and texts are Kubernetes'. */
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts'

export const clientSigner = 'kubernetes.io/kube-apiserver-client'
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet'
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving'
export const legacySigner = 'kubernetes.io/legacy-unknown'
export const ourSigners: ReadonlySet<string> = new Set([clientSigner, kubeletClientSigner, kubeletServingSigner, legacySigner])

/** What a PKCS#10 request asks for. */
export interface RequestFacts {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
  readonly emailAddresses: readonly string[]
}

export interface CertificateTools {
  /** Signs with the cluster's CA; resolves with PEM. */
  signCertificate(requestPem: string, options: { readonly usages: readonly string[]; readonly notAfterMs: number }): Promise<string>
  /** Throws when the request cannot be read. */
  readRequest(requestPem: string): Promise<RequestFacts>
}

const kubeletClientUsages: ReadonlySet<string> = new Set(['digital signature', 'key encipherment', 'client auth'])
const kubeletServingUsages: ReadonlySet<string> = new Set(['digital signature', 'key encipherment', 'server auth'])

function hasCondition(csr: CertificateSigningRequest, type: string): boolean {
  return (csr.status?.conditions ?? []).some(c => c.type === type)
}

export const isApproved = (csr: CertificateSigningRequest): boolean => hasCondition(csr, 'Approved') && !hasCondition(csr, 'Denied')
export const isDecided = (csr: CertificateSigningRequest): boolean => hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied')
export const isFailed = (csr: CertificateSigningRequest): boolean => hasCondition(csr, 'Failed')

/** The PEM text of spec.request. */
export function requestPem(csr: CertificateSigningRequest): string {
  return new TextDecoder().decode(Uint8Array.from(atob(csr.spec.request), c => c.charCodeAt(0)))
}

function usagesFit(usages: readonly string[], allowed: ReadonlySet<string>, required: string): boolean {
  return usages.every(u => allowed.has(u)) && usages.includes('digital signature') && usages.includes(required)
}

const isNodeSubject = (facts: RequestFacts): boolean =>
  facts.organizations.length === 1 && facts.organizations[0] === 'system:nodes' && facts.commonName.startsWith('system:node:') && facts.commonName.length > 'system:node:'.length
const hasNoNames = (facts: RequestFacts): boolean => facts.dnsNames.length + facts.ipAddresses.length + facts.uris.length + facts.emailAddresses.length === 0

/** The subresource whose create permission lets a node client request be approved; undefined when it is none. */
export function nodeClientPermission(csr: CertificateSigningRequest, facts: RequestFacts): 'selfnodeclient' | 'nodeclient' | undefined {
  if (csr.spec.signerName !== kubeletClientSigner || !isNodeSubject(facts) || !hasNoNames(facts) || !usagesFit(csr.spec.usages ?? [], kubeletClientUsages, 'client auth'))
    return undefined
  return csr.spec.username === facts.commonName ? 'selfnodeclient' : 'nodeclient'
}

/**
 * A node's own request for a serving certificate. `addresses`: names and addresses of that node's status; others could
 * impersonate another host. (Kubernetes leaves these to the administrator; here nodes are ours.)
 */
export function isOwnServingRequest(csr: CertificateSigningRequest, facts: RequestFacts, addresses: readonly string[]): boolean {
  const nodeName = facts.commonName.slice('system:node:'.length)
  const known = new Set([...addresses, nodeName, 'localhost', '127.0.0.1', '::1'])
  return (
    csr.spec.signerName === kubeletServingSigner &&
    isNodeSubject(facts) &&
    csr.spec.username === facts.commonName &&
    (csr.spec.groups ?? []).includes('system:nodes') &&
    usagesFit(csr.spec.usages ?? [], kubeletServingUsages, 'server auth') &&
    facts.uris.length === 0 &&
    facts.emailAddresses.length === 0 &&
    facts.dnsNames.length + facts.ipAddresses.length > 0 &&
    [...facts.dnsNames, ...facts.ipAddresses].every(name => known.has(name))
  )
}

/** Why the signer refuses an approved request; undefined when it does not. */
export function signerRefusal(csr: CertificateSigningRequest, facts: RequestFacts): string | undefined {
  const usages = csr.spec.usages ?? []
  if (csr.spec.signerName === kubeletClientSigner) {
    if (facts.organizations.length !== 1 || facts.organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes'
    if (!facts.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:'
    if (!hasNoNames(facts)) return 'DNS, IP, Email and URI subjectAltNames are not allowed'
    return usagesFit(usages, kubeletClientUsages, 'client auth') ? undefined : 'usages did not match [client auth digital signature key encipherment]'
  }
  if (csr.spec.signerName === kubeletServingSigner) {
    if (!isNodeSubject(facts)) return 'subject is not that of a node'
    if (facts.dnsNames.length + facts.ipAddresses.length === 0) return 'DNS or IP subjectAltName is required'
    return usagesFit(usages, kubeletServingUsages, 'server auth') ? undefined : 'usages did not match [digital signature key encipherment server auth]'
  }
  if (csr.spec.signerName === clientSigner) return usages.includes('client auth') && !usages.includes('server auth') ? undefined : 'usages must include client auth'
  return undefined
}

const hourMs = 3_600_000
/** Requests are history after this, as upstream: approved 1 h, denied 1 h, failed 1 h, pending 24 h. */
export function isOutdated(csr: CertificateSigningRequest, createdMs: number, nowMs: number): boolean {
  const ageMs = nowMs - createdMs
  return isDecided(csr) || isFailed(csr) ? ageMs > hourMs && (csr.status?.certificate !== undefined || !isApproved(csr) || isFailed(csr)) : ageMs > 24 * hourMs
}
