/**
 * Objects that a new cluster has before anybody asks: namespaces, priority classes, the RBAC policy and
 * the priority levels of Kubernetes v1.37. The data (resources/bootstrap) are recorded facts of that policy; admin, edit and view carry the rules that
 * their aggregation rules select, so that they hold from the first second. Pure.
 */
import clusterRoleBindingFacts from '../../resources/bootstrap/cluster-role-bindings.json' with { type: 'json' }
import clusterRoleFacts from '../../resources/bootstrap/cluster-roles.json' with { type: 'json' }
import flowSchemaFacts from '../../resources/bootstrap/flow-schemas.json' with { type: 'json' }
import namespaceFacts from '../../resources/bootstrap/namespaces.json' with { type: 'json' }
import priorityClassFacts from '../../resources/bootstrap/priority-classes.json' with { type: 'json' }
import priorityLevelFacts from '../../resources/bootstrap/priority-level-configurations.json' with { type: 'json' }
import roleBindingFacts from '../../resources/bootstrap/role-bindings.json' with { type: 'json' }
import roleFacts from '../../resources/bootstrap/roles.json' with { type: 'json' }
import type { ClusterRole, PolicyRule } from './generated/rbac-v1.ts'
import type { KubernetesObject } from './meta.ts'

/** Fresh copies, in an order in which they can be created: namespaces first, roles before their bindings. */
export function bootstrapObjects(): KubernetesObject[] {
  const lists: unknown[] = [
    namespaceFacts,
    priorityClassFacts,
    withAggregatedRules(clusterRoleFacts as unknown as ClusterRole[]),
    clusterRoleBindingFacts,
    roleFacts,
    roleBindingFacts,
    priorityLevelFacts,
    flowSchemaFacts,
  ]
  return lists.flatMap(list => structuredClone(list) as KubernetesObject[])
}

function withAggregatedRules(roles: readonly ClusterRole[]): ClusterRole[] {
  const byName = new Map(roles.map(role => [role.metadata.name ?? '', role]))
  return roles.map(role => (role.aggregationRule === undefined ? role : { ...role, rules: aggregatedRules(role, byName) }))
}

/** Rules of every role that the aggregation rule selects, through further aggregated roles, each rule once. */
export function aggregatedRules(role: ClusterRole, roles: ReadonlyMap<string, ClusterRole>, seen: ReadonlySet<string> = new Set()): PolicyRule[] {
  const name = role.metadata.name ?? ''
  if (role.aggregationRule === undefined) return role.rules ?? []
  if (seen.has(name)) return []
  const within = new Set([...seen, name])
  const rules = new Map<string, PolicyRule>()
  for (const selector of role.aggregationRule.clusterRoleSelectors ?? []) {
    for (const candidate of roles.values()) {
      if (candidate === role || !matchesAll(selector.matchLabels, candidate.metadata.labels)) continue
      for (const rule of aggregatedRules(candidate, roles, within)) rules.set(JSON.stringify(rule), rule)
    }
  }
  return [...rules.values()]
}

function matchesAll(wanted: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>> | undefined): boolean {
  const entries = Object.entries(wanted ?? {})
  return entries.length > 0 && entries.every(([key, value]) => labels?.[key] === value)
}
