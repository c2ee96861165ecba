import { defineResource } from '../../resource.ts'
import type { RoleBinding } from '../../generated/rbac-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { bindingColumns } from './binding-columns.ts'
import { bindingFaults, roleRefImmutable, setBindingDefaults } from './rules-validation.ts'

export type { RoleBinding }

export const roleBindings = defineResource<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  scope: 'Namespaced',
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  columns: bindingColumns,
  menu: { area: 'access', order: 40 },
  validateName: isPathSegmentName,
  setDefaults: setBindingDefaults,
  validate: (binding, at) => bindingFaults(binding, true, at),
  validateUpdate: roleRefImmutable,
})
