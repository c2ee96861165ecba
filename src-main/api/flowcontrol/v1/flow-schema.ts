import flowSchemaFacts from '../../../../resources/bootstrap/flow-schemas.json' with { type: 'json' }
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { FlowSchema, FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject } from '../../generated/flowcontrol-v1.ts'
import { deepEqual } from '../../json.ts'
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts'
import { nameFaults, subdomainFaults } from '../../validation.ts'
import { flowConditionsFaults } from './flow-conditions.ts'

export type { FlowSchema }

const defaultPrecedence = 1000
const maxPrecedence = 10_000
const methods = ['ByNamespace', 'ByUser']
const verbs = ['get', 'list', 'create', 'update', 'delete', 'deletecollection', 'patch', 'watch', 'proxy']
const namespaceIntroduction = "each member of this list must be '*' or a DNS-1123 label; "
/** The two schemas that no one may change. */
const mandatory = new Set(['exempt', 'catch-all'])

function specFaults(name: string, spec: FlowSchemaSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const precedence = spec.matchingPrecedence ?? 0
  const path = at.child('matchingPrecedence')
  if (precedence <= 0) faults.push(invalidValue(path, precedence, 'must be a positive value'))
  if (precedence > maxPrecedence) faults.push(invalidValue(path, precedence, `must not be greater than ${maxPrecedence}`))
  if (precedence === 1 && name !== 'exempt') faults.push(invalidValue(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
  const method = spec.distinguisherMethod
  if (method !== undefined && !methods.includes(method.type)) faults.push(notSupported(at.child('distinguisherMethod', 'type'), { Type: method.type }, methods))
  const level = at.child('priorityLevelConfiguration', 'name')
  const levelName = spec.priorityLevelConfiguration?.name
  if (!levelName) faults.push(required(level, 'must reference a priority level'))
  else faults.push(...subdomainFaults(levelName, level))
  return [...faults, ...(spec.rules ?? []).flatMap((rule, i) => ruleFaults(rule, at.child('rules').index(i)))]
}

function ruleFaults(rule: PolicyRulesWithSubjects, at: FieldPath): FieldErrorList {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rule
  const faults = (subjects ?? []).flatMap((subject, i) => subjectFaults(subject, at.child('subjects').index(i)))
  if ((subjects ?? []).length === 0) faults.push(required(at.child('subjects'), 'subjects must contain at least one value'))
  if (resourceRules.length === 0 && nonResourceRules.length === 0) faults.push(required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty'))
  return [
    ...faults,
    ...resourceRules.flatMap((one, i) => resourceRuleFaults(one, at.child('resourceRules').index(i))),
    ...nonResourceRules.flatMap((one, i) => nonResourceRuleFaults(one, at.child('nonResourceRules').index(i))),
  ]
}

const subjectFields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const

function subjectFaults(subject: Subject, at: FieldPath): FieldErrorList {
  const kind = subject.kind as keyof typeof subjectFields
  const field = Object.hasOwn(subjectFields, kind) ? subjectFields[kind] : undefined
  if (field === undefined) return [notSupported(at.child('kind'), subject.kind ?? '', Object.keys(subjectFields))]
  const faults: FieldErrorList = []
  const named = subject[field]
  if (named === undefined) faults.push(required(at.child(field), `${field} is required when subject kind is '${kind}'`))
  else if (field === 'serviceAccount') faults.push(...serviceAccountFaults(subject, at.child(field)))
  else if (!named.name) faults.push(required(at.child(field, 'name'), ''))
  for (const [otherKind, other] of Object.entries(subjectFields)) {
    if (other !== field && subject[other] !== undefined) faults.push(forbiddenField(at.child(other), `${other} is forbidden when subject kind is not '${otherKind}'`))
  }
  return faults
}

function serviceAccountFaults({ serviceAccount }: Subject, at: FieldPath): FieldErrorList {
  const { name = '', namespace = '' } = serviceAccount ?? {}
  const faults: FieldErrorList = []
  if (name === '') faults.push(required(at.child('name'), ''))
  else if (name !== '*') faults.push(...nameFaults(name, at.child('name'), isDns1123Subdomain))
  if (namespace === '') faults.push(required(at.child('namespace'), 'must specify namespace for service account'))
  else faults.push(...nameFaults(namespace, at.child('namespace'), isDns1123Label))
  return faults
}

function verbsFaults(given: readonly string[] | undefined, path: FieldPath): FieldErrorList {
  if (given === undefined || given.length === 0) return [required(path, 'verbs must contain at least one value')]
  if (given.includes('*')) return given.length > 1 ? [invalidValue(path, given, "if '*' is present, must not specify other verbs")] : []
  return given.every(verb => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)]
}

/** A list that is not empty, in which a `*` stands alone. */
function listFaults(given: readonly string[] | undefined, path: FieldPath, what: string, none: string): FieldErrorList {
  if (given === undefined || given.length === 0) return [required(path, none)]
  return given.length > 1 && given.includes('*') ? [invalidValue(path, given, `if '*' is present, must not specify other ${what}`)] : []
}

function nonResourceRuleFaults(rule: NonResourcePolicyRule, at: FieldPath): FieldErrorList {
  const path = at.child('nonResourceURLs')
  const faults = [...verbsFaults(rule.verbs, at.child('verbs')), ...listFaults(rule.nonResourceURLs, path, 'non-resource URLs', 'nonResourceURLs must contain at least one value')]
  if (rule.nonResourceURLs?.includes('*')) return faults
  return [...faults, ...(rule.nonResourceURLs ?? []).flatMap((url, i) => urlFaults(url, path.index(i)))]
}

function urlFaults(url: string, path: FieldPath): FieldErrorList {
  if (url === '') return [invalidValue(path, url, 'must not be empty')]
  if (url === '/') return []
  if (!url.startsWith('/')) return [invalidValue(path, url, 'must start with slash')]
  if (url.includes(' ')) return [invalidValue(path, url, 'must not contain white-space')]
  if (url.includes('//')) return [invalidValue(path, url, 'must not contain double slash')]
  const wildcards = url.split('*').length - 1
  return wildcards > 1 || (wildcards === 1 && !url.endsWith('/*')) ? [invalidValue(path, url, 'wildcard can only do suffix matching')] : []
}

function resourceRuleFaults(rule: ResourcePolicyRule, at: FieldPath): FieldErrorList {
  const path = at.child('namespaces')
  const faults = [
    ...verbsFaults(rule.verbs, at.child('verbs')),
    ...listFaults(rule.apiGroups, at.child('apiGroups'), 'api groups', 'resource rules must supply at least one api group'),
    ...listFaults(rule.resources, at.child('resources'), 'resources', 'resource rules must supply at least one resource'),
  ]
  const namespaces = rule.namespaces ?? []
  if (namespaces.length === 0 && rule.clusterScope !== true) faults.push(required(path, 'resource rules that are not cluster scoped must supply at least one namespace'))
  else if (namespaces.includes('*')) faults.push(...listFaults(namespaces, path, 'namespaces', ''))
  else
    for (const [i, namespace] of namespaces.entries())
      faults.push(...isDns1123Label(namespace).map(text => invalidValue(path.index(i), namespace, `${namespaceIntroduction}${text}`)))
  return faults
}

/** The mandatory schemas have one spec. */
function fixedFaults(schema: FlowSchema, at: FieldPath): FieldErrorList {
  const name = schema.metadata.name ?? ''
  if (!mandatory.has(name)) return []
  const fixed = flowSchemaFacts.find(one => one.metadata.name === name)
  return deepEqual(schema.spec, fixed?.spec) ? [] : [invalidValue(at.child('spec'), schema.spec, `spec of '${name}' must equal the fixed value`)]
}

export const flowSchemas = defineResource<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  scope: 'Cluster',
  schema: 'io.k8s.api.flowcontrol.v1.FlowSchema',
  subresources: { status: true },
  generation: true,
  columns: [
    nameColumn(),
    { name: 'PriorityLevel', type: 'string', value: s => s.spec?.priorityLevelConfiguration?.name ?? '' },
    { name: 'MatchingPrecedence', type: 'string', value: s => s.spec?.matchingPrecedence ?? 0 },
    { name: 'DistinguisherMethod', type: 'string', value: s => s.spec?.distinguisherMethod?.type ?? none },
    ageColumn(),
    { name: 'MissingPL', type: 'string', value: s => s.status?.conditions?.find(condition => condition.type === 'Dangling')?.status ?? '?' },
  ],
  menu: { area: 'access', order: 80 },
  setDefaults(schema) {
    if (schema.spec !== undefined) schema.spec.matchingPrecedence ||= defaultPrecedence
    else (schema as { spec: Partial<FlowSchemaSpec> }).spec = { matchingPrecedence: defaultPrecedence }
  },
  prepareForCreate(schema) {
    schema.status = {}
  },
  validate: (schema, at) => [
    ...specFaults(schema.metadata.name ?? '', schema.spec ?? {}, at.child('spec')),
    ...fixedFaults(schema, at),
    ...flowConditionsFaults(schema.status?.conditions, at.child('status')),
  ],
  validateStatusUpdate: (next, _previous, at) => flowConditionsFaults(next.status?.conditions, at.child('status')),
})
