import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { IngressClass } from '../../generated/networking-v1.ts'

export type { IngressClass }

export const ingressClasses = defineResource<IngressClass>({
  group: 'networking.k8s.io', version: 'v1', kind: 'IngressClass', plural: 'ingressclasses', scope: 'Cluster',
  generation: true,
  schema: 'io.k8s.api.networking.v1.IngressClass',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 50 },
})
