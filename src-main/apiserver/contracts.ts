/**
 * What the handler chain expects of its parts. Chain: authenticate → (impersonate) → authorize → admission → registry.
 */
import type { Duplex } from 'node:stream'
import type { AnyResource } from '../api/resource.ts'
import type { KubernetesObject } from '../api/meta.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '../api/request.ts'

/** What a request asks for, as Kubernetes' RequestInfo. */
export interface RequestInfo {
  readonly isResource: boolean
  /** Path without the query, percent-decoded. */
  readonly path: string
  /** get, list, watch, create, update, patch, delete, deletecollection; for non-resource paths the method in lower case. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly query: URLSearchParams
}

/** Resolves undefined when it has no opinion; throws unauthorized (StatusError) for credentials that are wrong. */
export interface Authenticator {
  authenticate(request: ApiRequest): Promise<UserInfo | undefined>
}

export interface Attributes extends Omit<RequestInfo, 'query'> {
  readonly user: UserInfo
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

export type Decision = { readonly allowed: true; readonly reason: string } | { readonly allowed: false; readonly denied?: boolean; readonly reason: string }

export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision>
  /** For SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): Promise<{ resourceRules: object[]; nonResourceRules: object[]; incomplete: boolean; evaluationError?: string }>
}

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** Shared by the rounds of mutation of one request: where a plugin changes the object, those before it may run once more. */
export interface Reinvocation {
  /** True in the second round. */
  active: boolean
  /** Set by a plugin that changed the object. */
  wanted: boolean
  /** What plugins keep between the rounds, by their name. */
  readonly state: Map<string, unknown>
}

export interface AdmissionAttributes {
  readonly operation: AdmissionOperation
  readonly resource: AnyResource
  readonly subresource: string
  readonly namespace: string
  /** May be empty on CREATE with generateName. */
  readonly name: string
  /** Mutable in `mutate`; the body of the subresource for CREATE/UPDATE of one; undefined for DELETE. */
  object: KubernetesObject | undefined
  readonly previous: KubernetesObject | undefined
  readonly options: Readonly<Record<string, unknown>>
  readonly user: UserInfo
  readonly dryRun: boolean
  readonly reinvocation: Reinvocation
  /** Adds an annotation to the request's audit event. */
  annotate(key: string, value: string): void
  /** Adds a Warning header. */
  warn(text: string): void
}

/** Throws a StatusError to refuse. Mutating plugins run first, in list order, then all validations. */
export interface AdmissionPlugin {
  readonly name: string
  mutate?(attributes: AdmissionAttributes): Promise<void>
  validate?(attributes: AdmissionAttributes): Promise<void>
}

/** Answers a resource whose objects are not stored: reviews, metrics. */
export interface VirtualStorage {
  create?(object: KubernetesObject, context: { user: UserInfo; namespace: string; dryRun: boolean }): Promise<KubernetesObject>
  get?(name: string, namespace: string): Promise<KubernetesObject>
  list?(namespace: string, labelSelector: string): Promise<KubernetesObject[]>
}

/** Serves a request that takes over its connection (WebSocket or SPDY upgrade). The handler writes the HTTP answer itself and ends the socket. */
export type UpgradeHandler = (request: ApiRequest, socket: Duplex, head: Uint8Array) => Promise<void>

/** An authenticated request on its way through the chain, as parts outside the registry see it. */
export interface RequestContext {
  readonly request: ApiRequest
  readonly info: RequestInfo
  readonly user: UserInfo
  /** Adds a Warning header. */
  warn(text: string): void
}

/** Paths that are no resources: discovery, openapi, version, health, metrics. Authorized already; resolves undefined for a path it does not know (→ 404). */
export type NonResourceHandler = (context: RequestContext) => Promise<ApiResponse | undefined>

/**
 * A subresource with a handler of its own (pods/log, serviceaccounts/token, nodes/proxy …). Authorized already; admission of
 * CONNECT or CREATE is done by the handler chain before. Throws StatusError. `body` decodes the request's body (JSON or YAML
 * bytes, or the in-process object) to a plain value.
 */
export interface SubresourceHandler {
  /** Answers without taking over the connection. */
  handle?(context: SubresourceContext): Promise<ApiResponse>
  /** Takes over the connection (exec, attach, portforward, proxied upgrades); absent: upgrades are refused with 400. */
  upgrade?(context: SubresourceContext, socket: Duplex, head: Uint8Array): Promise<void>
}

export interface SubresourceContext extends RequestContext {
  readonly resource: AnyResource
  body(): Promise<unknown>
}
