/** Fills the rules of cluster roles that aggregate others by label. */
import type { ClusterRole, PolicyRule } from '../../api/generated/rbac-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { clusterRoles } from '../../api/rbac/v1/cluster-role.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const clusterRoleAggregationController = defineController<ClusterRole>({
  name: 'clusterrole-aggregation-controller',
  for: clusterRoles,
  watches: [
    {
      resource: clusterRoles,
      // Any role may be part of any aggregate.
      keys: (_role: ClusterRole, { cache }) =>
        cache
          .of(clusterRoles)
          .list()
          .filter(r => r.aggregationRule)
          .map(r => r.metadata.name ?? ''),
    },
  ],
  writes: [{ resource: clusterRoles, verbs: ['escalate', 'get', 'patch', 'update'] }],
  // Whoever writes rules must hold them; this one writes any.
  rules: [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ],
  workers: 1,
  async reconcile({ cache, client }, name) {
    const role = cache.of(clusterRoles).get(name)
    if (!role?.aggregationRule) return
    const rules = aggregatedRules(role, cache.of(clusterRoles).list())
    if (deepEqual(rules, role.rules ?? [])) return
    await client.resource(clusterRoles).update({ ...role, rules })
  },
})

/** Rules of all selected roles, by name, without doubles. Pure. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? []
  const sources = all.filter(r => r.metadata.name !== role.metadata.name && selectors.some(s => labelSelectorMatches(s, r.metadata.labels ?? {})))
  const rules: PolicyRule[] = []
  for (const source of [...sources].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))) {
    for (const rule of source.rules ?? []) if (!rules.some(r => deepEqual(r, rule))) rules.push(rule)
  }
  return rules
}
