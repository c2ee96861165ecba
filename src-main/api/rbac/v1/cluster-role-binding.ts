import { defineResource } from '../../resource.ts'
import type { ClusterRoleBinding } from '../../generated/rbac-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { bindingColumns } from './binding-columns.ts'
import { bindingFaults, roleRefImmutable, setBindingDefaults } from './rules-validation.ts'

export type { ClusterRoleBinding }

export const clusterRoleBindings = defineResource<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  scope: 'Cluster',
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  columns: bindingColumns,
  menu: { area: 'access', order: 50 },
  validateName: isPathSegmentName,
  setDefaults: setBindingDefaults,
  validate: (binding, at) => bindingFaults(binding, false, at),
  validateUpdate: roleRefImmutable,
})
