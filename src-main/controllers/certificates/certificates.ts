/** Approves nodes' certificate requests, signs what is approved, and clears old requests away. */
import { bootstrapGroup } from '../../api/agent.ts'
import { subjectAccessReviews } from '../../api/authorization/v1/subject-access-review.ts'
import { certificateSigningRequests } from '../../api/certificates/v1/certificate-signing-request.ts'
import { nodes } from '../../api/core/v1/node.ts'
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../api/generated/certificates-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, ControllerDefinition } from '../../controller-runtime/controller.ts'
import { isApproved, isDecided, isFailed, isOutdated, isOwnServingRequest, nodeClientPermission, ourSigners, requestPem, signerRefusal } from './requests.ts'
import type { CertificateTools, RequestFacts } from './requests.ts'

export type { CertificateTools, RequestFacts } from './requests.ts'

/** Default and longest life of a certificate: a year, as upstream's --cluster-signing-duration. */
const maxLifeMs = 365 * 24 * 3_600_000
const minLifeMs = 600_000

export function certificateApprover(tools: CertificateTools): ControllerDefinition<CertificateSigningRequest> {
  return defineController<CertificateSigningRequest>({
    name: 'certificate-controller',
    for: certificateSigningRequests,
    // A node may ask for its serving certificate a moment before its addresses are known.
    watches: [
      {
        resource: nodes,
        keys: (node, { cache }) =>
          cache
            .of(certificateSigningRequests)
            .list()
            .filter(csr => csr.spec.username === `system:node:${node.metadata.name ?? ''}` && !isDecided(csr))
            .map(csr => csr.metadata.name ?? ''),
      },
    ],
    writes: [
      { resource: certificateSigningRequests, subresource: 'approval' },
      { resource: subjectAccessReviews, verbs: ['create'] },
    ],
    rules: [{ apiGroups: ['certificates.k8s.io'], resources: ['signers'], resourceNames: [...ourSigners], verbs: ['approve'] }],
    workers: 2,
    async reconcile(context, name) {
      const csr = context.cache.of(certificateSigningRequests).get(name)
      if (!csr || isDecided(csr) || isFailed(csr) || !ourSigners.has(csr.spec.signerName)) return
      const facts = await readFacts(tools, csr)
      if (!facts) return
      const message = await approval(context, csr, facts)
      if (message) await approve(context, csr, message)
    },
  })
}

async function readFacts(tools: CertificateTools, csr: CertificateSigningRequest): Promise<RequestFacts | undefined> {
  try {
    return await tools.readRequest(requestPem(csr))
  } catch {
    return undefined
  } // not for us to approve; the signer says why
}

async function approval(context: ControllerContext, csr: CertificateSigningRequest, facts: RequestFacts): Promise<string | undefined> {
  const permission = nodeClientPermission(csr, facts)
  if (permission) {
    const own = permission === 'selfnodeclient' ? 'self kubelet client' : 'kubelet client'
    const allowed = (csr.spec.groups ?? []).includes(bootstrapGroup) || (await mayCreate(context, csr, permission))
    return allowed ? `Auto approving ${own} certificate after SubjectAccessReview.` : undefined
  }
  const node = context.cache.of(nodes).get(facts.commonName.slice('system:node:'.length))
  if (
    !node ||
    !isOwnServingRequest(
      csr,
      facts,
      (node.status?.addresses ?? []).map(a => a.address),
    )
  )
    return undefined
  return 'Auto approving kubelet serving certificate of a node with these addresses.'
}

async function mayCreate(context: ControllerContext, csr: CertificateSigningRequest, subresource: string): Promise<boolean> {
  const review = await context.client.resource(subjectAccessReviews).create({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {},
    spec: {
      user: csr.spec.username ?? '',
      groups: csr.spec.groups ?? [],
      ...(csr.spec.uid ? { uid: csr.spec.uid } : {}),
      ...(csr.spec.extra ? { extra: csr.spec.extra } : {}),
      resourceAttributes: { group: 'certificates.k8s.io', resource: 'certificatesigningrequests', subresource, verb: 'create', version: '*' },
    },
  })
  return review.status?.allowed === true
}

async function approve(context: ControllerContext, csr: CertificateSigningRequest, message: string): Promise<void> {
  const now = formatTime(context.env.clock.now())
  const condition: CertificateSigningRequestCondition = { type: 'Approved', status: 'True', reason: 'AutoApproved', message, lastUpdateTime: now, lastTransitionTime: now }
  const next = { ...csr, status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] } }
  try {
    await context.client.resource(certificateSigningRequests).updateSub(csr.metadata.name ?? '', 'approval', next)
  } catch (fault) {
    if (!isNotFound(fault)) throw fault
  }
}

export function certificateSigner(tools: CertificateTools): ControllerDefinition<CertificateSigningRequest> {
  return defineController<CertificateSigningRequest>({
    name: 'certificate-signing-controller',
    for: certificateSigningRequests,
    writes: [
      { resource: certificateSigningRequests, subresource: 'status' },
      { resource: certificateSigningRequests, verbs: ['delete'] },
    ],
    rules: [{ apiGroups: ['certificates.k8s.io'], resources: ['signers'], resourceNames: [...ourSigners], verbs: ['sign'] }],
    workers: 2,
    async reconcile(context, name) {
      const csr = context.cache.of(certificateSigningRequests).get(name)
      if (!csr) return
      const nowMs = context.env.clock.now()
      if (isOutdated(csr, parseTime(csr.metadata.creationTimestamp), nowMs)) {
        try {
          await context.client.resource(certificateSigningRequests).delete(name)
        } catch (fault) {
          if (!isNotFound(fault)) throw fault
        }
        return
      }
      if (isApproved(csr) && !isFailed(csr) && !csr.status?.certificate && ourSigners.has(csr.spec.signerName)) await sign(context, tools, csr, nowMs)
      return { requeueAfterMs: 3_600_000 }
    },
  })
}

async function sign(context: ControllerContext, tools: CertificateTools, csr: CertificateSigningRequest, nowMs: number): Promise<void> {
  const client = context.client.resource(certificateSigningRequests)
  let refusal: string | undefined
  const pem = requestPem(csr)
  try {
    refusal = signerRefusal(csr, await tools.readRequest(pem))
  } catch (fault) {
    refusal = `unable to parse csr "${csr.metadata.name ?? ''}": ${String(fault)}`
  }
  if (refusal !== undefined) {
    const now = formatTime(nowMs)
    const condition: CertificateSigningRequestCondition = {
      type: 'Failed',
      status: 'True',
      reason: 'SignerValidationFailure',
      message: refusal,
      lastUpdateTime: now,
      lastTransitionTime: now,
    }
    await client.updateStatus({ ...csr, status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] } })
    return
  }
  const askedMs = (csr.spec.expirationSeconds ?? maxLifeMs / 1000) * 1000
  const notAfterMs = nowMs + Math.min(maxLifeMs, Math.max(minLifeMs, askedMs))
  const certificate = await tools.signCertificate(pem, { usages: csr.spec.usages ?? [], notAfterMs })
  await client.updateStatus({ ...csr, status: { ...csr.status, certificate: btoa(certificate) } })
}
