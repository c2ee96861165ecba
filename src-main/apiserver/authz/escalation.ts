/**
 * Nobody grants what they do not have: writes of roles need the rules they contain (or the verb `escalate`), writes of
 * bindings need the rules of the role they name (or the verb `bind`). Upstream does this in the registry of the rbac group;
 * here it is a validating admission plugin, so that every way to write passes it.
 */
import { deepEqual } from '../../api/json.ts'
import { forbidden, notFound } from '../../api/status-error.ts'
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/generated/rbac-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin, Authorizer } from '../contracts.ts'
import { mastersGroup } from './authorizer.ts'
import type { Rbac } from './rbac.ts'
import { describeRules, missingRules, quoteList, type PolicyRule } from './rules.ts'

const group = 'rbac.authorization.k8s.io'

export function createEscalationCheck(options: { authorizer: Authorizer; rbac: Rbac }): AdmissionPlugin {
  const { authorizer, rbac } = options

  const mayDo = async (a: AdmissionAttributes, verb: string, resource: string, name: string): Promise<boolean> =>
    (await authorizer.authorize({ isResource: true, path: '', verb, group, version: 'v1', resource, subresource: '', namespace: a.namespace, name, user: a.user })).allowed

  const confirm = (a: AdmissionAttributes, wanted: readonly PolicyRule[]): void => {
    const { rules, faults } = rbac.rulesOf(a.user, a.namespace)
    const missing = missingRules(rules, wanted)
    if (missing.length === 0) return
    const resolution = faults.length > 0 ? `; resolution errors: [${faults.join(' ')}]` : ''
    const message = `user ${JSON.stringify(a.user.name)} (groups=${quoteList(a.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${describeRules(missing)}${resolution}`
    throw forbidden(group, a.resource.plural, a.name, message)
  }

  const checkRole = async (a: AdmissionAttributes): Promise<void> => {
    const role = a.object as Role | ClusterRole
    const previous = a.previous as Role | ClusterRole | undefined
    const aggregation = 'aggregationRule' in role ? role.aggregationRule : undefined
    const previousAggregation = previous && 'aggregationRule' in previous ? previous.aggregationRule : undefined
    if (previous && deepEqual(previous.rules ?? [], role.rules ?? []) && deepEqual(previousAggregation, aggregation)) return
    if (await mayDo(a, 'escalate', a.resource.plural, a.name)) return
    if (aggregation) {
      const everything: PolicyRule[] = [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
        { verbs: ['*'], nonResourceURLs: ['*'] },
      ]
      if (missingRules(rbac.rulesOf(a.user, '').rules, everything).length > 0)
        throw forbidden(group, a.resource.plural, a.name, 'must have cluster-admin privileges to use an aggregationRule')
    }
    confirm(a, role.rules ?? [])
  }

  const checkBinding = async (a: AdmissionAttributes): Promise<void> => {
    const binding = a.object as RoleBinding | ClusterRoleBinding
    const previous = a.previous as RoleBinding | ClusterRoleBinding | undefined
    if (previous && deepEqual(previous.roleRef, binding.roleRef) && deepEqual(previous.subjects ?? [], binding.subjects ?? [])) return
    const resource = binding.roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles'
    if (await mayDo(a, 'bind', resource, binding.roleRef.name)) return
    const rules = rbac.rulesOfRole(binding.roleRef, a.namespace)
    if (!rules) throw notFound(group, resource, binding.roleRef.name)
    confirm(a, rules)
  }

  return {
    name: 'RBACEscalation',
    async validate(a) {
      if (a.resource.group !== group || a.subresource !== '' || !a.object || (a.operation !== 'CREATE' && a.operation !== 'UPDATE')) return
      if (a.user.groups.includes(mastersGroup)) return
      if (a.resource.plural === 'roles' || a.resource.plural === 'clusterroles') await checkRole(a)
      else await checkBinding(a)
    },
  }
}
