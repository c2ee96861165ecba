/** Turns results into answers: bytes that are shared with the store where possible, otherwise encoded once. */
import { gzip } from 'node:zlib'
import { promisify } from 'node:util'
import { encodeJson, encodeUtf8, stringifyJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ApiBody, ApiRequest, ApiResponse } from '../../api/request.ts'
import { StatusError, statusOf } from '../../api/status-error.ts'
import { partialMetadata, renderTable } from '../../api/table.ts'
import { stringifyYaml } from '../../api/yaml.ts'
import { groupVersion } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { Result } from '../registry/scope.ts'
import { isDefinedKind } from '../registry/strategy-facts.ts'
import type { Call } from './call.ts'
import { encodeProtobuf, hasProtobufForm, protobufMediaType } from '../protobuf/protobuf.ts'
import { acceptsGzip, negotiate } from './negotiation.ts'
import type { Acceptable, Form, MediaType } from './negotiation.ts'

/** As upstream: smaller answers are not worth the work. */
const GZIP_FROM_BYTES = 128 * 1024

const gzipAsync = promisify(gzip)

/** `299 - "text"`, with the text's quotes escaped. */
export function warningHeader(text: string): string {
  return `299 - "${text.replace(/[\\"]/g, '\\$&').replace(/[\u0000-\u001f\u007f]/g, ' ')}"`
}

export function headersFor(contentType: string, warnings: readonly string[] = []): Record<string, string | readonly string[]> {
  return { 'content-type': contentType, 'cache-control': 'no-cache, private', ...(warnings.length > 0 ? { warning: warnings.map(warningHeader) } : {}) }
}

/** True for browsers and callers that ask for readable JSON. */
function isPretty(call: { request: ApiRequest; info?: { query: URLSearchParams } }): boolean {
  const asked = call.info?.query.get('pretty')
  if (asked !== null && asked !== undefined) return asked !== 'false' && asked !== '0'
  return /^(curl|wget|mozilla\/5\.0)/i.test(call.request.headers['user-agent'] ?? '')
}

/** Compresses what is large for clients that take it. */
export async function bytesResponse(request: ApiRequest, status: number, headers: Record<string, string | readonly string[]>, chunks: readonly Uint8Array[]): Promise<ApiResponse> {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (size < GZIP_FROM_BYTES || !acceptsGzip(request.headers['accept-encoding'])) return { status, headers, body: { kind: 'bytes', chunks } }
  const packed = await gzipAsync(Buffer.concat(chunks), { level: 1 })
  return { status, headers: { ...headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' }, body: { kind: 'bytes', chunks: [packed] } }
}

/** Answers with a plain value in a media type. */
export async function valueResponse(
  call: { request: ApiRequest; info?: { query: URLSearchParams }; warnings?: readonly string[] },
  status: number,
  value: unknown,
  mediaType: MediaType = 'application/json',
): Promise<ApiResponse> {
  const inProtobuf = mediaType === protobufMediaType && call.request.answer !== 'objects' ? encodeProtobuf(value) : undefined
  if (inProtobuf) return bytesResponse(call.request, status, headersFor(protobufMediaType, call.warnings), [inProtobuf])
  const headers = headersFor(mediaType === protobufMediaType ? 'application/json' : mediaType, call.warnings)
  if (call.request.answer === 'objects') return { status, headers, body: { kind: 'object', object: value } }
  const bytes = mediaType === 'application/yaml' ? encodeUtf8(stringifyYaml(value)) : isPretty(call) ? encodeUtf8(`${stringifyJson(value, 2)}\n`) : encodeJson(value)
  return bytesResponse(call.request, status, headers, [bytes])
}

/** Answers with a Status or list after the deed is done, when there is nothing left to refuse: in JSON where the client accepts no form of it. */
export function doneResponse(call: Call, status: number, value: unknown): Promise<ApiResponse> {
  let mediaType: MediaType = 'application/json'
  try {
    mediaType = negotiate(call.request.headers['accept'], formsOf(call.resource, { table: true, metadata: true })).mediaType
  } catch {
    // What was done cannot be refused any more.
  }
  return valueResponse(call, status, value, mediaType)
}

/** Answers with one object of the registry in the form that the client accepts. */
export async function objectResponse(call: Call, status: number, result: Result): Promise<ApiResponse> {
  const form = formOfObject(call)
  if (form.as === 'Table') return valueResponse(call, status, tableOf(call, [result.object], form), form.mediaType)
  if (form.as === 'PartialObjectMetadata') return valueResponse(call, status, partialOf(result.object, form.metaVersion), form.mediaType)
  if (call.request.answer !== 'objects' && form.mediaType === 'application/json' && result.entry && !isPretty(call)) {
    return bytesResponse(call.request, status, headersFor(form.mediaType, call.warnings), [result.entry.bytes])
  }
  return valueResponse(call, status, result.object, form.mediaType)
}

/** What a kind can be answered as. */
export function formsOf(r: AnyResource, others: Acceptable): Acceptable {
  return isDefinedKind(r) ? { ...others, dynamic: true } : { ...others, protobuf: hasProtobufForm(groupVersion(r.group, r.version), r.kind) }
}

/** Upstream forgot the table of one subresource. */
const hasTable = ({ info, resource }: Call): boolean => !(info.subresource === 'status' && resource.plural === 'resourceclaims')

function formOfObject(call: Call): Form {
  const { accept } = call.request.headers
  const form = negotiate(accept, accept === undefined ? undefined : formsOf(call.resource, { table: hasTable(call), metadata: true }))
  if (form.as === 'PartialObjectMetadataList') {
    throw new StatusError(
      406,
      'NotAcceptable',
      `you requested PartialObjectMetadataList, but the requested object is not a list (*${call.resource.group === '' ? 'core' : call.resource.group.split('.')[0]}.${call.resource.kind})`,
    )
  }
  return form
}

/** Throws a 406 before any work is done, so that a refused answer changes nothing. */
export function checkAcceptable(call: Call): void {
  formOfObject(call)
}

/** Only the metadata of an object. */
export function partialOf(object: KubernetesObject, version: 'v1' | 'v1beta1'): KubernetesObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: partialMetadata(object).metadata }
}

/** A Table of objects; `list` gives the metadata of a list. */
export function tableOf(
  call: Call,
  objects: readonly KubernetesObject[],
  form: Form,
  list?: { metadata: object },
  withColumns = true,
): { readonly kind: string; readonly apiVersion: string; readonly metadata: object; readonly columnDefinitions: readonly unknown[]; readonly rows: readonly unknown[] } {
  const includeObject = includeObjectOf(call)
  const rendered = renderTable(call.resource as AnyResource, objects, { now: call.env.clock.now(), includeObject, isList: list !== undefined })
  const rows = rendered.rows.map(row => ({
    ...row,
    object: includeObject === 'None' ? null : includeObject === 'Metadata' && row.object ? { ...row.object, apiVersion: `meta.k8s.io/${form.metaVersion}` } : row.object,
  }))
  const first = objects[0]
  const metadata = list?.metadata ?? (first?.metadata.resourceVersion ? { resourceVersion: first.metadata.resourceVersion } : {})
  return { kind: 'Table', apiVersion: `meta.k8s.io/${form.metaVersion}`, metadata, columnDefinitions: withColumns ? rendered.columnDefinitions : [], rows }
}

function includeObjectOf(call: Call): 'None' | 'Metadata' | 'Object' {
  const asked = call.info.query.get('includeObject') ?? ''
  if (asked === '' || asked === 'Metadata') return 'Metadata'
  if (asked === 'None' || asked === 'Object') return asked
  throw new StatusError(
    400,
    'BadRequest',
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(asked)}: must be 'Metadata', 'Object', 'None', or empty`,
  )
}

/** Answers with a Status; errors that are no StatusError are a 500. Media types that the client refuses are answered in JSON. */
export function errorResponse(request: ApiRequest, fault: unknown, warnings: readonly string[] = []): ApiResponse {
  const status = statusOf(fault)
  const code = status.code ?? 500
  const retryAfter = status.details?.retryAfterSeconds
  let mediaType: MediaType = 'application/json'
  try {
    mediaType = negotiate(request.headers['accept'], { table: true, metadata: true, protobuf: true }).mediaType
  } catch {
    // A refusal is answered in JSON.
  }
  const inProtobuf = mediaType === protobufMediaType && request.answer !== 'objects' ? encodeProtobuf(status) : undefined
  if (!inProtobuf && mediaType === protobufMediaType) mediaType = 'application/json'
  const headers = { ...headersFor(mediaType, warnings), ...(retryAfter ? { 'retry-after': String(retryAfter) } : {}) }
  const body: ApiBody =
    request.answer === 'objects'
      ? { kind: 'object', object: status }
      : { kind: 'bytes', chunks: [inProtobuf ?? (mediaType === 'application/yaml' ? encodeUtf8(stringifyYaml(status)) : encodeJson(status))] }
  return { status: code, headers, body }
}
