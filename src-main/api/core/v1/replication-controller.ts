import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ReplicationController } from '../../generated/core-v1.ts'

export type { ReplicationController }

export const replicationControllers = defineResource<ReplicationController>({
  group: '', version: 'v1', kind: 'ReplicationController', plural: 'replicationcontrollers', scope: 'Namespaced',
  shortNames: ['rc'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.core.v1.ReplicationController',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 80 },
})
