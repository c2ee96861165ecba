import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import type { ClusterRole } from '../../generated/rbac-v1.ts'

export type { ClusterRole }

export const clusterRoles = defineResource<ClusterRole>({
  group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRole', plural: 'clusterroles', scope: 'Cluster',
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'access', order: 30 },
})
