import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Namespace } from '../../generated/core-v1.ts'

export type { Namespace }

export const namespaces = defineResource<Namespace>({
  group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', scope: 'Cluster',
  shortNames: ['ns'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  schema: 'io.k8s.api.core.v1.Namespace',
  subresources: { status: true, others: ['finalize'] },
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', value: o => o.status?.phase ?? '' },
    ageColumn(),
  ],
  menu: { area: 'cluster', order: 10 },
})
