/**
 * The transport over TLS for Node programs (agent, headless tools, tests): keep-alive connections, a client certificate
 * or a token, the cluster's CA. Every answer is a stream, so watches and logs flow as they come; callers reconnect.
 */
import { Agent, request as httpsRequest } from 'node:https'
import type { RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { encodeJson } from '../../api/json.ts'
import type { ApiRequest, ApiResponse } from '../../api/request.ts'
import type { Transport } from '../client.ts'

export interface HttpsTransportOptions {
  /** `https://host:port` */
  readonly server: string
  /** PEM; without it the system's authorities are used. */
  readonly ca?: string
  /** PEM of the client certificate and its key. */
  readonly cert?: string
  readonly key?: string
  /** Bearer token, or a function that gives the current one. */
  readonly token?: string | (() => string)
  /** A name to verify the server's certificate against, where it differs from the host. */
  readonly serverName?: string
  /** An unanswered request fails after this. Default 30 s. A started stream may be silent for `idleTimeoutMs`. */
  readonly answerTimeoutMs?: number
  /** A stream without a byte for this long is taken for dead. Default 10 min: bookmarks come at least every minute, followed logs may be quiet. 0 = never. */
  readonly idleTimeoutMs?: number
}

export interface HttpsTransport {
  (request: ApiRequest): Promise<ApiResponse>
  close(): void
}

/** Resolves with any answer the server gives; rejects only when there is none (refused, reset, timed out, aborted). */
export function httpsTransport(options: HttpsTransportOptions): HttpsTransport & Transport {
  const agent = new Agent({ keepAlive: true, keepAliveMsecs: 15_000, maxSockets: Infinity, maxFreeSockets: 8 })
  const base = new URL(options.server)
  const send = (request: ApiRequest): Promise<ApiResponse> => exchange(agent, base, options, request)
  return Object.assign(send, {
    close: () => {
      agent.destroy()
    },
  })
}

function exchange(agent: Agent, base: URL, options: HttpsTransportOptions, request: ApiRequest): Promise<ApiResponse> {
  const bytes = request.body && ('bytes' in request.body ? request.body.bytes : encodeJson(request.body.object))
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(requestOptions(agent, base, options, request, bytes), incoming => {
      incoming.setTimeout(options.idleTimeoutMs ?? 600_000, () => {
        incoming.destroy(new Error('the connection was silent for too long'))
      })
      resolve({ status: incoming.statusCode ?? 0, headers: headersOf(incoming), body: { kind: 'stream', chunks: incoming } })
    })
    outgoing.setTimeout(options.answerTimeoutMs ?? 30_000, () => {
      outgoing.destroy(new Error(`no answer from ${base.host}`))
    })
    outgoing.on('error', reject)
    outgoing.on('socket', socket => {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 15_000)
    })
    outgoing.end(bytes)
  })
}

function requestOptions(agent: Agent, base: URL, options: HttpsTransportOptions, request: ApiRequest, bytes: Uint8Array | undefined): RequestOptions {
  const token = typeof options.token === 'function' ? options.token() : options.token
  return {
    agent,
    host: base.hostname.replace(/^\[|\]$/g, ''),
    port: base.port || 443,
    method: request.method,
    path: request.url,
    headers: {
      ...request.headers,
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(bytes ? { 'content-length': String(bytes.length) } : {}),
    },
    ...(options.ca ? { ca: options.ca } : {}),
    ...(options.cert ? { cert: options.cert, key: options.key } : {}),
    ...(options.serverName ? { servername: options.serverName } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
  }
}

function headersOf(incoming: IncomingMessage): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(incoming.headers)) if (value !== undefined) headers[name] = value
  return headers
}
