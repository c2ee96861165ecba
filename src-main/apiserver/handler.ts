/**
 * The API server as a function. Chain: who asks (authentication, impersonation) → may they (authorization) → what is
 * asked for (routing) → admission and registry, in the endpoints. Every error becomes a Status here and nowhere else.
 */
import type { Duplex } from 'node:stream'
import { isObject } from '../api/json.ts'
import type { AnyResource } from '../api/resource.ts'
import { resourceKey } from '../api/resource.ts'
import type { ApiHandler, ApiRequest, ApiResponse, UserInfo } from '../api/request.ts'
import { badRequest, methodNotAllowedHere, pathNotFound, serviceUnavailable, StatusError, unauthorized } from '../api/status-error.ts'
import { StoreError } from '../store/store.ts'
import type { Attributes, RequestContext, RequestInfo, SubresourceContext, SubresourceHandler, UpgradeHandler } from './contracts.ts'
import { forbiddenError } from './authz/forbidden.ts'
import type { Call } from './endpoints/call.ts'
import { warn } from './endpoints/call.ts'
import { readPlain } from './endpoints/body.ts'
import { createRequestMetrics } from './endpoints/request-metrics.ts'
import type { RequestMetrics } from './endpoints/request-metrics.ts'
import { errorResponse, headersFor } from './endpoints/respond.ts'
import { routeResource } from './endpoints/routes.ts'
import { connectAdmission } from './endpoints/connect.ts'
import type { ApiServerOptions } from './options.ts'
import { compactRegularly } from './registry/compaction.ts'
import { holdUntilSent } from './flow-control/hold.ts'
import type { AuditedRequest } from './audit/audit.ts'
import type { Ticket } from './flow-control/flow-control.ts'
import { createHooks } from './registry/hooks.ts'
import { Registry } from './registry/registry.ts'
import { deprecationOf, isDefinedKind } from './registry/strategy-facts.ts'
import { ownKindSubresourceVerbs, subresourceKinds } from '../api/subresource-kinds.ts'
import { prepareProtobuf, withoutProtobuf } from './protobuf/request.ts'
import { requestInfo } from './request-info.ts'

export type { ApiServerOptions } from './options.ts'

export interface ApiServer {
  readonly handle: ApiHandler
  readonly upgrade: UpgradeHandler
  /** The kinds served now. */
  resources(): readonly AnyResource[]
  readonly registry: Registry
  readonly metrics: RequestMetrics
  stop(): Promise<void>
}

interface Authorized {
  readonly info: RequestInfo
  readonly user: UserInfo
}

/** Filled in as far as a request came, for audit and metrics. */
interface Trace {
  info?: RequestInfo
  user?: UserInfo
  impersonator?: UserInfo
  audit?: AuditedRequest
  /** The seat that it holds. */
  ticket?: Ticket
  readonly warnings: string[]
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { env, store } = options
  const metrics = createRequestMetrics()
  const hooks = createHooks({
    env,
    store,
    ...(options.serviceCIDR ? { serviceCIDR: options.serviceCIDR } : {}),
    ...(options.nodePortRange ? { nodePortRange: options.nodePortRange } : {}),
  })
  const registry = new Registry({ env, store, hooks: hooks.byResource })
  const resources = typeof options.resources === 'function' ? options.resources : () => options.resources as readonly AnyResource[]
  let known: { list: readonly AnyResource[]; byKey: Map<string, AnyResource> } = { list: [], byKey: new Map() }

  function resourceByKey(key: string): AnyResource | undefined {
    const list = resources()
    if (list !== known.list) known = { list, byKey: new Map(list.map(r => [resourceKey(r), r])) }
    return known.byKey.get(key)
  }

  /** Who asks for what. */
  async function identify(request: ApiRequest, trace: Trace): Promise<Authorized> {
    const info = requestInfo(request.method, request.url)
    trace.info = info
    let user = request.user ?? (await options.authenticator?.authenticate(request))
    if (!user) throw unauthorized()
    metrics.authentication.success++
    trace.user = user
    if (asksForAnother(request.headers)) {
      const effective = await impersonated(request, user, trace)
      if (effective !== user) trace.impersonator = user
      user = effective
      trace.user = user
    }
    beginAudit(request, trace)
    return { info, user }
  }

  /** A refusal is in the audit as a request of the user who asked. */
  async function impersonated(request: ApiRequest, user: UserInfo, trace: Trace): Promise<UserInfo> {
    if (!options.impersonate || !options.authorizer) return user
    try {
      return await options.impersonate(request, user, options.authorizer)
    } catch (fault) {
      beginAudit(request, trace)
      throw fault
    }
  }

  function beginAudit(request: ApiRequest, trace: Trace): void {
    const { info, user, impersonator } = trace
    if (!options.audit || !info) return
    const audited = options.audit.receive({ request, info, user: impersonator ?? user, impersonated: impersonator ? user : undefined, receivedMs: env.clock.now() })
    if (audited) trace.audit = audited
  }

  /** Throws forbidden. */
  async function allow({ info, user }: Authorized, trace: Trace): Promise<void> {
    if (!options.authorizer) return
    const attributes = attributesOf(info, user)
    const decision = await options.authorizer.authorize(attributes)
    metrics.authorization[decision.allowed ? 'allowed' : 'denied']++
    trace.audit?.decided(decision.allowed, decision.reason)
    if (!decision.allowed) throw forbiddenError(attributes, decision.reason)
  }

  /** Takes a seat for a request of the network; the answer when there is none for it. */
  async function takeSeat(request: ApiRequest, { info, user }: Authorized, trace: Trace): Promise<ApiResponse | undefined> {
    if (!options.flowControl || request.user) return undefined
    const taken = options.flowControl.admit(request, info, user)
    const admitted = taken instanceof Promise ? await taken : taken
    if (!('release' in admitted)) return admitted
    trace.ticket = admitted
    return undefined
  }

  function subresourceHandler(r: AnyResource, subresource: string): SubresourceHandler | undefined {
    return options.subresources?.get(r.group === '' ? `${r.plural}/${subresource}` : `${r.group}/${r.plural}/${subresource}`)
  }

  function annotations({ audit }: Trace): { annotate?: (key: string, value: string) => void } {
    if (!audit) return {}
    return {
      annotate: (key, value) => {
        audit.annotate(key, value)
      },
    }
  }

  function callOf(request: ApiRequest, { info, user }: Authorized, resource: AnyResource, trace: Trace): Call {
    return { env, registry, resource, request, info, user, admission: options.admission ?? [], warnings: trace.warnings, metrics, resourceByKey, ...annotations(trace) }
  }

  function resourceOf(info: RequestInfo): AnyResource {
    const resource = resourceByKey(resourceKey({ group: info.group, version: info.version, plural: info.resource }))
    if (!resource) throw pathNotFound()
    if (resource.scope === 'Cluster' && info.namespace !== '' && !(info.resource === 'namespaces' && info.group === '')) throw pathNotFound()
    return resource
  }

  /** Versions in which no built-in kind stands are paths like any other: what no definition serves in them is nothing at all. */
  function isUnknownVersion(info: RequestInfo): boolean {
    const { group, version } = info
    const resource = resourceByKey(resourceKey({ group, version, plural: info.resource }))
    if (resource) return isDefinedKind(resource) && resource.scope === 'Cluster' && info.namespace !== ''
    return !resources().some(r => r.group === group && r.version === version && !isDefinedKind(r))
  }

  function subresourceContext(call: Call): SubresourceContext {
    return {
      request: call.request,
      info: call.info,
      user: call.user,
      resource: call.resource,
      warn: text => {
        warn(call, text)
      },
      body: async () => readPlain(call.request),
    }
  }

  function plainContext(request: ApiRequest, { info, user }: Authorized, trace: Trace): RequestContext {
    return {
      request,
      info,
      user,
      warn: text => {
        if (!trace.warnings.includes(text)) trace.warnings.push(text)
      },
    }
  }

  async function serve(asked: ApiRequest, trace: Trace): Promise<ApiResponse> {
    const allowed = await identify(asked, trace)
    const refused = await takeSeat(asked, allowed, trace)
    if (refused) return refused
    await allow(allowed, trace)
    const elsewhere = options.delegate?.(allowed.info.path)
    if (elsewhere) return elsewhere.handle(plainContext(asked, allowed, trace))
    const request = withoutProtobuf(asked, resourceByKey(resourceKey({ ...allowed.info, plural: allowed.info.resource })))
    trace.audit?.body(request)
    const authorized = throughBindings(request, allowed)
    const { info, user } = authorized
    if (!info.isResource || isDiscoveryPath(info) || isUnknownVersion(info)) {
      const context = plainContext(request, { info, user }, trace)
      for (const handler of options.nonResource ?? []) {
        const answer = await handler(context)
        if (answer) return answer
      }
      throw pathNotFound()
    }
    const resource = resourceOf(info)
    const call = callOf(request, authorized, resource, trace)
    const deprecation = deprecationOf(resource)
    if (deprecation) warn(call, deprecation)
    try {
      return await serveResource(call, resource)
    } catch (fault) {
      if (deprecation && isUnrouted(fault, call.request.method)) call.warnings.splice(call.warnings.indexOf(deprecation), 1)
      throw fault
    }
  }

  async function serveResource(call: Call, resource: AnyResource): Promise<ApiResponse> {
    const { info } = call
    if (info.subresource !== '') {
      const handler = subresourceHandler(resource, info.subresource)
      if (handler) {
        const verbs = subresourceKinds.get(`${resource.plural}/${info.subresource}`)?.verbs ?? ownKindSubresourceVerbs.get(info.subresource)
        if (verbs && !(verbs as readonly string[]).includes(info.verb) && info.subresource !== 'proxy') throw methodNotAllowedHere()
        if (!handler.handle) throw badRequest('Upgrade request required')
        await connectAdmission(call)
        return withWarnings(await handler.handle(subresourceContext(call)), call.warnings)
      }
    }
    return routeResource(call, options.virtual?.get(resourceKey(resource)))
  }

  const handle: ApiHandler = async request => {
    const began = env.clock.awakeMs()
    const trace: Trace = { warnings: [] }
    const kind = request.method === 'GET' || request.method === 'HEAD' ? 'readOnly' : 'mutating'
    metrics.inflight[kind]++
    let response: ApiResponse
    try {
      const preparation = prepareProtobuf(request)
      if (preparation) await preparation
      response = await serve(request, trace)
    } catch (cause) {
      // Whoever is still on the way when the program ends is told so; that is no fault of ours.
      const fault = cause instanceof StoreError && cause.code === 'closed' ? serviceUnavailable('the API server is shutting down') : cause
      if (!(fault instanceof StatusError)) env.log.log('error', 'request failed', { method: request.method, url: request.url, fault })
      response = errorResponse(request, fault, trace.warnings)
    } finally {
      metrics.inflight[kind]--
    }
    if (trace.ticket) response = holdUntilSent(trace.ticket, request, response, trace.info?.verb === 'watch', env.clock)
    if (!trace.user && trace.info) {
      metrics.authentication.failure++
      beginAudit(request, trace)
    }
    finish(request, trace, response, env.clock.awakeMs() - began)
    return trace.audit ? trace.audit.respond(response) : response
  }

  function finish(request: ApiRequest, trace: Trace, response: ApiResponse, durationMs: number): void {
    const { info } = trace
    if (!info) return
    const resource = info.isResource ? resourceByKey(resourceKey({ group: info.group, version: info.version, plural: info.resource })) : undefined
    const isKnown = resource !== undefined
    const isRead = isKnown && (info.verb === 'get' || info.verb === 'list') && response.body.kind === 'bytes'
    metrics.observe(
      {
        verb: verbForMetrics(info, request),
        code: response.status,
        scope: !info.isResource ? '' : info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster',
        group: isKnown ? info.group : '',
        version: isKnown ? info.version : '',
        resource: isKnown ? info.resource : '',
        subresource: resource ? subresourceForMetrics(resource, info.subresource) : '',
        dryRun: info.query.has('dryRun'),
      },
      info.verb === 'watch' ? undefined : durationMs / 1_000,
      isRead ? sizeOf(response) : undefined,
    )
  }

  const upgrade: UpgradeHandler = async (request, socket, head) => {
    const trace: Trace = { warnings: [] }
    try {
      const authorized = await identify(request, trace)
      await allow(authorized, trace)
      const elsewhere = options.delegate?.(authorized.info.path)
      if (elsewhere) {
        await elsewhere.upgrade(plainContext(request, authorized, trace), socket, head)
        trace.audit?.respond({ status: 101, headers: {}, body: { kind: 'none' } })
        return
      }
      const resource = resourceOf(authorized.info)
      const call = callOf(request, authorized, resource, trace)
      const handler = subresourceHandler(resource, authorized.info.subresource)
      if (!handler?.upgrade) throw badRequest('this path does not take upgrades')
      await connectAdmission(call)
      await handler.upgrade(subresourceContext(call), socket, head)
      trace.audit?.respond({ status: 101, headers: {}, body: { kind: 'none' } })
    } catch (fault) {
      const refusal = errorResponse({ ...request, answer: 'bytes' }, fault)
      if (!trace.user) beginAudit(request, trace)
      trace.audit?.respond(refusal)
      refuseUpgrade(socket, refusal)
    }
  }

  const stopCompacting = compactRegularly(options.env, options.store)
  return {
    handle,
    upgrade,
    resources,
    registry,
    metrics,
    stop: async () => {
      stopCompacting()
      hooks.stop()
    },
  }
}

/** Field by field: spreading an object costs more than all the rest of the way to the authorizer. */
function attributesOf(info: RequestInfo, user: UserInfo): Attributes {
  const { isResource, path, verb, group, version, resource, subresource, namespace, name, query } = info
  const attributes: { -readonly [K in keyof Attributes]: Attributes[K] } = { isResource, path, verb, group, version, resource, subresource, namespace, name, user }
  if (query.size === 0) return attributes
  const labelSelector = query.get('labelSelector')
  const fieldSelector = query.get('fieldSelector')
  if (labelSelector) attributes.labelSelector = labelSelector
  if (fieldSelector) attributes.fieldSelector = fieldSelector
  return attributes
}

/** Whether any of the Impersonate- headers is there. */
function asksForAnother(headers: ApiRequest['headers']): boolean {
  for (const name in headers) if (name.startsWith('impersonate-')) return true
  return false
}

const methodVerbs: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT' }

/** HTTP/2 takes any word for a method. */
const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'])

/** Only what the kind has: a path can name anything. */
function subresourceForMetrics({ subresources }: AnyResource, name: string): string {
  if (name === '') return ''
  const isDeclared = name === 'status' ? subresources?.status === true : name === 'scale' ? subresources?.scale !== undefined : subresources?.others?.includes(name) === true
  return isDeclared ? name : 'other'
}

/** The verb as upstream's metrics have it. */
function verbForMetrics(info: RequestInfo, request: ApiRequest): string {
  if (!info.isResource) return knownMethods.has(request.method) ? request.method : 'OTHER'
  if (info.verb === 'patch' && request.headers['content-type']?.startsWith('application/apply-patch') === true) return 'APPLY'
  return methodVerbs[info.verb] ?? info.verb.toUpperCase()
}

function sizeOf({ body }: ApiResponse): number {
  let size = 0
  if (body.kind === 'bytes') for (const chunk of body.chunks) size += chunk.length
  return size
}

/** True for refusals that come before the kind has its say, and so before its deprecation does. */
function isUnrouted(fault: unknown, method: string): boolean {
  if (!(fault instanceof StatusError)) return false
  return fault.code === 405 || fault.code === 406 || (fault.code === 415 && method === 'PATCH') || (fault.code === 404 && !fault.status.details?.name)
}

/** POST of a Binding to the collection `bindings` is the same as to the pod it names. */
function throughBindings(request: ApiRequest, authorized: Authorized): Authorized {
  const { info } = authorized
  if (info.resource !== 'bindings' || info.group !== '' || info.verb !== 'create' || info.name !== '' || info.namespace === '') return authorized
  const body = readPlain(request)
  const metadata = isObject(body) ? body['metadata'] : undefined
  const name = isObject(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : ''
  if (name === '') throw badRequest('name in URL does not match name in Binding object')
  return { ...authorized, info: { ...info, resource: 'pods', subresource: 'binding', name } }
}

/** `/api/v1` and `/apis/apps/v1` are discovery although they look like the beginning of a resource path. */
function isDiscoveryPath(info: RequestInfo): boolean {
  return info.resource === ''
}

function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  const { warning } = headersFor('', warnings)
  return warning === undefined ? response : { ...response, headers: { ...response.headers, warning } }
}

/** Writes an error where the connection still speaks HTTP. */
function refuseUpgrade(socket: Duplex, response: ApiResponse): void {
  if (socket.destroyed || socket.writableEnded) return
  const bytes = response.body.kind === 'bytes' ? Buffer.concat(response.body.chunks) : Buffer.alloc(0)
  socket.end(
    Buffer.concat([Buffer.from(`HTTP/1.1 ${response.status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\nconnection: close\r\n\r\n`), bytes]),
  )
}
