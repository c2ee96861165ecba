/**
 * Port-forward: SPDY/3.1 with a pair of streams (error, data) a connection, either directly or inside a WebSocket tunnel
 * (subprotocol SPDY/3.1+portforward.k8s.io). Connections go to the pod's address.
 */
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { SpdyConnection } from './spdy/connection.ts'
import type { SpdyStream } from './spdy/connection.ts'
import { HttpFault } from './request-scope.ts'
import type { RequestScope } from './request-scope.ts'

export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io'
const protocol = 'portforward.k8s.io'
/** An error or data stream without its partner is dropped after this. */
const pairTimeoutMs = 30_000
const maxPairs = 500

const webSockets = new WebSocketServer({
  noServer: true,
  maxPayload: 1 << 20,
  perMessageDeflate: false,
  handleProtocols: offered => (offered.has(tunnelProtocol) ? tunnelProtocol : false),
})

// eslint-disable-next-line @typescript-eslint/require-await -- thrown faults become rejections
export async function portForward(scope: RequestScope, parts: readonly string[], request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const [namespace = '', pod = ''] = parts
  const worker = scope.kubelet.worker(namespace, pod)
  if (!worker) throw new HttpFault(404, `pod "${pod}/${namespace}" not found`)
  const address = worker.status?.podIP
  if (address === undefined || address === '') throw new HttpFault(400, `pod ${pod} has no address yet`)
  const upgrade = (request.headers.upgrade ?? '').toLowerCase()
  if (upgrade === 'websocket') {
    if (
      !String(request.headers['sec-websocket-protocol'] ?? '')
        .split(',')
        .some(text => text.trim() === tunnelProtocol)
    )
      throw new HttpFault(400, `unable to upgrade: only ${tunnelProtocol} is supported`)
    webSockets.handleUpgrade(request, socket, head, webSocket => {
      serve(scope, tunnel(webSocket), address)
    })
  } else if (upgrade === 'spdy/3.1') {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`)
    if (head.length > 0) socket.unshift(head)
    serve(scope, socket, address)
  } else throw new HttpFault(400, 'unable to upgrade: unknown protocol')
}

/** The bytes inside binary messages as a stream. */
export function tunnel(webSocket: WebSocket): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: false,
    read: () => {
      webSocket.resume()
    },
    write: (chunk: Buffer, _encoding, done) => {
      if (webSocket.readyState !== WebSocket.OPEN) {
        done(new Error('WebSocket is closed'))
        return
      }
      webSocket.send(chunk, { binary: true }, fault => {
        done(fault ?? null)
      })
    },
    final: done => {
      webSocket.close(1000)
      done()
    },
    destroy: (fault, done) => {
      webSocket.terminate()
      done(fault)
    },
  })
  webSocket.on('message', (data: Buffer) => {
    if (!duplex.push(data)) webSocket.pause()
  })
  webSocket.on('close', () => {
    duplex.push(null)
    duplex.destroy()
  })
  webSocket.on('error', () => {
    duplex.destroy()
  })
  return duplex
}

interface Pair {
  error?: SpdyStream
  data?: SpdyStream
  cancel: () => void
}

function serve(scope: RequestScope, socket: Duplex, address: string): void {
  const pairs = new Map<string, Pair>()
  const connection = new SpdyConnection(
    socket,
    stream => {
      const type = stream.headers.get('streamtype')
      const port = Number(stream.headers.get('port') ?? '')
      if ((type !== 'error' && type !== 'data') || !Number.isInteger(port) || port < 1 || port > 65_535 || pairs.size >= maxPairs) {
        stream.reset()
        return
      }
      // Old clients give no request id: the error stream's id is two less than its data stream's.
      const id = stream.headers.get('requestid') ?? String(type === 'error' ? stream.id : stream.id - 2)
      const pair: Pair = pairs.get(id) ?? {
        cancel: scope.env.clock.after(pairTimeoutMs, () => {
          pairs.delete(id)
          stream.reset()
        }),
      }
      pairs.set(id, pair)
      pair[type] = stream
      if (!pair.error || !pair.data) return
      pair.cancel()
      pairs.delete(id)
      forward(pair.error, pair.data, address, port)
    },
    () => {
      for (const pair of pairs.values()) pair.cancel()
    },
  )
  void connection
}

function forward(error: SpdyStream, data: SpdyStream, address: string, port: number): void {
  const target = connect({ host: address, port, allowHalfOpen: true })
  let connected = false
  target.on('connect', () => {
    connected = true
    data.duplex.pipe(target)
    target.pipe(data.duplex)
  })
  target.on('error', fault => {
    if (!connected) error.duplex.write(`error forwarding port ${port} to pod: dial tcp ${address}:${port}: ${fault.message}`)
    data.duplex.end()
    error.duplex.end()
  })
  target.on('close', () => {
    data.duplex.end()
    error.duplex.end()
  })
  data.duplex.on('close', () => {
    target.destroy()
  })
}
