/**
 * Which FlowSchema a request belongs to: the first by precedence, then by name, whose rules match its user and what it
 * asks for. Subjects are matched once for a user, rules for each request. Pure.
 */
import type { FlowSchema, NonResourcePolicyRule, PolicyRulesWithSubjects, PriorityLevelConfiguration, ResourcePolicyRule, Subject } from '../../api/generated/flowcontrol-v1.ts'
import type { UserInfo } from '../../api/request.ts'
import type { RequestInfo } from '../contracts.ts'

const everybody = [
  { kind: 'Group', group: { name: 'system:unauthenticated' } },
  { kind: 'Group', group: { name: 'system:authenticated' } },
]
const everything = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
}
const meta = (name: string): { apiVersion: string; metadata: { name: string; uid: string } } => ({ apiVersion: 'flowcontrol.apiserver.k8s.io/v1', metadata: { name, uid: '' } })

/** What always is in force, whether the objects exist or not; facts of v1.37. */
export const mandatorySchemas: readonly FlowSchema[] = [
  {
    ...meta('exempt'),
    kind: 'FlowSchema',
    spec: { matchingPrecedence: 1, priorityLevelConfiguration: { name: 'exempt' }, rules: [{ subjects: [{ kind: 'Group', group: { name: 'system:masters' } }], ...everything }] },
  },
  {
    ...meta('catch-all'),
    kind: 'FlowSchema',
    spec: {
      matchingPrecedence: 10_000,
      priorityLevelConfiguration: { name: 'catch-all' },
      distinguisherMethod: { type: 'ByUser' },
      rules: [{ subjects: everybody, ...everything }],
    },
  },
]
export const mandatoryLevels: readonly PriorityLevelConfiguration[] = [
  { ...meta('exempt'), kind: 'PriorityLevelConfiguration', spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } } },
  {
    ...meta('catch-all'),
    kind: 'PriorityLevelConfiguration',
    spec: { type: 'Limited', limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } } },
  },
]

/** As upstream where the field is left out. */
const DEFAULT_PRECEDENCE = 1_000

export function inOrderOfPrecedence(schemas: readonly FlowSchema[]): FlowSchema[] {
  return [...schemas].sort(
    (a, b) => (a.spec.matchingPrecedence ?? DEFAULT_PRECEDENCE) - (b.spec.matchingPrecedence ?? DEFAULT_PRECEDENCE) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
  )
}

/** The schema among `ordered` that a request belongs to; `rulesFor` are those of a schema that name the user. */
export function matchingSchema<T extends { readonly rules: readonly PolicyRulesWithSubjects[] }>(candidates: readonly T[], info: RequestInfo): T | undefined {
  for (const candidate of candidates) for (const rule of candidate.rules) if (matchesRule(rule, info)) return candidate
  return undefined
}

/** The rules of a schema that name the user. */
export function rulesNaming(schema: FlowSchema, user: UserInfo): PolicyRulesWithSubjects[] {
  return (schema.spec.rules ?? []).filter(rule => rule.subjects.some(subject => names(subject, user)))
}

function names(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.user !== undefined && (subject.user.name === '*' || subject.user.name === user.name)
    case 'Group':
      return subject.group !== undefined && (subject.group.name === '*' || user.groups.includes(subject.group.name))
    case 'ServiceAccount': {
      if (!subject.serviceAccount) return false
      const { namespace, name } = subject.serviceAccount
      const prefix = `system:serviceaccount:${namespace}:`
      return name === '*' ? user.name.startsWith(prefix) : user.name === prefix + name
    }
    default:
      return false
  }
}

function matchesRule(rule: PolicyRulesWithSubjects, info: RequestInfo): boolean {
  if (info.isResource) return rule.resourceRules?.some(one => matchesResource(one, info)) ?? false
  return rule.nonResourceRules?.some(one => matchesPath(one, info)) ?? false
}

function matchesResource(rule: ResourcePolicyRule, info: RequestInfo): boolean {
  if (!has(rule.verbs, info.verb) || !has(rule.apiGroups, info.group)) return false
  if (!has(rule.resources, info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`)) return false
  return info.namespace === '' ? rule.clusterScope === true : has(rule.namespaces ?? [], info.namespace)
}

function matchesPath(rule: NonResourcePolicyRule, info: RequestInfo): boolean {
  return (
    has(rule.verbs, info.verb) &&
    rule.nonResourceURLs.some(url => {
      if (url === '*' || url === info.path) return true
      const prefix = url.endsWith('*') ? url.slice(0, -1) : url
      return info.path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
    })
  )
}

/** A star stands for all where it is alone, as validation has it. */
function has(list: readonly string[], value: string): boolean {
  return (list.length === 1 && list[0] === '*') || list.includes(value)
}
