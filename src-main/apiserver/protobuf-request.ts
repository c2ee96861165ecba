/** Requests with protobuf bodies, as the same requests in JSON: so that nothing behind the port knows of protobuf. */
import { encodeJson } from '../api/json.ts'
import { decodeProtobuf, protobufMediaType, ProtobufError, type ProtobufFacts } from '../api/protobuf.ts'
import { badRequest } from '../api/status-error.ts'
import type { ApiRequest } from '../api/request.ts'

let facts: Promise<ProtobufFacts> | undefined

/** Loaded with the first such request: 150 kB that many clusters never need. */
async function loadFacts(): Promise<ProtobufFacts> {
  const loaded = await import('../../resources/schema/protobuf.json', { with: { type: 'json' } })
  return loaded.default as unknown as ProtobufFacts
}

/** The request itself when it carries no protobuf. Throws 400 for a body that cannot be read. */
export async function withoutProtobuf(request: ApiRequest): Promise<ApiRequest> {
  const type = request.headers['content-type']
  if (type === undefined || !request.body || !('bytes' in request.body) || type.split(';')[0]?.trim().toLowerCase() !== protobufMediaType) return request
  try {
    const object = decodeProtobuf(request.body.bytes, await (facts ??= loadFacts()))
    return { ...request, headers: { ...request.headers, 'content-type': 'application/json' }, body: { bytes: encodeJson(object) } }
  } catch (fault) {
    if (fault instanceof ProtobufError) throw badRequest(fault.message)
    throw fault
  }
}
