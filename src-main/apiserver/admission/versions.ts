/** Shows a request's objects in the version that a webhook or policy asked for, and takes changes back. */
import { decodeObject } from '../../api/decode.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { internalError } from '../../api/status-error.ts'
import type { AdmissionAttributes } from '../contracts.ts'

async function convert(object: KubernetesObject, from: AnyResource, to: AnyResource): Promise<KubernetesObject> {
  if (from === to) return object
  await from.conversion?.prepare?.([object], 'toStored')
  const stored = from.conversion ? from.conversion.toStored(object) : object
  await to.conversion?.prepare?.([stored], 'fromStored')
  return to.conversion ? (to.conversion.fromStored(stored) as KubernetesObject) : stored
}

/** True where the object is of the resource itself, not the body of a subresource of another kind (Scale, Binding). */
function isOwnKind(object: KubernetesObject, r: AnyResource): boolean {
  return object.kind === r.kind
}

/** `object` of the request in the version of `to`. */
export async function shownAs(a: AdmissionAttributes, object: KubernetesObject | undefined, to: AnyResource): Promise<KubernetesObject | undefined> {
  if (!object || to === a.resource || !isOwnKind(object, a.resource)) return object
  return convert(object, a.resource, to)
}

/**
 * Makes a changed object (in the version of `from`) the request's: decoded by its kind, with defaults. `a.object` is replaced.
 * Throws internalError for what is no such object.
 */
export async function takeBack(a: AdmissionAttributes, changed: KubernetesObject, from: AnyResource): Promise<void> {
  const own = isOwnKind(changed, from)
  if (!own) {
    a.object = changed
    return
  }
  let decoded: KubernetesObject
  try {
    decoded = decodeObject(cloneJson(changed), from).object as KubernetesObject
  } catch (fault) {
    throw internalError(fault instanceof Error ? fault.message : String(fault))
  }
  decoded.metadata ??= {}
  from.setDefaults?.(decoded)
  a.object = await convert(decoded, from, a.resource)
}
