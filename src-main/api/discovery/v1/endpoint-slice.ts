import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { EndpointSlice } from '../../generated/discovery-v1.ts'

export type { EndpointSlice }

export const endpointSlices = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice', plural: 'endpointslices', scope: 'Namespaced',
  generation: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 20 },
})
