/**
 * exec and attach for the window: a WebSocket (v5.channel.k8s.io) to the API server's upgrade handler over a pair of
 * in-process streams, so that the same code serves kubectl and the window.
 */
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { BridgeError } from '../api/bridge.ts'
import type { ChannelData } from '../api/bridge.ts'
import type { ApiRequest, UserInfo } from '../api/request.ts'

export type Upgrade = (request: ApiRequest, socket: Duplex, head: Uint8Array) => Promise<void>

/** The head of an upgrade request is ours: a few hundred bytes. */
const maxHeadBytes = 64 * 1024
/** Bytes that may wait to be sent before the window's input is held back. */
const maxWaitingBytes = 1024 * 1024
/** v5: closes one channel. */
const closeChannel = 255

export async function* openExec(target: { upgrade: Upgrade; user: UserInfo; path: string }, up: AsyncIterable<ChannelData>, signal: AbortSignal): AsyncGenerator<ChannelData> {
  const [near, far] = duplexPair()
  // A window that goes at once breaks both ends; an error nobody hears would end the whole process.
  near.on('error', () => {})
  far.on('error', () => {})
  void serveUpgrade(target, far).catch((fault: unknown) => {
    far.destroy(fault instanceof Error ? fault : new Error(String(fault)))
  })
  const socket = new WebSocket(`ws://api.internal${target.path}`, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], { createConnection: () => near as never, perMessageDeflate: false })
  socket.binaryType = 'nodebuffer'
  const inbox = new Inbox()
  socket.on('message', (data: Buffer) => {
    if (data.length > 0) inbox.put({ channel: data[0] ?? 0, data: new Uint8Array(data.subarray(1)) })
  })
  socket.on('close', () => {
    inbox.close()
  })
  socket.on('error', fault => {
    inbox.close(new BridgeError('failed', fault.message))
  })
  socket.on('unexpected-response', (_request, response) => {
    const parts: Buffer[] = []
    response.on('data', (part: Buffer) => {
      parts.push(part)
    })
    response.on('end', () => {
      inbox.close(refusal(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8')))
    })
    response.on('error', () => {
      inbox.close(refusal(response.statusCode ?? 0, ''))
    })
  })
  const stop = (): void => {
    socket.terminate()
    near.destroy()
    inbox.close()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    void sendUp(socket, up, signal).catch(stop)
    yield* inbox
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

async function sendUp(socket: WebSocket, up: AsyncIterable<ChannelData>, signal: AbortSignal): Promise<void> {
  if (socket.readyState === WebSocket.CONNECTING)
    await new Promise<void>(resolve => {
      socket.once('open', () => {
        resolve()
      })
      socket.once('close', () => {
        resolve()
      })
    })
  for await (const { channel, data } of up) {
    if (signal.aborted || socket.readyState !== WebSocket.OPEN) return
    const sent = new Promise<void>(resolve => {
      socket.send(Buffer.concat([Buffer.from([channel]), data]), () => {
        resolve()
      })
    })
    if (socket.bufferedAmount > maxWaitingBytes) await sent
  }
  if (socket.readyState === WebSocket.OPEN && socket.protocol === 'v5.channel.k8s.io') socket.send(Buffer.from([closeChannel, 0]))
}

/** Reads the request's head off the stream and hands the rest to the upgrade handler, as the HTTP server does for a port. */
async function serveUpgrade(target: { upgrade: Upgrade; user: UserInfo; path: string }, socket: Duplex): Promise<void> {
  let head = Buffer.alloc(0)
  let end = -1
  while (end < 0) {
    const chunk = await nextChunk(socket)
    head = Buffer.concat([head, chunk])
    end = head.indexOf('\r\n\r\n')
    if (end < 0 && head.length > maxHeadBytes) throw new Error('the request head is too long')
  }
  const headers: Record<string, string> = {}
  for (const line of head.subarray(0, end).toString('latin1').split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  await target.upgrade({ method: 'GET', url: target.path, headers, user: target.user }, socket, head.subarray(end + 4))
}

function nextChunk(socket: Duplex): Promise<Buffer> {
  const ready = socket.read() as Buffer | null
  if (ready) return Promise.resolve(ready)
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk) {
        done()
        resolve(chunk)
      }
    }
    const onEnd = (): void => {
      done()
      reject(new Error('the connection ended before the request'))
    }
    const done = (): void => {
      socket.off('readable', onReadable)
      socket.off('end', onEnd)
      socket.off('close', onEnd)
    }
    socket.on('readable', onReadable)
    socket.on('end', onEnd)
    socket.on('close', onEnd)
  })
}

function refusal(status: number, body: string): BridgeError {
  let message = body
  try {
    message = (JSON.parse(body) as { message?: string }).message ?? body
  } catch {
    /* plain text */
  }
  return new BridgeError(status === 404 ? 'not-found' : 'failed', message === '' ? `the server answered ${status}` : message.slice(0, 2000))
}

class Inbox implements AsyncIterable<ChannelData> {
  readonly #items: ChannelData[] = []
  #closed = false
  #fault: Error | undefined
  #wake: (() => void) | undefined

  put(item: ChannelData): void {
    this.#items.push(item)
    this.#wake?.()
  }
  close(fault?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#fault = fault
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelData> {
    for (;;) {
      for (let item = this.#items.shift(); item; item = this.#items.shift()) yield item
      if (this.#fault) throw this.#fault
      if (this.#closed) return
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}
