/** Answers of handlers outside the registry (discovery, OpenAPI, version, subresources): a plain value in the form that was asked for. */
import { encodeJson } from '../api/json.ts'
import { stringifyYaml } from '../api/yaml.ts'
import type { ApiRequest, ApiResponse } from '../api/request.ts'
import { encodeProtobuf, protobufMediaType } from './protobuf/protobuf.ts'
import { bytesResponse } from './endpoints/respond.ts'

const encoder = new TextEncoder()

/** Which of YAML and protobuf is asked for before JSON. Other forms than the object's own are not for these answers. */
function wantedInsteadOfJson(accept: string): 'application/yaml' | typeof protobufMediaType | undefined {
  for (const part of accept.split(',')) {
    const type = part.split(';')[0]?.trim()
    if (type === 'application/yaml' || (type === protobufMediaType && !part.includes('as='))) return type
    if (type === 'application/json' || type === '*/*') return undefined
  }
  return undefined
}

/** JSON, YAML, protobuf for kinds that have such a form, or the object itself for in-process callers. */
export async function objectResponse(
  request: ApiRequest,
  object: unknown,
  options: { status?: number; contentType?: string; headers?: Record<string, string> } = {},
): Promise<ApiResponse> {
  const status = options.status ?? 200
  const headers = { 'cache-control': 'no-cache, private', ...options.headers }
  if (request.answer === 'objects') return { status, headers: { 'content-type': 'application/json', ...headers }, body: { kind: 'object', object } }
  const wanted = options.contentType === undefined ? wantedInsteadOfJson(request.headers['accept'] ?? '') : undefined
  const inProtobuf = wanted === protobufMediaType ? encodeProtobuf(object) : undefined
  if (inProtobuf) return bytesResponse(request, status, { 'content-type': protobufMediaType, ...headers }, [inProtobuf])
  if (wanted === 'application/yaml') {
    return bytesResponse(request, status, { 'content-type': 'application/yaml', ...headers }, [encoder.encode(stringifyYaml(object))])
  }
  return bytesResponse(request, status, { 'content-type': options.contentType ?? 'application/json', ...headers }, [encodeJson(object)])
}

export function textResponse(text: string, options: { status?: number; contentType?: string; headers?: Record<string, string> } = {}): ApiResponse {
  return {
    status: options.status ?? 200,
    headers: { 'content-type': options.contentType ?? 'text/plain; charset=utf-8', ...options.headers },
    body: { kind: 'bytes', chunks: [encoder.encode(text)] },
  }
}
