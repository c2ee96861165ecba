import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { RoleBinding } from '../../generated/rbac-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { bindingFaults, roleRefImmutable, setBindingDefaults, subjectsText } from './rules-validation.ts'

export type { RoleBinding }

export const roleBindings = defineResource<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  scope: 'Namespaced',
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  columns: [
    nameColumn(),
    { name: 'Role', type: 'string', value: b => `${b.roleRef?.kind ?? ''}/${b.roleRef?.name ?? ''}` },
    ageColumn(),
    { name: 'Users', type: 'string', priority: 1, value: b => subjectsText(b, 'User') },
    { name: 'Groups', type: 'string', priority: 1, value: b => subjectsText(b, 'Group') },
    { name: 'ServiceAccounts', type: 'string', priority: 1, value: b => subjectsText(b, 'ServiceAccount') },
  ],
  menu: { area: 'access', order: 40 },
  validateName: isPathSegmentName,
  setDefaults: setBindingDefaults,
  validate: (binding, at) => bindingFaults(binding, true, at),
  validateUpdate: roleRefImmutable,
})
