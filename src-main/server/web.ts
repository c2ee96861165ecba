/**
 * The window in a browser: HTTP for its files and a WebSocket that carries the bridge. Listens on loopback only. Who may
 * speak: the token (256 bits, in the address's fragment, so that it is in no request line or log) and Host and Origin
 * that are this very address, which shuts out DNS rebinding, cross-site requests and other pages of the same computer.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { readFile } from 'node:fs/promises'
import { timingSafeEqual } from 'node:crypto'
import { extname, join, normalize, sep } from 'node:path'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { RawData, WebSocket } from 'ws'
import type { BridgeHandlers } from '../api/bridge.ts'
import { decodeFrame, encodeFrame, maxFrameBytes } from '../api/bridge-frames.ts'
import { createDispatcher } from '../bridge/dispatch.ts'
import type { Env } from '../base/env.ts'

export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.woff2': 'font/woff2',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.ico': 'image/x-icon',
  '.map': 'application/json',
}

/** Windows of one user: a handful; more is a loop. */
const maxWindows = 32

export interface WebOptions {
  env: Env
  handlers: BridgeHandlers
  /** Directory of the built window. */ files: string
  host?: string
  port?: number
  token?: string
}
export interface Web {
  url: string
  port: number
  token: string
  stop(): Promise<void>
}

export async function serveWeb(options: WebOptions): Promise<Web> {
  const host = options.host ?? '127.0.0.1'
  const token = options.token ?? Buffer.from(options.env.random.bytes(32)).toString('base64url')
  const server = createServer((request, response) => {
    void serveFile(options.files, hostsOf(server), request, response)
  })
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, handleProtocols: () => 'quarterdeck.v1' })
  server.on('upgrade', (request, socket, head) => {
    if (!mayConnect(request, hostsOf(server), token) || sockets.clients.size >= maxWindows) {
      refuse(socket)
      return
    }
    sockets.handleUpgrade(request, socket, head, connection => {
      carry(connection, options)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://${host}:${port}/#token=${token}`,
    port,
    token,
    async stop() {
      for (const connection of sockets.clients) connection.terminate()
      server.closeAllConnections()
      await new Promise<void>(resolve => {
        server.close(() => {
          resolve()
        })
      })
    },
  }
}

function hostsOf(server: Server): string[] {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
}

function mayConnect(request: IncomingMessage, hosts: string[], token: string): boolean {
  if (request.url !== '/bridge' || !hosts.includes(request.headers.host ?? '')) return false
  const origin = request.headers.origin
  if (origin === undefined || !hosts.some(h => origin === `http://${h}`)) return false
  // The token travels as a subprotocol: browsers let a page set no header on a WebSocket, and an address would be logged.
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(p => p.trim())
  return offered.includes('quarterdeck.v1') && offered.some(p => p.startsWith('token.') && sameText(p.slice(6), token))
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

function refuse(socket: Duplex): void {
  socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

function carry(connection: WebSocket, options: WebOptions): void {
  const dispatcher = createDispatcher(
    options.handlers,
    frame => {
      if (connection.readyState === connection.OPEN) connection.send(encodeFrame(frame))
    },
    (error, method) => {
      options.env.log.log('warn', 'bridge call failed', { method, error: error instanceof Error ? error.message : String(error) })
    },
  )
  connection.on('message', (data: RawData, binary: boolean) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data
    try {
      dispatcher.receive(decodeFrame(binary ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes.toString('utf8')))
    } catch {
      connection.close(1003, 'not a frame')
    }
  })
  connection.on('close', () => {
    dispatcher.close()
  })
  connection.on('error', () => {
    connection.terminate()
  })
}

async function serveFile(root: string, hosts: string[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = (status: number, type: string, body: Uint8Array | string): void => {
    response.writeHead(status, {
      'content-type': type,
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': request.url?.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (!hosts.includes(request.headers.host ?? '')) {
    answer(403, 'text/plain', 'wrong host')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answer(405, 'text/plain', 'method not allowed')
    return
  }
  const path = filePath(root, request.url ?? '/')
  if (path === undefined) {
    answer(404, 'text/plain', 'not found')
    return
  }
  try {
    answer(200, contentTypes[extname(path)] ?? 'application/octet-stream', await readFile(path))
  } catch {
    answer(404, 'text/plain', 'not found')
  }
}

/** The file of a request path, or undefined when it would be outside of `root`. */
export function filePath(root: string, url: string): string | undefined {
  let path: string
  try {
    path = decodeURIComponent(url.split(/[?#]/)[0] ?? '/')
  } catch {
    return undefined
  }
  if (path.includes('\0') || path.includes('\\')) return undefined
  const full = normalize(join(root, path === '/' ? 'index.html' : path))
  return full.startsWith(normalize(root) + sep) ? full : undefined
}
