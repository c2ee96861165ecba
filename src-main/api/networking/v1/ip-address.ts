import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { IPAddress } from '../../generated/networking-v1.ts'

export type { IPAddress }

export const ipAddresses = defineResource<IPAddress>({
  group: 'networking.k8s.io', version: 'v1', kind: 'IPAddress', plural: 'ipaddresses', scope: 'Cluster',
  shortNames: ['ip'],
  schema: 'io.k8s.api.networking.v1.IPAddress',
  columns: [nameColumn()],
  menu: { area: 'network', order: 80 },
})
