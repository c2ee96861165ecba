import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Lease } from '../../generated/coordination-v1.ts'

export type { Lease }

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', scope: 'Namespaced',
  schema: 'io.k8s.api.coordination.v1.Lease',
  columns: [
    nameColumn(),
    { name: 'Holder', type: 'string', value: o => o.spec?.holderIdentity ?? '' },
    ageColumn(),
  ],
  menu: { area: 'cluster', order: 50 },
})
