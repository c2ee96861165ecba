/** Validation that roles and bindings share, and the questions the authorizer asks of rules. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../generated/rbac-v1.ts'
import { invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Label, isDns1123Subdomain, isPathSegmentName } from '../../names.ts'
import { deepEqual } from '../../json.ts'
import { nameFaults } from '../../validation.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'
const subjectKinds = ['ServiceAccount', 'User', 'Group']

export function ruleFaults(rule: PolicyRule, namespaced: boolean, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const has = (list: readonly string[] | undefined): boolean => (list?.length ?? 0) > 0
  if (!has(rule.verbs)) faults.push(required(at.child('verbs'), ''))
  if (has(rule.nonResourceURLs)) {
    const path = at.child('nonResourceURLs')
    if (namespaced) faults.push(invalidValue(path, rule.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
    if (has(rule.apiGroups) || has(rule.resources) || has(rule.resourceNames))
      faults.push(invalidValue(path, rule.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'))
    return faults
  }
  const resource: FieldErrorList = []
  if (!has(rule.apiGroups)) resource.push(required(at.child('apiGroups'), 'resource rules must supply at least one api group'))
  if (!has(rule.resources)) resource.push(required(at.child('resources'), 'resource rules must supply at least one resource'))
  return [...resource, ...faults]
}

export function rulesFaults(role: Role | ClusterRole, namespaced: boolean, at: FieldPath): FieldErrorList {
  return (role.rules ?? []).flatMap((rule, i) => ruleFaults(rule, namespaced, at.child('rules').index(i)))
}

function subjectFaults(subject: Subject, namespaced: boolean, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!subject.name) faults.push(required(at.child('name'), ''))
  switch (subject.kind) {
    case 'ServiceAccount':
      if (subject.name) faults.push(...nameFaults(subject.name, at.child('name'), isDns1123Subdomain))
      if (subject.apiGroup) faults.push(notSupported(at.child('apiGroup'), subject.apiGroup, ['']))
      if (!subject.namespace && !namespaced) faults.push(required(at.child('namespace'), ''))
      else if (subject.namespace) faults.push(...nameFaults(subject.namespace, at.child('namespace'), isDns1123Label))
      break
    case 'User':
    case 'Group':
      if (subject.apiGroup !== rbacGroup) faults.push(notSupported(at.child('apiGroup'), subject.apiGroup ?? '', [rbacGroup]))
      break
    default:
      faults.unshift(notSupportedInOrder(at.child('kind'), subject.kind ?? '', subjectKinds))
  }
  return faults
}

export function bindingFaults(binding: RoleBinding | ClusterRoleBinding, namespaced: boolean, at: FieldPath): FieldErrorList {
  const ref = binding.roleRef
  const path = at.child('roleRef')
  const kinds = namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole']
  const faults: FieldErrorList = []
  if (ref?.apiGroup !== rbacGroup) faults.push(notSupported(path.child('apiGroup'), ref?.apiGroup ?? '', [rbacGroup]))
  if (!kinds.includes(ref?.kind ?? ''))
    faults.push(namespaced ? notSupportedInOrder(path.child('kind'), ref?.kind ?? '', ['Role', 'ClusterRole']) : notSupported(path.child('kind'), ref?.kind ?? '', kinds))
  if (!ref?.name) faults.push(required(path.child('name'), ''))
  else faults.push(...nameFaults(ref.name, path.child('name'), isPathSegmentName))
  return [...faults, ...(binding.subjects ?? []).flatMap((subject, i) => subjectFaults(subject, namespaced, at.child('subjects').index(i)))]
}

export function roleRefImmutable(next: RoleBinding | ClusterRoleBinding, previous: RoleBinding | ClusterRoleBinding, at: FieldPath): FieldErrorList {
  if (deepEqual(next.roleRef, previous.roleRef)) return []
  return [invalidValue(at.child('roleRef'), { APIGroup: next.roleRef?.apiGroup ?? '', Kind: next.roleRef?.kind ?? '', Name: next.roleRef?.name ?? '' }, 'field is immutable')]
}

export function setBindingDefaults(binding: RoleBinding | ClusterRoleBinding): void {
  if (binding.roleRef !== undefined) binding.roleRef.apiGroup ||= rbacGroup
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbacGroup
  }
}

/** Names of the subjects of a kind, joined: columns Users, Groups, ServiceAccounts. */
export function subjectsText(binding: RoleBinding | ClusterRoleBinding, kind: string): string {
  return (binding.subjects ?? [])
    .filter(s => s.kind === kind)
    .map(s => (kind === 'ServiceAccount' ? `${s.namespace ?? ''}/${s.name}` : s.name))
    .join(', ')
}
