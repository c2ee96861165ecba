/** Policies and what binds them; which of them are about a request. */
import type { MatchResources } from '../../../api/generated/admissionregistration-v1.ts'
import type { KubernetesObject } from '../../../api/meta.ts'
import type { AnyResource } from '../../../api/resource.ts'
import type { AdmissionAttributes, Authorizer } from '../../contracts.ts'
import type { LiveCopies, LiveCopy } from '../../live-copy.ts'
import type { Matching } from '../matching.ts'

export interface PolicyOptions {
  readonly copies: LiveCopies
  readonly matching: Matching
  readonly authorizer: Authorizer
  readonly resources: () => readonly AnyResource[]
}

interface Bound extends KubernetesObject {
  spec?: { policyName?: string }
}

export interface Active<P, B> {
  readonly policy: P
  readonly bindings: readonly B[]
}

/** Policies that have bindings, both in order of names, made anew after changes. */
export function policiesWithBindings<P extends KubernetesObject, B extends Bound>(
  policies: LiveCopy<P>,
  bindings: LiveCopy<B>,
  order: (a: string, b: string) => number,
): () => readonly Active<P, B>[] {
  let made = [-1, -1]
  let active: readonly Active<P, B>[] = []
  const byName = (a: KubernetesObject, b: KubernetesObject): number => order(a.metadata.name ?? '', b.metadata.name ?? '')
  return () => {
    if (made[0] === policies.changes && made[1] === bindings.changes) return active
    made = [policies.changes, bindings.changes]
    const bound = Map.groupBy(bindings.list().sort(byName), binding => binding.spec?.policyName ?? '')
    active = policies
      .list()
      .sort(byName)
      .flatMap(policy => {
        const own = bound.get(policy.metadata.name ?? '')
        return own ? [{ policy, bindings: own }] : []
      })
    return active
  }
}

/** The declaration in whose version the policy sees the request; undefined where it is not about it. */
export function policyMatches(matching: Matching, a: AdmissionAttributes, match: MatchResources | undefined): AnyResource | undefined {
  if (!match || !selectorsMatch(matching, a, match) || isExcluded(matching, a, match)) return undefined
  return matching.byRules(a, match.resourceRules, match.matchPolicy)
}

/** A binding without rules takes all that its policy takes. */
export function bindingMatches(matching: Matching, a: AdmissionAttributes, match: MatchResources | undefined): boolean {
  if (!match) return true
  if (!selectorsMatch(matching, a, match) || isExcluded(matching, a, match)) return false
  return (match.resourceRules?.length ?? 0) === 0 || matching.byRules(a, match.resourceRules, match.matchPolicy) !== undefined
}

function selectorsMatch(matching: Matching, a: AdmissionAttributes, match: MatchResources): boolean {
  return matching.byNamespace(a, match.namespaceSelector) && matching.byObject(a, match.objectSelector)
}

function isExcluded(matching: Matching, a: AdmissionAttributes, match: MatchResources): boolean {
  return (match.excludeResourceRules?.length ?? 0) > 0 && matching.byRules(a, match.excludeResourceRules, match.matchPolicy) !== undefined
}
