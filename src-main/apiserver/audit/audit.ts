/**
 * The audit trail: one event (audit.k8s.io/v1) a stage of each request that the policy names. Bodies are in it at levels
 * Request and RequestResponse alone; what is larger than a bound is left out and said so.
 */
import { isObject, parseJson, stringifyJson } from '../../api/json.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '../../api/request.ts'
import { formatMicroTime } from '../../api/time.ts'
import { parseYaml } from '../../api/yaml.ts'
import type { Env } from '../../base/env.ts'
import type { RequestInfo } from '../contracts.ts'
import type { AuditDecision, AuditPolicy, AuditStage } from './policy.ts'

/** Where events go. Must not throw and must bound what waits. */
export interface AuditSink {
  write(line: string): void
}

/** A request that the policy names. */
export interface AuditedRequest {
  readonly id: string
  /** Notes the body, once it is plain. */
  body(request: ApiRequest): void
  decided(allowed: boolean, reason: string): void
  annotate(key: string, value: string): void
  /** The answer; a stream's end is a stage of its own, so streams come back wrapped. */
  respond(response: ApiResponse): ApiResponse
}

export interface AuditSubject {
  readonly request: ApiRequest
  readonly info: RequestInfo
  /** Who was authenticated; undefined when nobody could be. */
  readonly user: UserInfo | undefined
  readonly impersonated: UserInfo | undefined
  /** Wall clock. */
  readonly receivedMs: number
}

export interface Auditor {
  /** undefined where the policy says nothing is to be written. */
  receive(subject: AuditSubject): AuditedRequest | undefined
  /** By level. */
  readonly counts: ReadonlyMap<string, number>
}

/** Values of annotations beyond this are left out of an event. */
const MAX_ANNOTATION_LENGTH = 64 * 1024

/** Annotations of patches hold what they write, as bodies do. */
const patchAnnotations = 'patch.webhook.admission.k8s.io/'

/** Bodies beyond this are left out of an event. */
const MAX_BODY_BYTES = 1024 * 1024

export function createAuditor(options: { env: Env; policy: AuditPolicy; sink: AuditSink }): Auditor {
  const counts = new Map<string, number>()
  return {
    counts,
    receive(subject) {
      const decision = options.policy(subject.info, subject.user)
      if (decision.level === 'None') return undefined
      const audited = new Audited(options.env, options.sink, decision, subject)
      counts.set(decision.level, (counts.get(decision.level) ?? 0) + 1)
      return audited
    },
  }
}

class Audited implements AuditedRequest {
  readonly id: string
  readonly #env: Env
  readonly #sink: AuditSink
  readonly #decision: AuditDecision
  readonly #event: Record<string, unknown>
  readonly #annotations: Record<string, string> = {}
  readonly #isAuthenticated: boolean

  constructor(env: Env, sink: AuditSink, decision: AuditDecision, subject: AuditSubject) {
    const { request, info } = subject
    this.id = idOf(request, env)
    this.#env = env
    this.#sink = sink
    this.#decision = decision
    this.#isAuthenticated = subject.user !== undefined
    const address = request.peer?.address ?? ''
    this.#event = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: decision.level,
      auditID: this.id,
      stage: 'RequestReceived',
      requestURI: request.url,
      verb: info.verb,
      user: subject.user ? userOf(subject.user) : {},
      ...(subject.impersonated ? { impersonatedUser: userOf(subject.impersonated) } : {}),
      ...(address === '' ? {} : { sourceIPs: [address] }),
      ...(request.headers['user-agent'] === undefined ? {} : { userAgent: request.headers['user-agent'].slice(0, 1_024) }),
      ...(info.isResource ? { objectRef: referenceOf(info) } : {}),
      requestReceivedTimestamp: formatMicroTime(subject.receivedMs),
    }
    if (this.#isAuthenticated) this.#write('RequestReceived')
  }

  #write(stage: AuditStage): void {
    if (this.#decision.omitStages.includes(stage)) return
    const annotations = Object.keys(this.#annotations).length > 0 ? { annotations: this.#annotations } : {}
    this.#sink.write(stringifyJson({ ...this.#event, stage, stageTimestamp: formatMicroTime(this.#env.clock.now()), ...annotations }))
  }

  body(request: ApiRequest): void {
    const { level } = this.#decision
    if (level === 'Metadata' || !request.body) return
    this.#keep('requestObject', 'bytes' in request.body ? readBytes(request.body.bytes) : copyOf(request.body.object))
  }

  decided(allowed: boolean, reason: string): void {
    this.#annotations['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid'
    this.#annotations['authorization.k8s.io/reason'] = reason
  }

  annotate(key: string, value: string): void {
    if (this.#decision.level === 'Metadata' && key.startsWith(patchAnnotations)) return
    if (value.length > MAX_ANNOTATION_LENGTH) this.#annotations['audit.k8s.io/truncated'] = 'true'
    else this.#annotations[key] ??= value
  }

  respond(response: ApiResponse): ApiResponse {
    this.#event['responseStatus'] = { metadata: {}, code: response.status }
    if (!this.#isAuthenticated) {
      this.#event['responseStatus'] = { metadata: {}, status: 'Failure', message: 'Authentication failed', reason: 'Unauthorized', code: response.status }
      this.#write('ResponseStarted')
      return withId(response, this.id)
    }
    const { body } = response
    if (body.kind === 'stream' || body.kind === 'events') {
      this.#write('ResponseStarted')
      const done = (): void => {
        this.#write('ResponseComplete')
      }
      const wrapped = body.kind === 'stream' ? { ...body, chunks: followed(body.chunks, done) } : { ...body, events: followed(body.events, done) }
      return withId({ ...response, body: wrapped }, this.id)
    }
    const object = this.#decision.level === 'RequestResponse' || response.status >= 400 ? objectOf(response) : undefined
    if (response.status >= 400 && isObject(object)) {
      const { status, message, reason, details } = object
      this.#event['responseStatus'] = { metadata: {}, status, message, reason, details, code: response.status }
    }
    if (this.#decision.level === 'RequestResponse') this.#keep('responseObject', object)
    this.#write('ResponseComplete')
    return withId(response, this.id)
  }

  #keep(field: 'requestObject' | 'responseObject', value: unknown): void {
    if (value === undefined) return
    if (value === tooLarge) this.#annotations['audit.k8s.io/truncated'] = 'true'
    else this.#event[field] = this.#decision.omitManagedFields ? withoutManagers(value) : value
  }
}

function withId(response: ApiResponse, id: string): ApiResponse {
  return { ...response, headers: { ...response.headers, 'audit-id': id } }
}

/** The client's own id, where it brings one, so that its log and ours can be laid side by side. */
function idOf(request: ApiRequest, env: Env): string {
  const given = request.headers['audit-id']
  return given !== undefined && /^[\w.:-]{1,64}$/.test(given) ? given : env.random.uuid()
}

function userOf(user: UserInfo): object {
  return { username: user.name, ...(user.uid ? { uid: user.uid } : {}), groups: user.groups, ...(user.extra ? { extra: user.extra } : {}) }
}

function referenceOf(info: RequestInfo): object {
  const { resource, namespace, name, group, version, subresource } = info
  const fields = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))
}

async function* followed<T>(items: AsyncIterable<T>, done: () => void): AsyncGenerator<T> {
  try {
    yield* items
  } finally {
    done()
  }
}

const tooLarge = Symbol('too large')

function readBytes(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  if (bytes.length > MAX_BODY_BYTES) return tooLarge
  try {
    return parseJson(bytes)
  } catch {
    try {
      return parseYaml(Buffer.from(bytes).toString('utf8'))[0]
    } catch {
      return undefined // neither: the answer says so
    }
  }
}

/** Callers in this process pass objects that admission may alter. */
function copyOf(value: unknown): unknown {
  const text = stringifyJson(value)
  return text === undefined ? undefined : text.length > MAX_BODY_BYTES ? tooLarge : parseJson(text)
}

function objectOf({ body, headers }: ApiResponse): unknown {
  if (body.kind === 'object') return copyOf(body.object)
  if (body.kind !== 'bytes' || headers['content-encoding'] !== undefined || !String(headers['content-type']).startsWith('application/json')) return undefined
  const size = body.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return size > MAX_BODY_BYTES ? tooLarge : readBytes(Buffer.concat(body.chunks))
}

function withoutManagers(value: unknown): unknown {
  if (!isObject(value)) return value
  if (Array.isArray(value['items'])) return { ...value, items: value['items'].map(withoutManagers) }
  if (!isObject(value['metadata'])) return value
  const { managedFields: _dropped, ...metadata } = value['metadata']
  return { ...value, metadata }
}
