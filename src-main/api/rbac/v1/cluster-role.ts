import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import { required } from '../../field-errors.ts'
import { validateLabelSelector } from '../../selectors.ts'
import type { ClusterRole } from '../../generated/rbac-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { rulesFaults } from './rules-validation.ts'

export type { ClusterRole }

export const clusterRoles = defineResource<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'access', order: 30 },
  validateName: isPathSegmentName,
  validate(role, at) {
    const faults = rulesFaults(role, false, at)
    if (role.aggregationRule === undefined) return faults
    const path = at.child('aggregationRule', 'clusterRoleSelectors')
    const selectors = role.aggregationRule.clusterRoleSelectors ?? []
    if (selectors.length === 0) return [...faults, required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
    return [...faults, ...selectors.flatMap((selector, i) => validateLabelSelector(selector, path.index(i)))]
  },
})
