/** Who may approve, sign and ask for certificates of which signer. */
import { forbidden } from '../../api/status-error.ts'
import { deepEqual } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { CertificateSigningRequest, ClusterTrustBundle } from '../../api/generated/certificates-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin, Authorizer } from '../contracts.ts'

const group = 'certificates.k8s.io'

/** Whether the user may do this for the signer or for all of its domain. */
export async function maySigner(authorizer: Authorizer, a: AdmissionAttributes, verb: 'approve' | 'sign' | 'attest', signer: string): Promise<boolean> {
  const domain = signer.slice(0, signer.indexOf('/'))
  for (const name of [signer, `${domain}/*`]) {
    const decision = await authorizer.authorize({ isResource: true, path: '', verb, group, version: '*', resource: 'signers', subresource: '', namespace: '', name, user: a.user })
    if (decision.allowed) return true
  }
  return false
}

const isRequest = (a: AdmissionAttributes): boolean => a.resource.group === group && a.resource.plural === 'certificatesigningrequests'

export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    async validate(a) {
      if (!isRequest(a) || a.subresource !== 'approval' || a.operation !== 'UPDATE') return
      const signer = (a.previous as CertificateSigningRequest | undefined)?.spec.signerName ?? ''
      if (!(await maySigner(authorizer, a, 'approve', signer)))
        throw forbidden(group, a.resource.plural, a.name, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`)
    },
  }
}

export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    async validate(a) {
      if (!isRequest(a) || a.subresource !== 'status' || a.operation !== 'UPDATE') return
      const before = a.previous as CertificateSigningRequest | undefined
      const after = a.object as CertificateSigningRequest
      if (before?.status?.certificate === after.status?.certificate && deepEqual(before?.status?.conditions ?? [], after.status?.conditions ?? [])) return
      const signer = before?.spec.signerName ?? ''
      if (!(await maySigner(authorizer, a, 'sign', signer)))
        throw forbidden(group, a.resource.plural, a.name, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`)
    },
  }
}

/** Who publishes what a signer is trusted by. */
export function clusterTrustBundleAttest(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'ClusterTrustBundleAttest',
    async validate(a) {
      if (a.resource.group !== group || a.resource.plural !== 'clustertrustbundles' || a.operation === 'DELETE') return
      const { spec } = a.object as ClusterTrustBundle
      const signer = spec.signerName ?? ''
      // Owners and finalizers may be written by those who clean up.
      if (signer === '' || (a.operation === 'UPDATE' && deepEqual(withoutCollection(a.object), withoutCollection(a.previous)))) return
      if (!(await maySigner(authorizer, a, 'attest', signer)))
        throw forbidden(group, a.resource.plural, a.name, `user not permitted to attest for signerName ${JSON.stringify(signer)}`)
    },
  }
}

function withoutCollection(object: KubernetesObject | undefined): unknown {
  const { ownerReferences: _owners, finalizers: _finalizers, managedFields: _managed, resourceVersion: _version, ...metadata } = object?.metadata ?? {}
  return { ...object, metadata }
}

/** Nobody gets a client certificate of system:masters by a request. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  async validate(a) {
    if (!isRequest(a) || a.subresource !== '' || a.operation !== 'CREATE') return
    const request = a.object as CertificateSigningRequest
    if (request.spec.signerName !== 'kubernetes.io/kube-apiserver-client') return
    const { organizationsOf } = await import('./certificate-request.ts')
    if (organizationsOf(request.spec.request).includes('system:masters')) {
      throw forbidden(group, a.resource.plural, a.name, 'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed')
    }
  },
}
