/** Hands a request on to somewhere else over HTTP/1.1: as an answer that streams, or byte by byte after an upgrade. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ApiResponse } from '../../api/request.ts'
import { statusOf } from '../../api/status-error.ts'
import { encodeJson } from '../../api/json.ts'
import type { AgentAnswer } from './agent-connection.ts'

/** Fields that belong to one hop, and those by which the caller proved who it is: they must not reach the other side. */
const notForwarded = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'authorization',
  'cookie',
  'http2-settings',
])

/** Headers to send on. With `upgrade` the two fields that ask for it stay. */
export function forwardedHeaders(headers: Readonly<Record<string, string>>, upgrade = false): Record<string, string> {
  const out: Record<string, string> = { host: 'localhost' }
  for (const [name, value] of Object.entries(headers)) {
    if (notForwarded.has(name) || name.startsWith('impersonate-')) continue
    out[name] = name === 'sec-websocket-protocol' ? withoutToken(value) : value
  }
  if (upgrade) {
    out['connection'] = 'Upgrade'
    if (headers['upgrade'] !== undefined) out['upgrade'] = headers['upgrade']
  }
  return out
}

/** Browsers put the bearer token among the subprotocols. */
function withoutToken(protocols: string): string {
  return protocols
    .split(',')
    .map(one => one.trim())
    .filter(one => !one.startsWith('base64url.bearer.authorization.k8s.io.'))
    .join(', ')
}

/** The other side's answer as ours; the body streams. */
export function forwardAnswer(message: IncomingMessage): ApiResponse {
  const headers: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(message.headers))
    if (value !== undefined && name !== 'connection' && name !== 'transfer-encoding' && name !== 'keep-alive') headers[name] = value
  return { status: message.statusCode ?? 502, headers, body: { kind: 'stream', chunks: chunksOf(message) } }
}

/** A connection that breaks in the middle ends the stream: half a log is what there is. */
async function* chunksOf(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of message) yield chunk as Uint8Array
  } catch {
    // The reader sees the end.
  } finally {
    message.destroy()
  }
}

/** Writes the other side's answer to an upgrade request onto the client's connection, then joins the two byte streams. */
export async function joinUpgrade(answer: AgentAnswer, socket: Duplex, head: Uint8Array): Promise<void> {
  const { message } = answer
  socket.write(`${headText(message)}\r\n`)
  if (answer.kind === 'response') {
    for await (const chunk of message) if (!socket.write(chunk as Uint8Array)) await drained(socket)
    socket.end()
    return
  }
  const { stream } = answer
  if (answer.head.length > 0) socket.write(answer.head)
  if (head.length > 0) stream.write(head)
  await new Promise<void>(resolve => {
    const close = (): void => {
      stream.destroy()
      socket.destroy()
      resolve()
    }
    // A half-closed side passes its end on; errors and closes end both.
    for (const [from, to] of [
      [socket, stream],
      [stream, socket],
    ] as const) {
      from.on('error', close)
      from.on('close', close)
      from.pipe(to)
    }
  })
}

function drained(socket: Duplex): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.once('drain', done)
    socket.once('close', done)
  })
}

/** Status line and headers as they came. */
function headText(message: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${message.statusCode ?? 502} ${message.statusMessage ?? ''}`]
  const raw = message.rawHeaders
  const isUpgrade = message.statusCode === 101
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? ''
    // The body was un-chunked on the way here, and the connection ends with it.
    if (!isUpgrade && ['transfer-encoding', 'connection', 'keep-alive'].includes(name.toLowerCase())) continue
    lines.push(`${name}: ${raw[i + 1] ?? ''}`)
  }
  if (!isUpgrade) lines.push('Connection: close')
  return `${lines.join('\r\n')}\r\n`
}

/** Answers an upgrade request with an error, as a plain response. */
export function refuseUpgrade(socket: Duplex, fault: unknown): void {
  const status = statusOf(fault)
  const body = encodeJson(status)
  socket.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 ${status.code ?? 500} ${status.reason ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`),
      body,
    ]),
  )
}
