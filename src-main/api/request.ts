/**
 * The API server as a function: `(ApiRequest) => Promise<ApiResponse>`. The TLS port, the in-process client, the window's
 * bridge and tests all carry this one shape. In-process callers pass and receive objects instead of bytes.
 */
import type { WatchEvent } from './meta.ts'

export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export interface ApiRequest {
  readonly method: string
  /** Path and query as received, still percent-encoded: `/api/v1/pods?limit=5`. */
  readonly url: string
  /** Lower-case names; repeated headers joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** `object` only from in-process callers: a plain JSON value that the server may keep and freeze. */
  readonly body?: { readonly bytes: Uint8Array } | { readonly object: unknown }
  /** Only from trusted in-process callers: the authenticated user; skips authentication, never authorization. */
  readonly user?: UserInfo
  /** What the transport knows of its peer. */
  readonly peer?: { readonly address: string; /** DER of the client's certificate, not yet verified against the CA. */ readonly certificate?: Uint8Array }
  /** Aborted when the caller goes away. */
  readonly signal?: AbortSignal
  /** 'objects': answer with ApiBody kinds 'object' and 'events' where there is an object; default 'bytes'. */
  readonly answer?: 'bytes' | 'objects'
  /** The caller is done with a chunk of a stream when it asks for the next: long answers then come in one buffer that is filled again and again. */
  readonly reusesChunks?: boolean
}

/** Where a stream's items go when they are pushed rather than pulled. */
export interface Sink<T> {
  /** False: no more for now; `resume` says when. */
  write(item: T): boolean
  /** After the last item. */
  end(): void
}

/** A stream that can push its items, without a promise for each. */
export interface Drainable<T> {
  /** Instead of iterating. Returns the function with which the sink asks for more after it refused. */
  drainTo(sink: Sink<T>): () => void
}

export type ApiBody =
  | { readonly kind: 'none' }
  /** Chunks are written one after the other: stored bytes are shared, never copied. */
  | { readonly kind: 'bytes'; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: 'object'; readonly object: unknown }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array> & Partial<Drainable<Uint8Array>>; /** Of all chunks, where it is known. */ readonly length?: number }
  | { readonly kind: 'events'; readonly events: AsyncIterable<WatchEvent<unknown>> }

export interface ApiResponse {
  readonly status: number
  /** Lower-case names. A name with several values (warning) holds an array. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: ApiBody
}

export type ApiHandler = (request: ApiRequest) => Promise<ApiResponse>
