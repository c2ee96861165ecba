/** Answers of handlers outside the registry (discovery, OpenAPI, version, subresources): a plain value in the form that was asked for. */
import { encodeJson } from '../api/json.ts'
import { stringifyYaml } from '../api/yaml.ts'
import type { ApiRequest, ApiResponse } from '../api/request.ts'
import { bytesResponse } from './endpoints/respond.ts'

const encoder = new TextEncoder()

/** Whether YAML is asked for before JSON. */
function wantsYaml(accept: string): boolean {
  for (const part of accept.split(',')) {
    const type = part.split(';')[0]?.trim()
    if (type === 'application/yaml') return true
    if (type === 'application/json' || type === '*/*') return false
  }
  return false
}

/** JSON, YAML, or the object itself for in-process callers. */
export async function objectResponse(
  request: ApiRequest,
  object: unknown,
  options: { status?: number; contentType?: string; headers?: Record<string, string> } = {},
): Promise<ApiResponse> {
  const status = options.status ?? 200
  const headers = { 'cache-control': 'no-cache, private', ...options.headers }
  if (request.answer === 'objects') return { status, headers: { 'content-type': 'application/json', ...headers }, body: { kind: 'object', object } }
  if (options.contentType === undefined && wantsYaml(request.headers['accept'] ?? '')) {
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
