import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Ingress } from '../../generated/networking-v1.ts'

export type { Ingress }

export const ingresses = defineResource<Ingress>({
  group: 'networking.k8s.io', version: 'v1', kind: 'Ingress', plural: 'ingresses', scope: 'Namespaced',
  shortNames: ['ing'], generation: true,
  schema: 'io.k8s.api.networking.v1.Ingress',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 40 },
})
