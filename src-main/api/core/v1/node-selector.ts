/** Matching of nodes by nodeSelector and node affinity terms. Pure. */
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../generated/core-v1.ts'

function requirementMatches(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
    case 'Lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value) || !/^[+-]?\d+$/.test(values[0] ?? '')) return false
      const difference = BigInt(value) - BigInt(values[0] ?? '0')
      return requirement.operator === 'Gt' ? difference > 0n : difference < 0n
    }
    default:
      return false
  }
}

/** An empty term matches nothing, as in Kubernetes. */
export function nodeTermMatches(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  if (expressions.length + fields.length === 0) return false
  return (
    expressions.every(r => requirementMatches(r, node.metadata.labels?.[r.key])) &&
    fields.every(r => requirementMatches(r, r.key === 'metadata.name' ? node.metadata.name : undefined))
  )
}

export function nodeSelectorMatches(selector: NodeSelector, node: Node): boolean {
  return selector.nodeSelectorTerms.some(term => nodeTermMatches(term, node))
}

/** nodeSelector and required node affinity of a pod. */
export function podAllowsNode(pod: Pod, node: Node): boolean {
  for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {})) if (node.metadata.labels?.[key] !== value) return false
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || nodeSelectorMatches(required, node)
}
