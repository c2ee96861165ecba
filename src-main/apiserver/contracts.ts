/**
 * What the handler chain expects of its parts. Chain: authenticate → (impersonate) → authorize → admission → registry.
 */
import type { Duplex } from 'node:stream'
import type { AnyResource } from '../api/resource.ts'
import type { KubernetesObject } from '../api/meta.ts'
import type { ApiRequest, UserInfo } from '../api/request.ts'

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

export interface Attributes extends Omit<RequestInfo, 'query'> { readonly user: UserInfo; readonly fieldSelector?: string; readonly labelSelector?: string }

export type Decision = { readonly allowed: true; readonly reason: string } | { readonly allowed: false; readonly denied?: boolean; readonly reason: string }

export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision>
  /** For SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): Promise<{ resourceRules: object[]; nonResourceRules: object[]; incomplete: boolean; evaluationError?: string }>
}

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

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
