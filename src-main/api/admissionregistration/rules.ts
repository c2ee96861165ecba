/** Faults of what webhooks and policies match: rules, selectors, conditions. */
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooMany } from '../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../field-errors.ts'
import type { MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef, RuleWithOperations } from '../generated/admissionregistration-v1.ts'
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName, isQualifiedName } from '../names.ts'
import { validateLabelSelector } from '../selectors.ts'
import { admissionEnvironment, compileExpression, givesBool } from './expressions.ts'

export const failurePolicies = ['Fail', 'Ignore']
export const matchPolicies = ['Equivalent', 'Exact']
export const reinvocationPolicies = ['IfNeeded', 'Never']
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']
const maxMatchConditions = 64

/** A value of a closed set; nothing is said where it is missing. */
export function oneOf(value: string | undefined, options: readonly string[], at: FieldPath): FieldErrorList {
  return value === undefined || value === null || options.includes(value) ? [] : [notSupported(at, value, options)]
}

function resourceFaults(resources: readonly string[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = resources.length === 0 ? [required(at, '')] : []
  const wildSubresources = new Set<string>()
  const wildResources = new Set<string>()
  let plainResource = false
  for (const [i, resource] of resources.entries()) {
    if (resource === '') {
      faults.push(required(at.index(i), ''))
      continue
    }
    const slash = resource.indexOf('/')
    if (slash < 0) {
      plainResource = resource !== '*'
      continue
    }
    const [name, sub] = [resource.slice(0, slash), resource.slice(slash + 1)]
    if (wildSubresources.has(name)) faults.push(invalidValue(at.index(i), resource, `if '${name}/*' is present, must not specify ${resource}`))
    if (wildResources.has(sub)) faults.push(invalidValue(at.index(i), resource, `if '*/${sub}' is present, must not specify ${resource}`))
    if (sub === '*') wildSubresources.add(name)
    if (name === '*') wildResources.add(sub)
  }
  if (resources.length > 1 && resources.includes('*/*')) faults.push(invalidValue(at, [...resources], "if '*/*' is present, must not specify other resources"))
  if (resources.includes('*') && plainResource) faults.push(invalidValue(at, [...resources], "if '*' is present, must not specify other resources without subresources"))
  return faults
}

export function ruleFaults(rule: RuleWithOperations | NamedRuleWithOperations, at: FieldPath): FieldErrorList {
  const { operations: verbs = [], apiGroups = [], apiVersions = [], resources = [] } = rule
  const faults: FieldErrorList = []
  if (verbs.length === 0) faults.push(required(at.child('operations'), ''))
  if (verbs.length > 1 && verbs.includes('*')) faults.push(invalidValue(at.child('operations'), [...verbs], "if '*' is present, must not specify other operations"))
  for (const [i, verb] of verbs.entries()) faults.push(...oneOf(verb, operations, at.child('operations').index(i)))
  if (apiGroups.length === 0) faults.push(required(at.child('apiGroups'), ''))
  if (apiGroups.length > 1 && apiGroups.includes('*')) faults.push(invalidValue(at.child('apiGroups'), [...apiGroups], "if '*' is present, must not specify other API groups"))
  if (apiVersions.length === 0) faults.push(required(at.child('apiVersions'), ''))
  if (apiVersions.length > 1 && apiVersions.includes('*'))
    faults.push(invalidValue(at.child('apiVersions'), [...apiVersions], "if '*' is present, must not specify other API versions"))
  for (const [i, version] of apiVersions.entries()) if (version === '') faults.push(required(at.child('apiVersions').index(i), ''))
  faults.push(...resourceFaults(resources, at.child('resources')), ...oneOf(rule.scope, scopes, at.child('scope')))
  return faults
}

function namedRuleFaults(rule: NamedRuleWithOperations, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, name] of (rule.resourceNames ?? []).entries()) {
    for (const text of isPathSegmentName(name)) faults.push(invalidValue(at.child('resourceNames').index(i), name, text))
    if (seen.has(name)) faults.push(duplicate(at.child('resourceNames').index(i), name))
    seen.add(name)
  }
  return [...faults, ...ruleFaults(rule, at)]
}

export function matchResourcesFaults(match: MatchResources | undefined, at: FieldPath): FieldErrorList {
  if (!match) return []
  return [
    ...(match.matchPolicy === undefined ? [required(at.child('matchPolicy'), '')] : oneOf(match.matchPolicy, matchPolicies, at.child('matchPolicy'))),
    ...(match.namespaceSelector ? validateLabelSelector(match.namespaceSelector, at.child('namespaceSelector')) : [required(at.child('namespaceSelector'), '')]),
    ...(match.objectSelector ? validateLabelSelector(match.objectSelector, at.child('objectSelector')) : [required(at.child('objectSelector'), '')]),
    ...(match.resourceRules ?? []).flatMap((rule, i) => namedRuleFaults(rule, at.child('resourceRules').index(i))),
    ...(match.excludeResourceRules ?? []).flatMap((rule, i) => namedRuleFaults(rule, at.child('excludeResourceRules').index(i))),
  ]
}

/** Fills in what a MatchResources leaves out, in place. */
export function setMatchDefaults(match: MatchResources | undefined): void {
  if (!match) return
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*'
}

export function matchConditionFaults(conditions: readonly MatchCondition[] | undefined, params: boolean, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const names = new Set<string>()
  const all = conditions ?? []
  if (all.length > maxMatchConditions) faults.push(tooMany(at, all.length, maxMatchConditions))
  const environment = admissionEnvironment({ params, authorizer: true, patch: false })
  for (const [i, { name, expression }] of all.entries()) {
    const trimmed = (expression ?? '').trim()
    const place = at.index(i)
    if (trimmed === '') faults.push(required(place.child('expression'), ''))
    else {
      const result = compileExpression(environment, trimmed, givesBool)
      if (typeof result === 'string') faults.push(invalidValue(place.child('expression'), trimmed, result))
    }
    if (!name) faults.push(required(place.child('name'), ''))
    else for (const text of isQualifiedName(name)) faults.push(invalidValue(place.child('name'), name, text))
    if (name && names.has(name)) faults.push(duplicate(place.child('name'), name))
    if (name) names.add(name)
  }
  return faults
}

export function paramKindFaults(kind: ParamKind | undefined, at: FieldPath): FieldErrorList {
  if (!kind) return []
  return [...apiVersionFaults(kind.apiVersion ?? '', at.child('apiVersion')), ...kindFaults(kind.kind ?? '', at.child('kind'))]
}

function apiVersionFaults(apiVersion: string, at: FieldPath): FieldErrorList {
  if (apiVersion === '') return [required(at, '')]
  const parts = apiVersion === '/' ? ['', ''] : apiVersion.split('/')
  if (parts.length > 2) return [invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
  const [group = '', version = ''] = parts.length === 1 ? ['', parts[0]] : parts
  const faults: FieldErrorList = []
  const groupFaults = group === '' ? [] : isDns1123Subdomain(group)
  if (groupFaults.length > 0) faults.push(invalidValue(at, group, groupFaults.join(',')))
  if (version === '') faults.push(invalidValue(at, apiVersion, 'version must be specified'))
  else {
    const versionFaults = isDns1035Label(version)
    if (versionFaults.length > 0) faults.push(invalidValue(at, version, versionFaults.join(',')))
  }
  return faults
}

function kindFaults(kind: string, at: FieldPath): FieldErrorList {
  if (kind === '') return [required(at, '')]
  const texts = isDns1035Label(kind.toLowerCase())
  return texts.length > 0 ? [invalidValue(at, kind, `may have mixed case, but should otherwise match: ${texts.join(',')}`)] : []
}

export function paramRefFaults(ref: ParamRef | undefined, at: FieldPath): FieldErrorList {
  if (!ref) return []
  const faults: FieldErrorList = []
  const exclusive = 'name and selector are mutually exclusive'
  if (ref.name) {
    for (const text of isPathSegmentName(ref.name)) faults.push(invalidValue(at.child('name'), ref.name, text))
    if (ref.selector) faults.push(forbiddenField(at.child('name'), exclusive))
  }
  if (ref.selector) {
    faults.push(...validateLabelSelector(ref.selector, at.child('selector')))
    if (ref.name) faults.push(forbiddenField(at.child('selector'), exclusive))
  }
  if (!ref.name && !ref.selector) faults.push(required(at, 'one of name or selector must be specified'))
  if (!ref.parameterNotFoundAction) faults.push(required(at.child('parameterNotFoundAction'), ''))
  else if (!['Deny', 'Allow'].includes(ref.parameterNotFoundAction)) faults.push(notSupported(at.child('parameterNotFoundAction'), ref.parameterNotFoundAction, ['Deny', 'Allow']))
  return faults
}
