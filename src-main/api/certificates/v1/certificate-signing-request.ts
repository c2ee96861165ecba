import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { CertificateSigningRequest } from '../../generated/certificates-v1.ts'

export type { CertificateSigningRequest }

export const certificateSigningRequests = defineResource<CertificateSigningRequest>({
  group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest', plural: 'certificatesigningrequests', scope: 'Cluster',
  shortNames: ['csr'],
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  subresources: { status: true, others: ['approval'] },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'access', order: 60 },
})
