import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ServiceCIDR } from '../../generated/networking-v1.ts'

export type { ServiceCIDR }

export const serviceCIDRs = defineResource<ServiceCIDR>({
  group: 'networking.k8s.io', version: 'v1', kind: 'ServiceCIDR', plural: 'servicecidrs', scope: 'Cluster',
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 70 },
})
