/** Rules of RBAC: what they allow, whether some cover others, and how Kubernetes prints them. Pure. */
import type { PolicyRule } from '../../api/generated/rbac-v1.ts'
import type { RequestInfo } from '../contracts.ts'

export type { PolicyRule }

type Asked = Pick<RequestInfo, 'isResource' | 'path' | 'verb' | 'group' | 'resource' | 'subresource' | 'name'>

export function ruleAllows(rule: PolicyRule, asked: Asked): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(asked.verb)) return false
  if (!asked.isResource) return (rule.nonResourceURLs ?? []).some(url => urlMatches(url, asked.path))
  const groups = rule.apiGroups ?? []
  if (!groups.includes('*') && !groups.includes(asked.group)) return false
  if (!(rule.resources ?? []).some(resource => resourceMatches(resource, asked.resource, asked.subresource))) return false
  const names = rule.resourceNames ?? []
  return names.length === 0 || names.includes(asked.name)
}

function resourceMatches(rule: string, resource: string, subresource: string): boolean {
  if (rule === '*') return true
  if (subresource === '') return rule === resource
  return rule === `${resource}/${subresource}` || rule === `*/${subresource}`
}

function urlMatches(rule: string, path: string): boolean {
  return rule === '*' || rule === path || (rule.endsWith('*') && path.startsWith(rule.slice(0, -1)))
}

/** Breaks rules into the smallest ones: one group, resource, name (or URL) and verb each. */
function atoms(rule: PolicyRule): PolicyRule[] {
  const out: PolicyRule[] = []
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) out.push({ nonResourceURLs: [url], verbs: [verb] })
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const names = rule.resourceNames ?? []
        if (names.length === 0) out.push({ apiGroups: [group], resources: [resource], verbs: [verb] })
        for (const name of names) out.push({ apiGroups: [group], resources: [resource], resourceNames: [name], verbs: [verb] })
      }
    }
  }
  return out
}

function covers(owner: PolicyRule, atom: PolicyRule): boolean {
  const has = (set: readonly string[] | undefined, value: string | undefined): boolean => value !== undefined && (set?.includes('*') === true || set?.includes(value) === true)
  if (!has(owner.verbs, atom.verbs[0])) return false
  const url = atom.nonResourceURLs?.[0]
  if (url !== undefined) return (owner.nonResourceURLs ?? []).some(mine => urlMatches(mine, url))
  if (!has(owner.apiGroups, atom.apiGroups?.[0])) return false
  const resource = atom.resources?.[0] ?? ''
  const slash = resource.indexOf('/')
  const resourceCovered = has(owner.resources, resource) || (slash >= 0 && owner.resources?.includes(`*${resource.slice(slash)}`) === true)
  if (!resourceCovered) return false
  const names = owner.resourceNames ?? []
  const name = atom.resourceNames?.[0]
  return names.length === 0 || (name !== undefined && names.includes(name))
}

/** The parts of `wanted` that `held` does not cover, in small rules. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(atoms).filter(atom => !held.some(owner => covers(owner, atom)))
}

/** Joins the verbs of rules that speak of the same resource, as upstream does before printing them. */
function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const out: PolicyRule[] = []
  const simple = new Map<string, PolicyRule>()
  for (const rule of rules) {
    const isSimple = rule.apiGroups?.length === 1 && rule.resources?.length === 1 && (rule.resourceNames?.length ?? 0) <= 1 && (rule.nonResourceURLs?.length ?? 0) === 0
    if (!isSimple) {
      out.push(rule)
      continue
    }
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames])
    const known = simple.get(key)
    if (known)
      for (const verb of rule.verbs) {
        if (!known.verbs.includes(verb)) known.verbs.push(verb)
      }
    else {
      const copy = { ...rule, verbs: [...rule.verbs] }
      simple.set(key, copy)
      out.push(copy)
    }
  }
  return out
}

/** `["a" "b"]`, Go's %q of a list. */
export function quoteList(values: readonly string[]): string {
  return `[${values.map(value => JSON.stringify(value)).join(' ')}]`
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}` a line, sorted. */
export function describeRules(rules: readonly PolicyRule[]): string {
  const lines = compactRules(rules).map(rule => {
    const parts: string[] = []
    const add = (name: string, values: readonly string[] | undefined): void => {
      if (values && values.length > 0) parts.push(`${name}:${quoteList(values)}`)
    }
    add('APIGroups', rule.apiGroups)
    add('Resources', rule.resources)
    add('NonResourceURLs', rule.nonResourceURLs)
    add('ResourceNames', rule.resourceNames)
    add('Verbs', rule.verbs)
    return `{${parts.join(', ')}}`
  })
  return [...new Set(lines)].sort().join('\n')
}
