import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ClusterRoleBinding } from '../../generated/rbac-v1.ts'

export type { ClusterRoleBinding }

export const clusterRoleBindings = defineResource<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRoleBinding', plural: 'clusterrolebindings', scope: 'Cluster',
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'access', order: 50 },
})
