/** Requests that speak protobuf: the tables are loaded before anything needs them, and bodies become plain objects. */
import type { ApiRequest } from '../../api/request.ts'
import type { AnyResource } from '../../api/resource.ts'
import { badRequest, requestTooLarge, unsupportedMediaType } from '../../api/status-error.ts'
import { decodeProtobuf, hasMagic, protobufMediaType } from './protobuf.ts'
import { ProtobufError } from './read.ts'
import { loadTables } from './tables.ts'

/** As for other bodies: 3 MiB. */
const MAX_BODY_BYTES = 3 * 1024 * 1024

function isProtobuf(header: string | undefined): boolean {
  return header !== undefined && header.split(';')[0]?.trim().toLowerCase() === protobufMediaType
}

/** Resolves once everything that the request needs to speak protobuf is there; undefined when it does not. */
export function prepareProtobuf(request: ApiRequest): Promise<unknown> | undefined {
  const { accept } = request.headers
  return accept?.includes(protobufMediaType) === true || isProtobuf(request.headers['content-type']) ? loadTables() : undefined
}

/** The request with a plain object for a body in protobuf, else itself. Throws 400, 413 and 415. `resource` is what the path names. */
export function withoutProtobuf(request: ApiRequest, resource: AnyResource | undefined): ApiRequest {
  if (!isProtobuf(request.headers['content-type']) || !request.body || !('bytes' in request.body)) return request
  const { bytes } = request.body
  if (bytes.length > MAX_BODY_BYTES) throw requestTooLarge(`limit is ${MAX_BODY_BYTES}`)
  if (resource && typeof resource.schema !== 'string') throw unsupportedMediaType(['application/json', 'application/yaml'])
  try {
    return { ...request, headers: { ...request.headers, 'content-type': 'application/json' }, body: { object: decodeProtobuf(bytes) } }
  } catch (fault) {
    if (!(fault instanceof ProtobufError)) throw fault
    throw badRequest(hasMagic(bytes) ? fault.message : notAnObject(bytes, fault.message, resource))
  }
}

function notAnObject(bytes: Uint8Array, message: string, resource: AnyResource | undefined): string {
  const kind = resource ? ` (must be of type ${resource.kind})` : ''
  return `the object provided is unrecognized${kind}: ${message} (${shown(bytes)})`
}

/** Bytes of a body that a refusal shows, as upstream. */
const SHOWN_BYTES = 30

function shown(bytes: Uint8Array): string {
  const part = new TextDecoder().decode(bytes.subarray(0, SHOWN_BYTES))
  return bytes.length > SHOWN_BYTES ? `${part} ...` : part
}
