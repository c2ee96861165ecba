import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { NetworkPolicy } from '../../generated/networking-v1.ts'

export type { NetworkPolicy }

export const networkPolicies = defineResource<NetworkPolicy>({
  group: 'networking.k8s.io', version: 'v1', kind: 'NetworkPolicy', plural: 'networkpolicies', scope: 'Namespaced',
  shortNames: ['netpol'], generation: true,
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 60 },
})
