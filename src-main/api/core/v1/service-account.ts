import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ServiceAccount } from '../../generated/core-v1.ts'

export type { ServiceAccount }

export const serviceAccounts = defineResource<ServiceAccount>({
  group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', scope: 'Namespaced',
  shortNames: ['sa'],
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  subresources: { others: ['token'] },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'access', order: 10 },
})
