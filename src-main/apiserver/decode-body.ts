/** Bodies of subresources that carry a kind of their own. */
import { badRequest } from '../api/status-error.ts'
import { groupVersion } from '../api/meta.ts'

/** The body as an object of the wanted kind, metadata always there. Throws 400 for anything else. */
export function decodeObjectBody(body: unknown, wanted: { group: string; version: string; kind: string }): Record<string, unknown> {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw badRequest(`the object provided is not a ${wanted.kind}`)
  const object = body as Record<string, unknown>
  const apiVersion = object['apiVersion'] ?? groupVersion(wanted.group, wanted.version)
  const kind = object['kind'] ?? wanted.kind
  if (apiVersion !== groupVersion(wanted.group, wanted.version) || kind !== wanted.kind) {
    throw badRequest(
      `${String(kind)} in version ${JSON.stringify(String(apiVersion))} cannot be handled as a ${wanted.kind}: expected ${groupVersion(wanted.group, wanted.version)}, Kind=${wanted.kind}`,
    )
  }
  const spec = object['spec']
  return { ...object, apiVersion, kind, metadata: object['metadata'] ?? {}, spec: spec !== null && typeof spec === 'object' ? spec : {} }
}
