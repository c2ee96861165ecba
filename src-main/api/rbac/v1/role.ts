import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import type { Role } from '../../generated/rbac-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { rulesFaults } from './rules-validation.ts'

export type { Role }

export const roles = defineResource<Role>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  scope: 'Namespaced',
  schema: 'io.k8s.api.rbac.v1.Role',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'access', order: 20 },
  validateName: isPathSegmentName,
  validate: (role, at) => rulesFaults(role, true, at),
})
