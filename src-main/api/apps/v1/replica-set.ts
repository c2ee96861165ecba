import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ReplicaSet } from '../../generated/apps-v1.ts'

export type { ReplicaSet }

export const replicaSets = defineResource<ReplicaSet>({
  group: 'apps', version: 'v1', kind: 'ReplicaSet', plural: 'replicasets', scope: 'Namespaced',
  shortNames: ['rs'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 30 },
})
