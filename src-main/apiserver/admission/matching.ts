/**
 * Which requests a webhook or policy is about: rules, namespace and object selectors, and (matchPolicy Equivalent) other
 * versions and groups of the same kind. Used by all that is configured at run time.
 */
import type { KubernetesObject, LabelSelector } from '../../api/meta.ts'
import type { NamedRuleWithOperations, RuleWithOperations } from '../../api/generated/admissionregistration-v1.ts'
import type { AnyResource } from '../../api/resource.ts'
import { storedAs } from '../../api/resource.ts'
import { isEmptyLabelSelector, labelSelectorMatches } from '../../api/selectors.ts'
import { notFound } from '../../api/status-error.ts'
import type { AdmissionAttributes } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

export interface Matching {
  /** The declaration in whose version the request is to be shown, or undefined where no rule is about it. */
  byRules(a: AdmissionAttributes, rules: readonly (RuleWithOperations | NamedRuleWithOperations)[] | undefined, policy: string | undefined): AnyResource | undefined
  /** Throws notFound where the request's namespace is gone. */
  byNamespace(a: AdmissionAttributes, selector: LabelSelector | undefined): boolean
  byObject(a: AdmissionAttributes, selector: LabelSelector | undefined): boolean
  /** The request's namespace; undefined for cluster-scoped objects and namespaces. */
  namespaceOf(a: AdmissionAttributes): KubernetesObject | undefined
}

export interface MatchingOptions {
  readonly copies: LiveCopies
  readonly resources: () => readonly AnyResource[]
}

/** Configuration of admission itself: a webhook or policy that broke could otherwise never be repaired. */
const exemptConfigurations: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

/** Reviews: their interception may break the cluster. */
const exemptReviews: ReadonlySet<string> = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
])

/** True for requests that nothing configured at run time may see. */
export function isExempt({ resource: r }: AdmissionAttributes): boolean {
  return (r.group === 'admissionregistration.k8s.io' && exemptConfigurations.has(r.plural)) || exemptReviews.has(`${r.group}/${r.plural}`)
}

function has(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes('*') || list.includes(value))
}

function resourceMatches(resources: readonly string[] | undefined, plural: string, subresource: string): boolean {
  return (resources ?? []).some(wanted => {
    const slash = wanted.indexOf('/')
    const [name, sub] = slash < 0 ? [wanted, ''] : [wanted.slice(0, slash), wanted.slice(slash + 1)]
    return (name === '*' || name === plural) && (sub === '*' || sub === subresource)
  })
}

function ruleMatches(rule: RuleWithOperations | NamedRuleWithOperations, a: AdmissionAttributes, r: AnyResource): boolean {
  const clusterScoped = r.scope === 'Cluster'
  const inScope = rule.scope === undefined || rule.scope === '*' || (rule.scope === 'Cluster') === clusterScoped
  const named = 'resourceNames' in rule && (rule.resourceNames?.length ?? 0) > 0 ? (rule.resourceNames ?? []).includes(a.name) : true
  return (
    inScope &&
    has(rule.operations, a.operation) &&
    has(rule.apiGroups, r.group) &&
    has(rule.apiVersions, r.version) &&
    resourceMatches(rule.resources, r.plural, a.subresource) &&
    named
  )
}

const isNamespaces = ({ resource: r }: AdmissionAttributes): boolean => r.group === '' && r.plural === 'namespaces'

export function createMatching({ copies, resources }: MatchingOptions): Matching {
  const namespaces = copies.of(places.namespaces)
  let known: { list: readonly AnyResource[]; byStorage: Map<AnyResource, AnyResource[]> } = { list: [], byStorage: new Map() }

  /** Other declarations whose objects are the same ones. */
  function equivalents(r: AnyResource): readonly AnyResource[] {
    const list = resources()
    if (list !== known.list) {
      const byStorage = new Map<AnyResource, AnyResource[]>()
      for (const one of list) byStorage.set(storedAs(one), [...(byStorage.get(storedAs(one)) ?? []), one])
      known = { list, byStorage }
    }
    return (known.byStorage.get(storedAs(r)) ?? []).filter(one => one !== r)
  }

  function namespaceLabels(a: AdmissionAttributes): Readonly<Record<string, string>> | undefined {
    if (isNamespaces(a)) {
      if (a.subresource === '' && (a.operation === 'CREATE' || a.operation === 'UPDATE')) return a.object?.metadata.labels
      return (namespaces.get('', a.name) ?? a.previous)?.metadata.labels
    }
    const found = namespaces.get('', a.namespace)
    if (!found) throw notFound('', 'namespaces', a.namespace)
    return found.metadata.labels
  }

  return {
    byRules(a, rules, policy) {
      const all = rules ?? []
      if (all.some(rule => ruleMatches(rule, a, a.resource))) return a.resource
      if (policy === 'Exact') return undefined
      return equivalents(a.resource).find(other => all.some(rule => ruleMatches(rule, a, other)))
    },
    byNamespace(a, selector) {
      if (!selector || isEmptyLabelSelector(selector)) return true
      if (a.namespace === '' && !isNamespaces(a)) return true
      return labelSelectorMatches(selector, namespaceLabels(a))
    },
    byObject(a, selector) {
      if (!selector || isEmptyLabelSelector(selector)) return true
      return [a.object, a.previous].some(object => object?.metadata !== undefined && labelSelectorMatches(selector, object.metadata.labels))
    },
    namespaceOf(a) {
      if (a.namespace === '' || isNamespaces(a)) return undefined
      const found = namespaces.get('', a.namespace)
      if (!found) throw notFound('', 'namespaces', a.namespace)
      return found
    },
  }
}
