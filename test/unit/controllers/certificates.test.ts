import { expect, test } from 'vitest'
import type { CertificateSigningRequest } from '../../../src-main/api/generated/certificates-v1.ts'
import { isOwnServingRequest, nodeClientPermission, signerRefusal } from '../../../src-main/controllers/certificates/requests.ts'
import type { RequestFacts } from '../../../src-main/controllers/certificates/requests.ts'

const csr = (signer: string, usages: string[], username = 'system:bootstrap:abcdef', groups = ['system:bootstrappers']): CertificateSigningRequest => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name: 'r' },
  spec: { request: '', signerName: `kubernetes.io/${signer}`, usages, username, groups },
})
const facts = (more: Partial<RequestFacts> = {}): RequestFacts => ({
  commonName: 'system:node:n',
  organizations: ['system:nodes'],
  dnsNames: [],
  ipAddresses: [],
  uris: [],
  emailAddresses: [],
  ...more,
})
const clientUsages = ['digital signature', 'client auth']
const servingUsages = ['digital signature', 'server auth']
const nodeUser = ['system:node:n', ['system:nodes', 'system:authenticated']] as const

test.each([
  ['a new node', csr('kube-apiserver-client-kubelet', clientUsages), facts(), 'nodeclient'],
  ['a node for itself', csr('kube-apiserver-client-kubelet', clientUsages, nodeUser[0], [...nodeUser[1]]), facts(), 'selfnodeclient'],
  ['another signer', csr('kube-apiserver-client', clientUsages), facts(), undefined],
  ['masters', csr('kube-apiserver-client-kubelet', clientUsages), facts({ organizations: ['system:masters'] }), undefined],
  ['two organizations', csr('kube-apiserver-client-kubelet', clientUsages), facts({ organizations: ['system:nodes', 'system:masters'] }), undefined],
  ['an administrator', csr('kube-apiserver-client-kubelet', clientUsages), facts({ commonName: 'admin' }), undefined],
  ['with alternative names', csr('kube-apiserver-client-kubelet', clientUsages), facts({ dnsNames: ['kubernetes'] }), undefined],
  ['for serving too', csr('kube-apiserver-client-kubelet', [...clientUsages, 'server auth']), facts(), undefined],
] as const)('client certificate of %s needs the permission', (_name, request, what, expected) => {
  expect(nodeClientPermission(request, what)).toBe(expected)
})

test.each([
  ['its own addresses', csr('kubelet-serving', servingUsages, nodeUser[0], [...nodeUser[1]]), facts({ dnsNames: ['n'], ipAddresses: ['10.0.0.1'] }), true],
  ["another host's address", csr('kubelet-serving', servingUsages, nodeUser[0], [...nodeUser[1]]), facts({ ipAddresses: ['10.0.0.2'] }), false],
  ["another node's name", csr('kubelet-serving', servingUsages, 'system:node:other', [...nodeUser[1]]), facts({ ipAddresses: ['10.0.0.1'] }), false],
  ['no name at all', csr('kubelet-serving', servingUsages, nodeUser[0], [...nodeUser[1]]), facts(), false],
  ['no group of nodes', csr('kubelet-serving', servingUsages, nodeUser[0], []), facts({ ipAddresses: ['10.0.0.1'] }), false],
] as const)('serving certificate with %s', (_name, request, what, expected) => {
  expect(isOwnServingRequest(request, what, ['10.0.0.1'])).toBe(expected)
})

test.each([
  ["a node's client certificate", csr('kube-apiserver-client-kubelet', clientUsages), facts(), undefined],
  ['masters by the kubelet signer', csr('kube-apiserver-client-kubelet', clientUsages), facts({ organizations: ['system:masters'] }), 'subject organization is not system:nodes'],
  ['serving without a name', csr('kubelet-serving', servingUsages), facts(), 'DNS or IP subjectAltName is required'],
  ['a user that wants to serve', csr('kube-apiserver-client', servingUsages), facts({ commonName: 'jane' }), 'usages must include client auth'],
] as const)('the signer and %s', (_name, request, what, expected) => {
  expect(signerRefusal(request, what)).toBe(expected)
})
