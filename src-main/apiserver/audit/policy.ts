/** Audit policies (audit.k8s.io/v1): how much is written of which request. The first rule that matches decides. Pure. */
import { isObject } from '../../api/json.ts'
import { parseYaml } from '../../api/yaml.ts'
import type { UserInfo } from '../../api/request.ts'
import type { RequestInfo } from '../contracts.ts'

export const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
export type AuditLevel = (typeof levels)[number]
export const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditStage = (typeof stages)[number]

export interface AuditDecision {
  readonly level: AuditLevel
  readonly omitStages: readonly AuditStage[]
  readonly omitManagedFields: boolean
}

/** Decides for a request; `user` is undefined where nobody could be authenticated. */
export type AuditPolicy = (info: RequestInfo, user: UserInfo | undefined) => AuditDecision

interface GroupResources {
  readonly group: string
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
}
interface Rule {
  readonly decision: AuditDecision
  readonly users: readonly string[]
  readonly userGroups: readonly string[]
  readonly verbs: readonly string[]
  readonly resources: readonly GroupResources[]
  readonly namespaces: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

const nothing: AuditDecision = { level: 'None', omitStages: [], omitManagedFields: false }

/** The policy of a text (YAML or JSON). Throws Error with a sentence for people. */
export function parseAuditPolicy(text: string): AuditPolicy {
  const [document] = parseYaml(text)
  if (!isObject(document) || document['kind'] !== 'Policy' || document['apiVersion'] !== 'audit.k8s.io/v1')
    throw new Error('the audit policy must be an object of kind Policy and apiVersion audit.k8s.io/v1')
  if (!Array.isArray(document['rules']) || document['rules'].length === 0) throw new Error('the audit policy has no rules')
  const always = stagesOf(document['omitStages'], 'omitStages')
  const omitManagedFields = document['omitManagedFields'] === true
  const rules = document['rules'].map((rule: unknown, i) => ruleOf(rule, `rules[${i}]`, always, omitManagedFields))
  return (info, user) => rules.find(rule => matches(rule, info, user))?.decision ?? nothing
}

function ruleOf(given: unknown, at: string, always: readonly AuditStage[], omitManagedFields: boolean): Rule {
  if (!isObject(given)) throw new Error(`audit policy: ${at} must be an object`)
  const level = levels.find(one => one === given['level'])
  if (!level) throw new Error(`audit policy: ${at}.level must be one of ${levels.join(', ')}`)
  const texts = (name: string): string[] => textsOf(given[name], `${at}.${name}`)
  const rule: Rule = {
    decision: {
      level,
      omitStages: [...always, ...stagesOf(given['omitStages'], `${at}.omitStages`)],
      omitManagedFields: typeof given['omitManagedFields'] === 'boolean' ? given['omitManagedFields'] : omitManagedFields,
    },
    users: texts('users'),
    userGroups: texts('userGroups'),
    verbs: texts('verbs'),
    namespaces: texts('namespaces'),
    nonResourceURLs: texts('nonResourceURLs'),
    resources: resourcesOf(given['resources'], `${at}.resources`),
  }
  if (rule.nonResourceURLs.length > 0 && (rule.resources.length > 0 || rule.namespaces.length > 0))
    throw new Error(`audit policy: ${at} may not name both resources or namespaces and nonResourceURLs`)
  return rule
}

function textsOf(value: unknown, at: string): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(one => typeof one === 'string')) throw new Error(`audit policy: ${at} must be a list of texts`)
  return value
}

function stagesOf(value: unknown, at: string): AuditStage[] {
  return textsOf(value, at).map(text => {
    const stage = stages.find(one => one === text)
    if (!stage) throw new Error(`audit policy: ${at} may name ${stages.join(', ')}`)
    return stage
  })
}

function resourcesOf(value: unknown, at: string): GroupResources[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Error(`audit policy: ${at} must be a list`)
  return value.map((one: unknown, i) => {
    if (!isObject(one)) throw new Error(`audit policy: ${at}[${i}] must be an object`)
    const group = one['group'] ?? ''
    if (typeof group !== 'string') throw new Error(`audit policy: ${at}[${i}].group must be a text`)
    const resources = textsOf(one['resources'], `${at}[${i}].resources`)
    const resourceNames = textsOf(one['resourceNames'], `${at}[${i}].resourceNames`)
    if (resourceNames.length > 0 && resources.length === 0) throw new Error(`audit policy: ${at}[${i}].resourceNames need resources`)
    return { group, resources, resourceNames }
  })
}

function matches(rule: Rule, info: RequestInfo, user: UserInfo | undefined): boolean {
  if (rule.users.length > 0 && !(user && rule.users.includes(user.name))) return false
  if (rule.userGroups.length > 0 && !(user?.groups.some(group => rule.userGroups.includes(group)) ?? false)) return false
  if (rule.verbs.length > 0 && !rule.verbs.includes(info.verb)) return false
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return matchesResource(rule, info)
  if (rule.nonResourceURLs.length > 0) return !info.isResource && rule.nonResourceURLs.some(url => matchesPath(url, info.path))
  return true
}

function matchesPath(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')))
}

function matchesResource(rule: Rule, info: RequestInfo): boolean {
  if (!info.isResource) return false
  if (rule.namespaces.length > 0 && !rule.namespaces.includes(info.namespace)) return false
  if (rule.resources.length === 0) return true
  const whole = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`
  return rule.resources.some(
    ({ group, resources, resourceNames }) =>
      (group === info.group || group === '*') &&
      (resources.length === 0 ||
        ((resourceNames.length === 0 || resourceNames.includes(info.name)) &&
          resources.some(
            one => one === '*' || one === whole || (info.subresource !== '' && one === `*/${info.subresource}`) || (one.endsWith('/*') && one.slice(0, -2) === info.resource),
          ))),
  )
}
