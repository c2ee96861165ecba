/** RBAC rules derived from what a controller declares to read and write. Pure. */
import type { PolicyRule } from '../api/generated/rbac-v1.ts'
import type { AnyResource } from '../api/resource.ts'
import type { AnyController } from './controller.ts'

const readVerbs = ['get', 'list', 'watch'] as const
const writeVerbs = ['create', 'update', 'patch', 'delete'] as const
const subresourceVerbs = ['update', 'patch'] as const

const eventRules: readonly PolicyRule[] = [{ apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] }]

/** The rules of `system:controller:<name>`: one a resource, sorted, without doubles. */
export function rulesFor(definition: AnyController): PolicyRule[] {
  if (!('for' in definition)) return [...definition.rules, ...eventRules]
  const verbs = new Map<string, { group: string; resource: string; verbs: Set<string> }>()
  const allow = (resource: AnyResource, subresource: string | undefined, wanted: readonly string[]): void => {
    const name = subresource ? `${resource.plural}/${subresource}` : resource.plural
    const entry = verbs.get(`${resource.group}|${name}`) ?? { group: resource.group, resource: name, verbs: new Set<string>() }
    for (const verb of wanted) entry.verbs.add(verb)
    verbs.set(`${resource.group}|${name}`, entry)
  }
  for (const resource of inputsOf(definition)) allow(resource, undefined, readVerbs)
  for (const write of definition.writes) allow(write.resource, write.subresource, write.verbs ?? (write.subresource ? subresourceVerbs : writeVerbs))
  const rules = [...verbs.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, v]): PolicyRule => ({ apiGroups: [v.group], resources: [v.resource], verbs: [...v.verbs].sort() }))
  return [...rules, ...(definition.rules ?? []), ...eventRules]
}

/** Everything a controller reads through the cache, each once. */
export function inputsOf(definition: Extract<AnyController, { for: unknown }>): AnyResource[] {
  const all: AnyResource[] = [definition.for, ...(definition.owns ?? []), ...(definition.watches ?? []).map(w => w.resource as AnyResource), ...(definition.reads ?? [])]
  return [...new Set(all)]
}
