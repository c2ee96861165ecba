/** The words in which Kubernetes refuses. */
import { forbidden, type StatusError } from '../../api/status-error.ts'
import type { Attributes } from '../contracts.ts'

/** 403 for a request that no authorizer allowed; `reason` may be empty. */
export function forbiddenError(attributes: Attributes, reason: string): StatusError {
  const message = forbiddenMessage(attributes) + (reason === '' ? '' : `: ${reason}`)
  return attributes.isResource ? forbidden(attributes.group, attributes.resource, attributes.name, message) : forbidden('', '', '', message)
}

/** `User "u" cannot get resource "pods" in API group "" in the namespace "n"`. */
export function forbiddenMessage(attributes: Attributes): string {
  const user = JSON.stringify(attributes.user.name)
  if (!attributes.isResource) return `User ${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`
  const resource = attributes.subresource === '' ? attributes.resource : `${attributes.resource}/${attributes.subresource}`
  const where = attributes.namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(attributes.namespace)}`
  return `User ${user} cannot ${attributes.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(attributes.group)} ${where}`
}
