/** ANY /podProxy/{ns}/{pod}/{[https:]port}/{path}: HTTP to a pod of this node, which only this node can reach. */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { HttpFault } from './request-scope.ts'
import type { RequestScope } from './request-scope.ts'

/** Between two bytes of an answer. */
const idleMs = 300_000

interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly secure: boolean
}

function targetOf(scope: RequestScope, url: URL): Target {
  const [, , namespace = '', pod = '', portText = '', ...rest] = url.pathname.split('/')
  const worker = scope.kubelet.worker(decodeURIComponent(namespace), decodeURIComponent(pod))
  const host = worker?.status?.podIP
  if (!worker || host === undefined) throw new HttpFault(503, `pod "${pod}" is not running on this node`)
  const secure = portText.startsWith('https:')
  const port = Number(secure ? portText.slice('https:'.length) : portText)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new HttpFault(400, `invalid port: ${portText}`)
  return { host, port, path: `/${rest.join('/')}${url.search}`, secure }
}

export function podProxy(scope: RequestScope, url: URL, request: IncomingMessage, response: ServerResponse): void {
  const target = targetOf(scope, url)
  const headers: OutgoingHttpHeaders = { ...request.headers, connection: 'close' }
  // As kubelets: nobody can vouch for a pod's certificate.
  const options = { host: target.host, port: target.port, path: target.path, method: request.method ?? 'GET', headers, agent: false, rejectUnauthorized: false } as const
  const outgoing = (target.secure ? httpsRequest : httpRequest)(options, answer => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.pipe(response)
    answer.on('error', () => {
      response.destroy()
    })
  })
  outgoing.setTimeout(idleMs, () => {
    outgoing.destroy(new Error('no answer from the pod'))
  })
  outgoing.on('error', fault => {
    if (response.headersSent) response.destroy()
    else response.writeHead(503, { 'Content-Type': 'text/plain' }).end(`error trying to reach service: ${fault.message}`)
  })
  response.on('close', () => {
    outgoing.destroy()
  })
  request.pipe(outgoing)
}

/** WebSockets and the like: the request is written anew and the two sockets are joined. */
export function podProxyUpgrade(scope: RequestScope, url: URL, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const target = targetOf(scope, url)
  // The API server's own way to a port (webhooks, aggregated servers): TLS is between it and the pod, bytes pass unread.
  const bare = request.headers.upgrade === 'tcp'
  const upstream: Socket = target.secure
    ? connectTls({ host: target.host, port: target.port, rejectUnauthorized: false }, begin)
    : connect({ host: target.host, port: target.port }, begin)
  function begin(): void {
    if (bare) {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      if (head.length > 0) upstream.write(head)
      socket.pipe(upstream).pipe(socket)
      return
    }
    const lines = [`${request.method ?? 'GET'} ${target.path} HTTP/1.1`]
    for (let i = 0; i < request.rawHeaders.length; i += 2) lines.push(`${request.rawHeaders[i] ?? ''}: ${request.rawHeaders[i + 1] ?? ''}`)
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`)
    if (head.length > 0) upstream.write(head)
    socket.pipe(upstream).pipe(socket)
  }
  const end = (): void => {
    upstream.destroy()
    socket.destroy()
  }
  upstream.on('error', end).on('close', end)
  socket.on('error', end).on('close', end)
}
