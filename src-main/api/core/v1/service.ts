import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Service } from '../../generated/core-v1.ts'

export type { Service }

export const services = defineResource<Service>({
  group: '', version: 'v1', kind: 'Service', plural: 'services', scope: 'Namespaced',
  shortNames: ['svc'], categories: ['all'],
  schema: 'io.k8s.api.core.v1.Service',
  subresources: { status: true, others: ['proxy'] },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 10 },
})
