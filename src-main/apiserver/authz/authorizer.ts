/** The authorizers in order: system:masters, nodes, RBAC, and those that are configured. Nobody's opinion means no. */
import type { Attributes, Authorizer, Decision } from '../contracts.ts'
import type { LiveCopies } from '../live-copy.ts'
import { createNodeAuthorizer } from './node.ts'
import { createRbac, type Rbac } from './rbac.ts'

/** Allowed everything, whatever the roles say. */
export const mastersGroup = 'system:masters'

export interface AuthorizerParts {
  readonly authorizer: Authorizer
  readonly rbac: Rbac
}

export function createAuthorizer(copies: LiveCopies, others: readonly Authorizer[] = []): AuthorizerParts {
  const node = createNodeAuthorizer(copies)
  const rbac = createRbac(copies)
  const all = [node, rbac, ...others]
  const authorizer: Authorizer = {
    async authorize(attributes: Attributes): Promise<Decision> {
      if (attributes.user.groups.includes(mastersGroup)) return { allowed: true, reason: '' }
      const reasons: string[] = []
      for (const one of all) {
        const decision = await one.authorize(attributes)
        if (decision.allowed || decision.denied) return decision
        if (decision.reason !== '') reasons.push(decision.reason)
      }
      return { allowed: false, reason: reasons.join('\n') }
    },
    async rulesFor(user, namespace) {
      const parts = await Promise.all(all.map(one => one.rulesFor(user, namespace)))
      const isMaster = user.groups.includes(mastersGroup)
      const faults = parts.flatMap(part => part.evaluationError ?? [])
      return {
        resourceRules: [...(isMaster ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : []), ...parts.flatMap(part => part.resourceRules)],
        nonResourceRules: [...(isMaster ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : []), ...parts.flatMap(part => part.nonResourceRules)],
        incomplete: parts.some(part => part.incomplete),
        ...(faults.length > 0 ? { evaluationError: faults.join(', ') } : {}),
      }
    },
  }
  return { authorizer, rbac }
}
