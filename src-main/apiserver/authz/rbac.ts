/** Role-based access control over live copies of roles and bindings, indexed by subject. */
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject } from '../../api/generated/rbac-v1.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Attributes, Authorizer, Decision } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { ruleAllows, type PolicyRule } from './rules.ts'

export interface Rbac extends Authorizer {
  /** All rules that a user has in a namespace ('' = cluster scope only), with the faults met (roles that are missing). */
  rulesOf(user: UserInfo, namespace: string): { rules: PolicyRule[]; faults: string[] }
  /** Rules of a role that a binding names; undefined when there is no such role. */
  rulesOfRole(roleRef: RoleRef, namespace: string): PolicyRule[] | undefined
}

interface Bound {
  readonly kind: 'ClusterRoleBinding' | 'RoleBinding'
  readonly name: string
  readonly namespace: string
  readonly roleRef: RoleRef
  readonly subject: Subject
}

type Index = Map<string, Bound[]>

export function createRbac(copies: LiveCopies): Rbac {
  const roles = copies.of<Role>(places.roles)
  const clusterRoles = copies.of<ClusterRole>(places.clusterRoles)
  const roleBindings = copies.of<RoleBinding>(places.roleBindings)
  const clusterRoleBindings = copies.of<ClusterRoleBinding>(places.clusterRoleBindings)
  let clusterIndex: { changes: number; index: Index } | undefined
  let namespaced: { changes: number; index: Map<string, Index> } | undefined

  const clusterBound = (): Index => {
    if (clusterIndex?.changes !== clusterRoleBindings.changes) {
      const index: Index = new Map()
      for (const binding of clusterRoleBindings.list()) addBinding(index, 'ClusterRoleBinding', binding)
      clusterIndex = { changes: clusterRoleBindings.changes, index }
    }
    return clusterIndex.index
  }
  const boundIn = (namespace: string): Index => {
    if (namespaced?.changes !== roleBindings.changes) namespaced = { changes: roleBindings.changes, index: new Map() }
    let index = namespaced.index.get(namespace)
    if (!index) {
      index = new Map()
      for (const binding of roleBindings.list(namespace)) addBinding(index, 'RoleBinding', binding)
      namespaced.index.set(namespace, index)
    }
    return index
  }
  const rulesOfRole = (roleRef: RoleRef, namespace: string): PolicyRule[] | undefined =>
    (roleRef.kind === 'ClusterRole' ? clusterRoles.get('', roleRef.name) : roles.get(namespace, roleRef.name)) && ruleList(roleRef, namespace)
  const ruleList = (roleRef: RoleRef, namespace: string): PolicyRule[] =>
    (roleRef.kind === 'ClusterRole' ? clusterRoles.get('', roleRef.name)?.rules : roles.get(namespace, roleRef.name)?.rules) ?? []

  function* bindingsOf(user: UserInfo, namespace: string): Generator<Bound> {
    const keys = [`User:${user.name}`, ...user.groups.map(group => `Group:${group}`)]
    for (const index of namespace === '' ? [clusterBound()] : [clusterBound(), boundIn(namespace)]) {
      for (const key of keys) yield* index.get(key) ?? []
    }
  }
  const missing = (bound: Bound): string => `${bound.roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(bound.roleRef.name)} not found`

  const rulesOf: Rbac['rulesOf'] = (user, namespace) => {
    const rules: PolicyRule[] = []
    const faults: string[] = []
    for (const bound of bindingsOf(user, namespace)) {
      const found = rulesOfRole(bound.roleRef, bound.namespace)
      if (found) rules.push(...found)
      else faults.push(missing(bound))
    }
    return { rules, faults }
  }

  return {
    rulesOf,
    rulesOfRole,
    authorize(attributes: Attributes): Promise<Decision> {
      const faults: string[] = []
      for (const bound of bindingsOf(attributes.user, attributes.isResource ? attributes.namespace : '')) {
        const rules = rulesOfRole(bound.roleRef, bound.namespace)
        if (!rules) {
          faults.push(missing(bound))
          continue
        }
        if (rules.some(rule => ruleAllows(rule, attributes))) return Promise.resolve({ allowed: true, reason: describe(bound) })
      }
      const texts = [...new Set(faults)]
      return Promise.resolve({ allowed: false, reason: texts.length === 0 ? '' : `RBAC: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}` })
    },
    rulesFor(user, namespace) {
      const { rules, faults } = rulesOf(user, namespace)
      const resourceRules = rules
        .filter(rule => (rule.resources ?? []).length > 0)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          ...(apiGroups ? { apiGroups } : {}),
          ...(resources ? { resources } : {}),
          ...(resourceNames ? { resourceNames } : {}),
        }))
      const nonResourceRules = rules.filter(rule => (rule.nonResourceURLs ?? []).length > 0).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }))
      return Promise.resolve({ resourceRules, nonResourceRules, incomplete: faults.length > 0, ...(faults.length > 0 ? { evaluationError: faults.join(', ') } : {}) })
    },
  }
}

function addBinding(index: Index, kind: Bound['kind'], binding: RoleBinding | ClusterRoleBinding): void {
  const namespace = kind === 'RoleBinding' ? (binding.metadata.namespace ?? '') : ''
  for (const subject of binding.subjects ?? []) {
    const key = subject.kind === 'ServiceAccount' ? `User:system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}` : `${subject.kind}:${subject.name}`
    const bound: Bound = { kind, name: binding.metadata.name ?? '', namespace, roleRef: binding.roleRef, subject }
    const list = index.get(key)
    if (list) list.push(bound)
    else index.set(key, [bound])
  }
}

function describe(bound: Bound): string {
  const name = bound.kind === 'RoleBinding' ? `${bound.name}/${bound.namespace}` : bound.name
  const { subject } = bound
  const to = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? ''}` : subject.name
  return `RBAC: allowed by ${bound.kind} ${JSON.stringify(name)} of ${bound.roleRef.kind} ${JSON.stringify(bound.roleRef.name)} to ${subject.kind} ${JSON.stringify(to)}`
}
