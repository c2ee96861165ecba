import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { RoleBinding } from '../../generated/rbac-v1.ts'

export type { RoleBinding }

export const roleBindings = defineResource<RoleBinding>({
  group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'RoleBinding', plural: 'rolebindings', scope: 'Namespaced',
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'access', order: 40 },
})
