/**
 * Makes the typed client of client.ts over any transport. Requests carry plain objects; a transport that needs bytes
 * encodes them. Answers may come as an object, as bytes or as a stream: all are understood.
 */
import { parseJson } from '../api/json.ts'
import type { KubernetesList, KubernetesObject, WatchEvent } from '../api/meta.ts'
import type { ApiBody, ApiRequest, ApiResponse } from '../api/request.ts'
import { resourcePath } from '../api/resource.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { StatusError } from '../api/status-error.ts'
import type { Status } from '../api/status-error.ts'
import type { Client, DeleteOptions, ListOptions, PatchOptions, PatchType, ReadOptions, ResourceClient, Scoped, Transport, WatchOptions, WriteOptions } from './client.ts'
import { bodyBytes, linesOf } from './body.ts'

/** An answer that is read whole may have at most this many bytes: a list of 10,000 large pods has about 100 MB. */
const maxAnswerBytes = 512 * 1024 * 1024
const defaultTextBytes = 16 * 1024 * 1024

const patchContentTypes: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Objects given to writes stay the caller's; objects answered are frozen by convention and may be shared. */
export function createClient(transport: Transport, options: { userAgent?: string } = {}): Client {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.userAgent) headers['user-agent'] = options.userAgent
  const send = (request: Partial<ApiRequest> & { url: string }): Promise<ApiResponse> =>
    transport({ method: 'GET', answer: 'objects', ...request, headers: { ...headers, ...request.headers } })
  return {
    resource: definition => resourceClient(definition, send),
    raw: request => send(request),
    text: async (body, maxBytes) => new TextDecoder().decode(await bodyBytes(body, maxBytes ?? defaultTextBytes)),
  }
}

type Send = (request: Partial<ApiRequest> & { url: string }) => Promise<ApiResponse>

function resourceClient<T extends KubernetesObject>(resource: ResourceDefinition<T>, send: Send): ResourceClient<T> {
  const path = (scope: Scoped | undefined, name?: string, sub?: string): string => resourcePath(resource, resource.scope === 'Namespaced' ? scope?.namespace : undefined, name, sub)
  const write = <R>(method: string, object: KubernetesObject, sub: string | undefined, options: WriteOptions | undefined): Promise<R> => {
    const url = path({ namespace: object.metadata.namespace ?? '' }, method === 'POST' ? undefined : object.metadata.name, sub)
    return exchange<R>(send, method, url + writeQuery(options), object, options?.signal)
  }
  const sub = <B, R>(method: string, name: string, subresource: string, body: B | undefined, options: (WriteOptions & Scoped) | undefined): Promise<R> =>
    exchange<R>(send, method, path(options, name, subresource) + writeQuery(options), body, options?.signal)
  return {
    resource,
    get: (name, options) => exchange<T>(send, 'GET', path(options, name) + readQuery(options), undefined, options?.signal),
    list: options => exchange<KubernetesList<T>>(send, 'GET', path(options) + listQuery(options), undefined, options?.signal),
    watch: options => watch<T>(send, path(options) + watchQuery(options), options?.signal),
    create: (object, options) => write<T>('POST', object, undefined, options),
    update: (object, options) => write<T>('PUT', object, undefined, options),
    updateStatus: (object, options) => write<T>('PUT', object, 'status', options),
    patch: (name, type, body, options) => patch<T>(send, path(options, name, options?.subresource), type, body, options),
    delete: async (name, options) => {
      await exchange(send, 'DELETE', path(options, name), deleteBody(options))
    },
    deleteCollection: async options => {
      await exchange(send, 'DELETE', path(options) + listQuery(options), deleteBody(options))
    },
    createSub: (name, subresource, body, options) => sub('POST', name, subresource, body, options),
    getSub: (name, subresource, options) => exchange(send, 'GET', path(options, name, subresource) + readQuery(options), undefined, options?.signal),
    updateSub: (name, subresource, body, options) => sub('PUT', name, subresource, body, options),
  }
}

async function exchange<R>(send: Send, method: string, url: string, body: unknown, signal?: AbortSignal): Promise<R> {
  return answerOf<R>(
    await send({
      method,
      url,
      ...(signal ? { signal } : {}),
      ...(body === undefined ? {} : { body: { object: body }, headers: { 'content-type': 'application/json' } }),
    }),
  )
}

async function patch<T>(send: Send, path: string, type: PatchType, body: unknown, options: PatchOptions | undefined): Promise<T> {
  const query = writeQuery(options, { force: type === 'apply' && options?.force ? 'true' : undefined })
  return answerOf<T>(
    await send({
      method: 'PATCH',
      url: path + query,
      body: { object: body },
      headers: { 'content-type': patchContentTypes[type] },
      ...(options?.signal ? { signal: options.signal } : {}),
    }),
  )
}

async function answerOf<R>(response: ApiResponse): Promise<R> {
  if (response.status >= 400) throw await errorOf(response)
  return (await objectOf(response.body)) as R
}

async function objectOf(body: ApiBody): Promise<unknown> {
  if (body.kind === 'object') return body.object
  const bytes = await bodyBytes(body, maxAnswerBytes)
  return bytes.length === 0 ? undefined : parseJson(bytes)
}

/** The StatusError of a failed answer, also where the body is not a Status (a proxy's page, plain text). */
export async function errorOf(response: ApiResponse): Promise<StatusError> {
  let found: unknown
  try {
    found = await objectOf(response.body)
  } catch {
    /* not JSON: the code says enough */
  }
  if (isStatus(found)) return StatusError.from({ ...found, code: found.code ?? response.status })
  return new StatusError(response.status, reasons[response.status] ?? 'Unknown', `the server answered ${response.status}`)
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'Status'
}

async function* watch<T extends KubernetesObject>(send: Send, url: string, signal: AbortSignal | undefined): AsyncGenerator<WatchEvent<T>> {
  const response = await send({ method: 'GET', url, ...(signal ? { signal } : {}) })
  if (response.status >= 400) throw await errorOf(response)
  for await (const event of eventsOf(response.body)) {
    if (event.type === 'ERROR') throw StatusError.from(event.object as Status)
    yield event as WatchEvent<T>
  }
}

async function* eventsOf(body: ApiBody): AsyncGenerator<WatchEvent<unknown>> {
  if (body.kind === 'events') yield* body.events
  else for await (const line of linesOf(body)) yield parseJson(line) as WatchEvent<unknown>
}

function query(values: Record<string, string | number | boolean | undefined>): string {
  const parts = Object.entries(values)
    .filter(([, v]) => v !== undefined && v !== '')
    .map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

function readQuery(options: ReadOptions | undefined): string {
  return query({ resourceVersion: options?.resourceVersion })
}

function listQuery(options: (ListOptions & object) | undefined): string {
  if (!options) return ''
  return query({
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
  })
}

function watchQuery(options: WatchOptions = {}): string {
  return query({
    watch: true,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
    allowWatchBookmarks: options.allowWatchBookmarks,
    sendInitialEvents: options.sendInitialEvents,
    resourceVersionMatch: options.sendInitialEvents ? 'NotOlderThan' : undefined,
    timeoutSeconds: options.timeoutSeconds,
  })
}

function writeQuery(options: WriteOptions | undefined, more: Record<string, string | undefined> = {}): string {
  return query({ dryRun: options?.dryRun ? 'All' : undefined, fieldManager: options?.fieldManager, fieldValidation: options?.fieldValidation, ...more })
}

function deleteBody(options: Omit<DeleteOptions, 'namespace'> | undefined): object | undefined {
  if (!options) return undefined
  const body: Record<string, unknown> = {}
  if (options.gracePeriodSeconds !== undefined) body['gracePeriodSeconds'] = options.gracePeriodSeconds
  if (options.propagationPolicy) body['propagationPolicy'] = options.propagationPolicy
  if (options.preconditions) body['preconditions'] = options.preconditions
  if (options.dryRun) body['dryRun'] = ['All']
  return Object.keys(body).length === 0 ? undefined : { apiVersion: 'v1', kind: 'DeleteOptions', ...body }
}
