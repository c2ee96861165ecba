/**
 * Aggregated API servers (apiregistration.k8s.io): groups and versions whose APIService names a Service are answered by
 * that Service. Requests are authenticated and authorized here first and go on with the user's identity in X-Remote-
 * headers, under a client certificate that the other server knows; credentials of the user never do.
 */
import { isObject, parseJson } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import type { APIService } from '../../api/generated/apiregistration-v1.ts'
import { availableCondition, isDelegated } from '../../api/apiregistration/v1/api-service.ts'
import type { UserInfo } from '../../api/request.ts'
import { encodeJson } from '../../api/json.ts'
import type { ApiRequest, ApiResponse } from '../../api/request.ts'
import type { Duplex } from 'node:stream'
import type { Env } from '../../base/env.ts'
import type { RequestContext } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { textResponse } from '../respond.ts'
import { sendOver, type AgentAnswer } from '../subresources/agent-connection.ts'
import { forwardAnswer, forwardedHeaders, joinUpgrade, refuseUpgrade } from '../subresources/forward.ts'
import { secureStream } from '../subresources/secure-stream.ts'
import type { ServiceConnector } from '../subresources/service-connection.ts'
import { methodNotAllowedHere, StatusError } from '../../api/status-error.ts'

/** Of a discovery document of another server. */
const maxDocumentBytes = 16 * 1024 * 1024
/** Of one check whether a server answers. */
const checkMs = 5_000

/** A group version that another server answers. */
export interface DelegatedVersion {
  readonly group: string
  readonly version: string
  readonly priority: number
  readonly available: boolean
  /** The `resources` of its APIResourceList, as far as it was ever read. */
  readonly resources: readonly JsonObject[]
}

export interface Delegate {
  handle(context: RequestContext): Promise<ApiResponse>
  upgrade(context: RequestContext, socket: Duplex, head: Uint8Array): Promise<void>
}

export interface Aggregation {
  /** Who answers a path, when it is not this server. */
  delegateOf(path: string): Delegate | undefined
  /** The same array until something about it changes. */
  delegated(): readonly DelegatedVersion[]
  /** Asks whether the server of an APIService answers. undefined where all is well. */
  check(service: APIService): Promise<{ readonly reason: string; readonly message: string } | undefined>
}

export interface AggregationOptions {
  readonly env: Env
  readonly copies: LiveCopies
  readonly services: ServiceConnector
  /** PEM of what the API server shows to aggregated servers. */
  readonly client: { readonly certificate: string; readonly privateKey: string }
}

/** `/apis/group/version` at the beginning of a path, also of the OpenAPI document of one. */
function versionOf(path: string): string | undefined {
  const match = /^(?:\/openapi\/v3)?\/apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(path)
  return match ? `${match[2] ?? ''}.${match[1] ?? ''}` : undefined
}

/** The user's identity as aggregated servers read it. */
function identityHeaders(user: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': headerText(user.name) }
  if (user.uid) headers['x-remote-uid'] = headerText(user.uid)
  if (user.groups.length > 0) headers['x-remote-group'] = user.groups.map(headerText)
  for (const [key, values] of Object.entries(user.extra ?? {})) headers[`x-remote-extra-${escapeKey(key)}`] = values.map(headerText)
  return headers
}

/** Fields are bytes, which Node takes as Latin-1; other servers read them as UTF-8. */
function headerText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Keys may hold what header names may not. */
function escapeKey(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9!#$&'*+\-.^_`|~]/g, c => encodeURIComponent(c))
}

/** Headers of the caller, without any claim about who it is. */
function plainHeaders(request: ApiRequest, host: string, upgrade: boolean): Record<string, string> {
  const headers = forwardedHeaders(request.headers, upgrade)
  for (const name of Object.keys(headers)) if (name.startsWith('x-remote-')) delete headers[name]
  return { ...headers, host }
}

export function createAggregation(options: AggregationOptions): Aggregation {
  const apiServices = options.copies.of<APIService>(places.apiServices)
  const documents = new Map<string, readonly JsonObject[]>()
  let known: { changes: number; documents: number; list: readonly DelegatedVersion[]; names: ReadonlySet<string> } = { changes: -1, documents: -1, list: [], names: new Set() }
  let documentChanges = 0

  function refresh(): typeof known {
    if (known.changes === apiServices.changes && known.documents === documentChanges) return known
    const services = apiServices.list().filter(isDelegated)
    known = {
      changes: apiServices.changes,
      documents: documentChanges,
      names: new Set(services.map(service => service.metadata.name ?? '')),
      list: services.map(service => ({
        group: service.spec?.group ?? '',
        version: service.spec?.version ?? '',
        priority: service.spec?.groupPriorityMinimum ?? 0,
        available: availableCondition(service)?.status === 'True',
        resources: documents.get(service.metadata.name ?? '') ?? [],
      })),
    }
    return known
  }

  async function open(service: APIService, signal?: AbortSignal): Promise<{ stream: Duplex; host: string }> {
    const { service: reference, caBundle, insecureSkipTLSVerify } = service.spec ?? {}
    const target = { namespace: reference?.namespace ?? '', name: reference?.name ?? '', port: reference?.port ?? 443 }
    const serverName = `${target.name}.${target.namespace}.svc`
    const stream = await options.services.open(target, signal)
    const secure = await secureStream(stream, {
      serverName,
      ...(caBundle ? { caBundle } : {}),
      insecure: insecureSkipTLSVerify === true,
      client: options.client,
      ...(signal ? { signal } : {}),
    })
    return { stream: secure, host: `${serverName}:${target.port}` }
  }

  async function send(service: APIService, request: ApiRequest, user: UserInfo, upgrade: boolean): Promise<AgentAnswer> {
    const { stream, host } = await open(service, request.signal)
    const body = request.body && ('bytes' in request.body ? request.body.bytes : encodeJson(request.body.object))
    const inProcess = request.body && 'object' in request.body
    const asked = {
      method: request.method,
      path: request.url,
      headers: {
        ...plainHeaders(request, host, upgrade),
        ...(inProcess ? { 'content-type': request.headers['content-type'] ?? 'application/json' } : {}),
        ...identityHeaders(user),
      },
      ...(body ? { body } : {}),
      ...(request.signal ? { signal: request.signal } : {}),
    }
    try {
      return await sendOver(stream, asked)
    } catch (fault) {
      stream.destroy() // also where the request could not even be made
      throw fault
    }
  }

  function delegate(service: APIService): Delegate {
    const available = availableCondition(service)?.status === 'True'
    return {
      async handle({ request, user, info }) {
        // Events of another server are not told apart for callers in this process.
        if (info.verb === 'watch' && request.answer === 'objects') throw methodNotAllowedHere()
        if (!available) return textResponse('service unavailable\n', { status: 503 })
        let answer: AgentAnswer
        try {
          answer = await send(service, request, user, false)
        } catch (fault) {
          options.env.log.log('warn', 'an aggregated API server could not be reached', {
            name: service.metadata.name,
            fault: fault instanceof Error ? fault.message : String(fault),
          })
          return textResponse('service unavailable\n', { status: 503 })
        }
        if (answer.kind === 'upgrade') {
          answer.stream.destroy()
          return textResponse('service unavailable\n', { status: 503 })
        }
        const response = forwardAnswer(answer.message)
        return request.answer === 'objects' ? asObject(response) : response
      },
      async upgrade({ request, user }, socket, head) {
        try {
          if (!available) throw new StatusError(503, 'ServiceUnavailable', 'service unavailable')
          await joinUpgrade(await send(service, request, user, true), socket, head)
        } catch (fault) {
          refuseUpgrade(socket, fault)
        }
      },
    }
  }

  return {
    delegateOf(path) {
      const { names } = refresh()
      if (names.size === 0) return undefined
      const name = versionOf(path)
      if (name === undefined || !names.has(name)) return undefined
      const service = apiServices.get('', name)
      return service && delegate(service)
    },
    delegated: () => refresh().list,
    async check(service) {
      const { service: reference, group = '', version = '' } = service.spec ?? {}
      const obstacle = options.services.obstacle({ namespace: reference?.namespace ?? '', name: reference?.name ?? '', port: reference?.port ?? 443 })
      if (obstacle) return obstacle
      const path = `/apis/${group}/${version}`
      const url = `https://${reference?.name ?? ''}.${reference?.namespace ?? ''}.svc:${reference?.port ?? 443}${path}`
      try {
        const resources = await discover(path, service)
        const name = service.metadata.name ?? ''
        if (JSON.stringify(documents.get(name)) !== JSON.stringify(resources)) {
          documents.set(name, resources)
          documentChanges++
        }
        return undefined
      } catch (fault) {
        return { reason: 'FailedDiscoveryCheck', message: `failing or missing response from ${url}: ${fault instanceof Error ? fault.message : String(fault)}` }
      }
    },
  }

  /** The resources that the other server lists. Throws where it does not answer well. */
  async function discover(path: string, service: APIService): Promise<readonly JsonObject[]> {
    const controller = new AbortController()
    const cancel = options.env.clock.after(checkMs, () => {
      controller.abort(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)'))
    })
    try {
      const request: ApiRequest = { method: 'GET', url: path, headers: { accept: 'application/json' }, signal: controller.signal }
      const answer = await send(service, request, { name: 'system:kube-aggregator', groups: ['system:masters'] }, false)
      if (answer.kind === 'upgrade') throw new Error('the server switched protocols unasked')
      const status = answer.message.statusCode ?? 0
      const response = await asObject(forwardAnswer(answer.message))
      if (status < 200 || status > 299) throw new Error(`bad status from ${path}: ${status}`)
      const list = response.body.kind === 'object' && isObject(response.body.object) ? response.body.object['resources'] : undefined
      if (!Array.isArray(list)) throw new Error(`no list of resources in the answer from ${path}`)
      return list.filter(isObject)
    } finally {
      cancel()
    }
  }
}

/** A whole JSON answer as an object, for callers in this process. */
async function asObject(response: ApiResponse): Promise<ApiResponse> {
  if (response.body.kind !== 'stream') return response
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body.chunks) {
    size += chunk.length
    if (size > maxDocumentBytes) throw new StatusError(502, 'InternalError', 'the answer of the aggregated API server is too large')
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  try {
    return { ...response, body: { kind: 'object', object: bytes.length === 0 ? {} : parseJson(bytes) } }
  } catch {
    return { ...response, body: { kind: 'bytes', chunks: [bytes] } }
  }
}
