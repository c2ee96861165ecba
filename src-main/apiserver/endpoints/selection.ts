/** Label and field selectors of a request as one question about an object. */
import type { KubernetesObject } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { parseFieldSelector, parseLabelSelector } from '../../api/selectors.ts'
import type { FieldRequirement } from '../../api/selectors.ts'
import { badRequest } from '../../api/status-error.ts'
import { groupResource } from '../registry/strategy-facts.ts'

export interface Selection {
  /** True when everything matches. */
  readonly isEverything: boolean
  matches(object: KubernetesObject): boolean
  /** The one name that can match, where a field selector names it. */
  readonly name: string | undefined
}

/** Throws badRequest for selectors that cannot be read or name fields the kind has not. */
export function selectionOf(r: AnyResource, labelSelector: string, fieldSelector: string): Selection {
  try {
    const labels = labelSelector.trim() === '' ? undefined : parseLabelSelector(labelSelector)
    const fields = parseFieldSelector(fieldSelector)
    for (const { field } of fields) checkField(r, field)
    return {
      isEverything: labels === undefined && fields.length === 0,
      matches: object => (labels === undefined || labels(object.metadata.labels ?? {})) && fields.every(term => fieldMatches(r, term, object)),
      name: fields.find(term => term.field === 'metadata.name' && term.op !== '!=')?.value,
    }
  } catch (fault) {
    if (fault instanceof Error && fault.name === 'SelectorError') throw badRequest(fault.message)
    throw fault
  }
}

function fieldMatches(r: AnyResource, term: FieldRequirement, object: KubernetesObject): boolean {
  return (fieldValue(r, term.field, object) === term.value) === (term.op !== '!=')
}

function fieldValue(r: AnyResource, field: string, object: KubernetesObject): string {
  if (field === 'metadata.name') return object.metadata.name ?? ''
  if (field === 'metadata.namespace') return object.metadata.namespace ?? ''
  const read = r.fields && Object.hasOwn(r.fields, field) ? r.fields[field] : undefined
  return read ? read(object) : ''
}

function checkField(r: AnyResource, field: string): void {
  if (field === 'metadata.name' || field === 'metadata.namespace') return
  if (r.fields && Object.hasOwn(r.fields, field)) return
  if (groupResource(r) === 'jobs.batch') throw badRequest(`field label ${JSON.stringify(field)} not supported for Job`)
  if (r.fields) throw badRequest(`field label not supported: ${field}`)
  throw badRequest(`${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`)
}
