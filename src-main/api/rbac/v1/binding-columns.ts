/** The table of both kinds of binding. */
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ClusterRoleBinding, RoleBinding } from '../../generated/rbac-v1.ts'
import type { Column } from '../../resource.ts'
import { subjectsText } from './rules-validation.ts'

export const bindingColumns: readonly Column<RoleBinding | ClusterRoleBinding>[] = [
  nameColumn(),
  { name: 'Role', type: 'string', value: b => `${b.roleRef?.kind ?? ''}/${b.roleRef?.name ?? ''}` },
  ageColumn(),
  { name: 'Users', type: 'string', priority: 1, value: b => subjectsText(b, 'User') },
  { name: 'Groups', type: 'string', priority: 1, value: b => subjectsText(b, 'Group') },
  { name: 'ServiceAccounts', type: 'string', priority: 1, value: b => subjectsText(b, 'ServiceAccount') },
]
