/**
 * The TLS port of the API server: HTTP/2 and HTTP/1.1 on one listener, optional client certificates (verified by the
 * x509 authenticator, not here), upgrades, limits. Turns what arrives into ApiRequests and writes ApiResponses.
 * Listens on the loopback only unless told otherwise. `serveConnection` serves any byte stream as a connection, so the
 * channels of a node's SSH connection reach the API without a port.
 */
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type ServerHttp2Session } from 'node:http2'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { AddressInfo, Server } from 'node:net'
import type { ApiHandler, ApiRequest, ApiResponse } from '../api/request.ts'
import type { Env } from '../base/env.ts'
import { encodeJson } from '../api/json.ts'
import { statusOf, StatusError } from '../api/status-error.ts'
import type { UpgradeHandler } from './contracts.ts'
import { goneAway, Presence, writeAnswer } from './write-answer.ts'
import type { Outgoing } from './write-answer.ts'

export interface ServeOptions {
  readonly env: Env
  readonly handle: ApiHandler
  readonly upgrade: UpgradeHandler
  /** PEM. */
  readonly certificate: string
  readonly privateKey: string
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 picks a free one; undefined opens no port (only serveConnection). */
  readonly port?: number
  readonly limits?: Partial<ServeLimits>
}

export interface ServeLimits {
  /** Of all header fields of a request. Kubernetes' own servers take 1 MiB; certificates and tokens fit in far less. */
  readonly headerBytes: number
  /** As upstream's --max-request-bytes: 3 MiB. */
  readonly bodyBytes: number
  /** Open connections, channels included: each costs some 30 kB. */
  readonly connections: number
  /** Requests at once on one HTTP/2 connection, as upstream. */
  readonly streamsPerConnection: number
  /** A client has this long to finish its headers, and then as long again without a byte of the body (slow-loris). */
  readonly stallMs: number
  /** HTTP/2 connections without a request are closed after this long. */
  readonly idleMs: number
}

const defaultLimits: ServeLimits = { headerBytes: 64 * 1024, bodyBytes: 3 * 1024 * 1024, connections: 10_000, streamsPerConnection: 250, stallMs: 30_000, idleMs: 180_000 }

export interface ApiPort {
  /** The TCP port; 0 when none was opened. */
  readonly port: number
  readonly connections: number
  /** Serves TLS on a byte stream as if it had been accepted at the port. */
  serveConnection(stream: Duplex): void
  /** Shows another certificate to new connections. */
  setCertificate(certificate: string, privateKey: string): void
  /** Refuses new connections, lets requests end for `graceMs` (default 2,000), then cuts the rest. */
  stop(graceMs?: number): Promise<void>
}

type Incoming = IncomingMessage | Http2ServerRequest

/** Opens the port. Rejects with the system's error (EADDRINUSE …) when it cannot listen. */
export async function serveHttps(options: ServeOptions): Promise<ApiPort> {
  const limits = { ...defaultLimits, ...options.limits }
  const server = createSecureServer({
    allowHTTP1: true,
    cert: options.certificate,
    key: options.privateKey,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.stallMs,
    settings: { maxConcurrentStreams: limits.streamsPerConnection, maxHeaderListSize: limits.headerBytes, initialWindowSize: 1024 * 1024 },
    maxSessionMemory: 64,
    http1Options: { maxHeaderSize: limits.headerBytes, connectionsCheckingInterval: Math.ceil(limits.stallMs / 3) } as object,
  })
  // Also those that have not shaken hands: they cost memory just as well.
  server.maxConnections = limits.connections
  const http1 = server as unknown as { headersTimeout: number; requestTimeout: number; keepAliveTimeout: number; maxHeaderSize: number }
  http1.headersTimeout = limits.stallMs
  http1.requestTimeout = 10 * limits.stallMs
  http1.keepAliveTimeout = limits.idleMs
  http1.maxHeaderSize = limits.headerBytes

  const sockets = new Set<TLSSocket>()
  const sessions = new Set<ServerHttp2Session>()
  trackConnections(server, sockets, sessions, limits)
  server.on('request', (incoming: Incoming, outgoing: Outgoing) => {
    void answer(options, limits, incoming, outgoing)
  })
  ;(server as unknown as Server).on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    void takeOver(options, incoming, socket, head)
  })
  server.on('sessionError', () => {}) // a client that breaks the protocol loses its connection; nothing to do for us
  server.on('tlsClientError', () => {})
  ;(server as unknown as Server).on('clientError', (_fault: Error, socket: Duplex) => {
    socket.destroy()
  })

  if (options.port !== undefined) await listen(server, options.port, options.host ?? '127.0.0.1')
  const address = options.port === undefined ? undefined : (server.address() as AddressInfo)
  return {
    port: address?.port ?? 0,
    get connections() {
      return sockets.size
    },
    serveConnection(stream) {
      stream.on('error', () => {}) // the TLS socket above it ends with it
      server.emit('connection', stream)
    },
    setCertificate(certificate, privateKey) {
      server.setSecureContext({ cert: certificate, key: privateKey, minVersion: 'TLSv1.2' })
    },
    stop: graceMs => stop(server, sockets, sessions, options, graceMs ?? 2_000),
  }
}

function listen(server: Http2SecureServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function trackConnections(server: Http2SecureServer, sockets: Set<TLSSocket>, sessions: Set<ServerHttp2Session>, limits: ServeLimits): void {
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (sockets.size >= limits.connections) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
    })
  })
  server.on('session', session => {
    sessions.add(session)
    session.once('close', () => {
      sessions.delete(session)
    })
    session.on('error', () => {})
    session.setTimeout(limits.idleMs, () => {
      if (streamsOf(session) === 0) session.close()
    })
  })
  server.on('stream', stream => {
    const session = stream.session
    if (!session) return
    openStreams.set(session, streamsOf(session) + 1)
    stream.once('close', () => {
      openStreams.set(session, streamsOf(session) - 1)
    })
  })
}

const openStreams = new WeakMap<object, number>()
function streamsOf(session: object): number {
  return openStreams.get(session) ?? 0
}

async function stop(server: Http2SecureServer, sockets: Set<TLSSocket>, sessions: Set<ServerHttp2Session>, options: ServeOptions, graceMs: number): Promise<void> {
  const closed = new Promise<void>(resolve => {
    if (options.port === undefined) resolve()
    else
      server.close(() => {
        resolve()
      })
  })
  for (const session of sessions) session.close()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const cancel = options.env.clock.after(graceMs, cut)
  if (graceMs === 0) cut()
  await closed
  cancel()
  cut()
}

/* ---- requests ---- */

function headersOf(headers: IncomingHttpHeaders): Record<string, string> {
  const out = Object.create(null) as Record<string, string>
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined) continue
    // Fields of HTTP/2 itself begin with a colon.
    if (name.charCodeAt(0) !== 58) out[name] = typeof value === 'string' ? value : value.join(', ')
    else if (name === ':authority') out['host'] ??= String(value)
  }
  return out
}

const peers = new WeakMap<TLSSocket, NonNullable<ApiRequest['peer']>>()

/** One object a connection, so that the authenticator verifies a certificate once. */
function peerOf(socket: TLSSocket): ApiRequest['peer'] {
  let peer = peers.get(socket)
  if (!peer) peers.set(socket, (peer = readPeer(socket)))
  return peer
}

function readPeer(socket: TLSSocket): NonNullable<ApiRequest['peer']> {
  const certificate = typeof socket.getPeerX509Certificate === 'function' ? socket.getPeerX509Certificate() : undefined
  const address = socket.remoteAddress ?? ''
  return certificate ? { address, certificate: new Uint8Array(certificate.raw) } : { address }
}

function socketOf(incoming: Incoming): TLSSocket {
  return ('stream' in incoming ? incoming.stream.session?.socket : incoming.socket) as TLSSocket
}

const ignore = (): void => {}
const noBytes = new Uint8Array()

async function answer(options: ServeOptions, limits: ServeLimits, incoming: Incoming, outgoing: Outgoing): Promise<void> {
  const client = new Presence()
  let isAnswered = false
  outgoing.on('close', () => {
    if (!isAnswered) client.leave()
  })
  outgoing.on('error', ignore)
  incoming.on('error', ignore)
  try {
    const body = hasNoBody(incoming, limits) ? noBytes : await readBody(options.env, limits, incoming)
    if (body === 'too-large' || body === 'stalled') {
      await refuse(options.env, outgoing, body)
      return
    }
    const request: ApiRequest = {
      method: incoming.method ?? 'GET',
      url: incoming.url ?? '/',
      headers: headersOf(incoming.headers),
      ...(body.length > 0 ? { body: { bytes: body } } : undefined),
      peer: peerOf(socketOf(incoming)),
      get signal() {
        return client.signal
      },
      answer: 'bytes',
      reusesChunks: true,
    }
    const response = await handleOne(options, request)
    await writeAnswer(response, outgoing, client)
    isAnswered = true
  } catch (fault) {
    if (!client.gone) options.env.log.log('error', 'a request failed', { method: incoming.method, fault })
    if (!outgoing.headersSent) {
      outgoing.statusCode = 500
      outgoing.end()
    } else destroy(outgoing)
  }
}

async function handleOne(options: ServeOptions, request: ApiRequest): Promise<ApiResponse> {
  try {
    return await options.handle(request)
  } catch (fault) {
    if (!(fault instanceof StatusError)) throw fault
    return { status: fault.code, headers: { 'content-type': 'application/json' }, body: { kind: 'bytes', chunks: [encodeJson(statusOf(fault))] } }
  }
}

function destroy(outgoing: Outgoing): void {
  if ('stream' in outgoing && outgoing.stream) (outgoing.stream as { destroy(): void }).destroy()
  else (outgoing as ServerResponse).destroy()
}

/** Nobody reads the body of a GET; what comes all the same is thrown away, unless it is too long for that. */
function hasNoBody(incoming: Incoming, limits: ServeLimits): boolean {
  if (incoming.method !== 'GET' && incoming.method !== 'HEAD') return false
  if (Number(incoming.headers['content-length'] ?? 0) > limits.bodyBytes) return false
  incoming.resume()
  return true
}

/** The whole body, bounded in size and in the time between two chunks. Throws when the client goes away. */
function readBody(env: Env, limits: ServeLimits, incoming: Incoming): Promise<Uint8Array | 'too-large' | 'stalled'> {
  const declared = Number(incoming.headers['content-length'] ?? 0)
  if (declared > limits.bodyBytes) return Promise.resolve('too-large')
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    let cancel = env.clock.after(limits.stallMs, () => {
      resolve('stalled')
    })
    incoming.on('data', (chunk: Uint8Array) => {
      cancel()
      length += chunk.length
      if (length > limits.bodyBytes) {
        incoming.pause()
        resolve('too-large')
        return
      }
      chunks.push(chunk)
      cancel = env.clock.after(limits.stallMs, () => {
        resolve('stalled')
      })
    })
    incoming.on('end', () => {
      cancel()
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length))
    })
    incoming.on('close', () => {
      cancel()
      reject(goneAway)
    })
  })
}

async function refuse(env: Env, outgoing: Outgoing, why: 'too-large' | 'stalled'): Promise<void> {
  const [code, reason, message] =
    why === 'too-large'
      ? ([413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'] as const)
      : ([408, 'Timeout', 'the body of the request did not arrive in time'] as const)
  ;(outgoing as ServerResponse).writeHead(code, { 'content-type': 'application/json', ...('stream' in outgoing ? {} : { connection: 'close' }) })
  outgoing.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }))
  // What the client still sends is not read: the connection (or stream) ends once the answer is out.
  env.clock.after(1_000, () => {
    destroy(outgoing)
  })
}

/* ---- upgrades ---- */

async function takeOver(options: ServeOptions, incoming: IncomingMessage, socket: Duplex, head: Uint8Array): Promise<void> {
  const abort = new AbortController()
  socket.once('close', () => {
    abort.abort(goneAway)
  })
  socket.on('error', () => {
    socket.destroy()
  })
  const request: ApiRequest = {
    method: incoming.method ?? 'GET',
    url: incoming.url ?? '/',
    headers: headersOf(incoming.headers),
    peer: peerOf(incoming.socket as TLSSocket),
    signal: abort.signal,
    answer: 'bytes',
  }
  try {
    await options.upgrade(request, socket, head)
  } catch (fault) {
    options.env.log.log('error', 'an upgrade failed', { url: incoming.url?.split('?')[0], fault })
    socket.destroy()
  }
}
