/**
 * The typed client: the only way in which controllers, scheduler, provisioning, node agent and window reach the cluster.
 * It works over any Transport: in-process (objects are passed, not bytes), HTTPS with certificate or token, or the
 * window's bridge. Errors are StatusError (api/status-error.ts).
 */
import type { KubernetesList, KubernetesObject, WatchEvent } from '../api/meta.ts'
import type { ApiBody, ApiRequest, ApiResponse } from '../api/request.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** Carries one request. The same shape as the API server itself, so the in-process transport is the server's handler with a user. */
export type Transport = (request: ApiRequest) => Promise<ApiResponse>

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

export interface Scoped {
  readonly namespace?: string
}
export interface ReadOptions {
  readonly resourceVersion?: string
  readonly signal?: AbortSignal
}
export interface ListOptions extends ReadOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
}
export interface WatchOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly resourceVersion?: string
  readonly allowWatchBookmarks?: boolean
  readonly sendInitialEvents?: boolean
  readonly timeoutSeconds?: number
  readonly signal?: AbortSignal
}
export interface WriteOptions {
  readonly dryRun?: boolean
  readonly fieldManager?: string
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore'
  readonly signal?: AbortSignal
}
export interface DeleteOptions extends Scoped {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: boolean
}
export interface PatchOptions extends WriteOptions, Scoped {
  readonly subresource?: string
  readonly force?: boolean
}

export interface ResourceClient<T extends KubernetesObject> {
  readonly resource: ResourceDefinition<T>
  get(name: string, options?: ReadOptions & Scoped): Promise<T>
  list(options?: ListOptions): Promise<KubernetesList<T>>
  /** Ends when the server ends it or the signal aborts; an ERROR event is thrown as a StatusError. */
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** metadata.namespace gives the namespace. */
  create(object: T, options?: WriteOptions): Promise<T>
  update(object: T, options?: WriteOptions): Promise<T>
  updateStatus(object: T, options?: WriteOptions): Promise<T>
  patch(name: string, type: PatchType, body: unknown, options?: PatchOptions): Promise<T>
  delete(name: string, options?: DeleteOptions): Promise<void>
  deleteCollection(options?: ListOptions & Omit<DeleteOptions, 'namespace'>): Promise<void>
  /** POST to a subresource (binding, eviction, token, approval by PUT …) with another kind as body and answer. */
  createSub<B, R>(name: string, subresource: string, body: B, options?: WriteOptions & Scoped): Promise<R>
  getSub<R>(name: string, subresource: string, options?: ReadOptions & Scoped): Promise<R>
  updateSub<B, R>(name: string, subresource: string, body: B, options?: WriteOptions & Scoped): Promise<R>
}

export interface Client {
  resource<T extends KubernetesObject>(definition: ResourceDefinition<T>): ResourceClient<T>
  /** Any path, for proxies, logs, discovery and the like. Does not throw on an error status. */
  raw(request: Omit<ApiRequest, 'headers'> & { headers?: Record<string, string> }): Promise<ApiResponse>
  /** Text of a raw answer's body, at most `maxBytes` (default 16 MiB). */
  text(body: ApiBody, maxBytes?: number): Promise<string>
}
