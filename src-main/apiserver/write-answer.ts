/** How answers are written to a connection: whole, from one buffer that is filled again, or pushed as events come. */
import type { Http2ServerResponse } from 'node:http2'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { ApiResponse, Drainable } from '../api/request.ts'

export type Outgoing = ServerResponse | Http2ServerResponse

/** Made once: an error of its own for each request costs a stack trace each. */
export const goneAway = new Error('the client went away')

/** Whether the client is still there. Its signal is made when somebody asks for it, which most requests never do. */
export class Presence {
  gone = false
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.gone) this.#controller.abort(goneAway)
    }
    return this.#controller.signal
  }

  leave(): void {
    this.gone = true
    this.#controller?.abort(goneAway)
  }
}

const noBytes = new Uint8Array()

/** Hop-by-hop fields, which HTTP/2 forbids and Node sets by itself for HTTP/1.1. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

function writeHead(response: ApiResponse, outgoing: Outgoing, length: number | undefined): void {
  const headers: Record<string, string | number | readonly string[]> = {}
  for (const name in response.headers) if (!hopByHop.has(name)) headers[name] = response.headers[name] as string | readonly string[]
  if (length !== undefined) headers['content-length'] = length
  ;(outgoing as ServerResponse).writeHead(response.status, headers as OutgoingHttpHeaders)
}

/** Resolves when all of an answer is given to the connection, or the client is gone. */
export function writeAnswer(response: ApiResponse, outgoing: Outgoing, client: Presence): Promise<void> {
  return response.body.kind === 'stream' ? writeStream(response, outgoing, client) : writeBytes(response, outgoing, client)
}

async function writeBytes(response: ApiResponse, outgoing: Outgoing, client: Presence): Promise<void> {
  const { body } = response
  if (body.kind !== 'bytes') {
    if (body.kind !== 'none') throw new Error('assertion failed: an answer to the port must be bytes')
    writeHead(response, outgoing, undefined)
    outgoing.end()
    return
  }
  const { chunks } = body
  let length = 0
  for (const chunk of chunks) length += chunk.length
  writeHead(response, outgoing, length)
  // All but the last; that one goes out with the end, in one piece.
  for (let i = 0; i < chunks.length - 1; i++) {
    if (client.gone) return
    if (!send(outgoing, chunks[i] ?? noBytes)) await drained(outgoing, client.signal)
  }
  const last = chunks[chunks.length - 1]
  if (last) (outgoing as ServerResponse).end(last)
  else outgoing.end()
}

async function writeStream(response: ApiResponse, outgoing: Outgoing, client: Presence): Promise<void> {
  if (response.body.kind !== 'stream') return
  const { chunks, length } = response.body
  writeHead(response, outgoing, length)
  if (length !== undefined) {
    for await (const chunk of chunks) {
      if (client.gone) return
      await flushed(outgoing, chunk)
    }
    outgoing.end()
    return
  }
  // The client sees the headers before the first chunk: a watch may be silent for long.
  ;(outgoing as ServerResponse).flushHeaders()
  if (chunks.drainTo) await drain(chunks as Drainable<Uint8Array>, outgoing, client)
  else {
    for await (const chunk of chunks) {
      if (client.gone) return
      if (!send(outgoing, chunk)) await drained(outgoing, client.signal)
    }
  }
  outgoing.end()
}

/** Resolves when the chunk has been taken over and its memory is free again, or the client is gone. */
function flushed(outgoing: Outgoing, chunk: Uint8Array): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('close', done)
    ;(outgoing as ServerResponse).write(chunk, done)
  })
}

/** Resolves after the last chunk, or when the client is gone. */
function drain(chunks: Drainable<Uint8Array>, outgoing: Outgoing, client: Presence): Promise<void> {
  return new Promise(resolve => {
    const socket = 'stream' in outgoing ? undefined : outgoing.socket
    const write = (chunk: Uint8Array): boolean => {
      // Head and earlier chunks must be out of the response's own hands, which they are unless it still waits behind another.
      if (socket && socket === outgoing.socket && (outgoing as ServerResponse).chunkedEncoding && outgoing.writableLength === socket.writableLength)
        return socket.write(framed(chunk))
      return send(outgoing, chunk)
    }
    const resume = chunks.drainTo({ write: chunk => client.gone || write(chunk), end: resolve })
    outgoing.on('drain', resume)
    socket?.on('drain', resume)
    outgoing.on('close', () => {
      socket?.off('drain', resume)
      resolve()
    })
  })
}

/** Shared as the chunks are: an event is framed once for all who watch it. */
const frames = new WeakMap<Uint8Array, Buffer>()

/** A chunk in the form of HTTP/1.1's chunked coding. As one piece it costs the connection half of what Node's own three cost. */
function framed(chunk: Uint8Array): Buffer {
  let frame = frames.get(chunk)
  if (!frame) frames.set(chunk, (frame = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`, 'latin1'), chunk, endOfLine])))
  return frame
}

const endOfLine = Buffer.from('\r\n')

/** Both kinds of responses take the same call, but their overloads have no common signature. */
function send(outgoing: Outgoing, chunk: Uint8Array): boolean {
  return (outgoing as ServerResponse).write(chunk)
}

function drained(outgoing: Outgoing, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      outgoing.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    outgoing.on('drain', done)
    signal.addEventListener('abort', done)
  })
}
