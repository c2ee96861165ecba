/** Bodies of requests: limits, media types, decoding into the kind of the request. */
import { cloneJson, isObject, parseJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion, parseGroupVersion } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { badRequest, requestTooLarge, unsupportedMediaType } from '../../api/status-error.ts'
import { decodeBody, decodeObject } from '../../api/decode.ts'
import { parseYaml } from '../../api/yaml.ts'
import type { ApiRequest } from '../../api/request.ts'
import type { Call } from './call.ts'
import { warn } from './call.ts'
import { contentTypeOf } from './negotiation.ts'

/** As upstream: 3 MiB. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024

/** Media types that stand before and after the list in the text of a 415. */
const accepted = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

/** Throws requestTooLarge. */
export function checkBodySize(request: ApiRequest): void {
  if (request.body && 'bytes' in request.body && request.body.bytes.length > MAX_BODY_BYTES) throw requestTooLarge(`limit is ${MAX_BODY_BYTES}`)
}

/** `application/json` where the request does not say. Throws a 415. */
export function objectContentType(request: ApiRequest): string {
  const type = contentTypeOf(request.headers['content-type'])
  if (type === '') return 'application/json'
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted)
  return type
}

/** The body as an object of the kind, with defaults; the caller's own to alter. Throws. */
export function readObject(call: Call, r: AnyResource, fieldValidation: 'Strict' | 'Warn' | 'Ignore'): KubernetesObject {
  const { request } = call
  checkBodySize(request)
  if (request.body && 'object' in request.body) return ownObject(r, request.body.object)
  const { object, warnings } = decodeBody(request.body?.bytes ?? new Uint8Array(), objectContentType(request), r, fieldValidation)
  for (const text of warnings) warn(call, text)
  return prepared(r, object as KubernetesObject)
}

function ownObject(r: AnyResource, given: unknown): KubernetesObject {
  if (!isObject(given)) throw badRequest(`the object provided is unrecognized (must be of type ${r.kind})`)
  return prepared(r, decodeObject(given, r).object)
}

/** Gives a decoded object its metadata and the kind's defaults, in place. */
export function prepared(r: AnyResource, object: KubernetesObject): KubernetesObject {
  object.metadata ??= {}
  object.apiVersion ||= groupVersion(r.group, r.version)
  object.kind ||= r.kind
  r.setDefaults?.(object)
  return object
}

/** Any body as a plain value, for subresources and delete options; undefined when empty. */
export function readPlain(request: ApiRequest): unknown {
  checkBodySize(request)
  if (!request.body) return undefined
  if ('object' in request.body) return cloneJson(request.body.object)
  if (request.body.bytes.length === 0) return undefined
  const type = objectContentType(request)
  try {
    if (type === 'application/yaml') return parseYaml(new TextDecoder().decode(request.body.bytes))[0]
    return parseJson(request.body.bytes)
  } catch (fault) {
    throw badRequest(`couldn't get version/kind; json parse error: ${fault instanceof Error ? fault.message : String(fault)}`)
  }
}

/** Throws badRequest for a body whose group does not belong to the request. */
export function checkGroupVersion(r: AnyResource, object: KubernetesObject): void {
  const { group, version } = parseGroupVersion(object.apiVersion)
  if (group === r.group && version === r.version && object.kind === r.kind) return
  throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${groupVersion(r.group, r.version)})`)
}

/** Throws badRequest where the body's namespace is not the request's; fills it in. */
export function checkNamespace(call: Call, object: KubernetesObject): void {
  const asked = call.info.namespace
  if (call.resource.scope !== 'Namespaced') return
  if (object.metadata.namespace && asked !== '' && object.metadata.namespace !== asked) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  if (asked !== '') object.metadata.namespace = asked
}
