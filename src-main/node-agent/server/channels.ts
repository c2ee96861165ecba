/**
 * The byte streams of exec and attach, whichever way they come: WebSocket (v5, v4 and the first .channel.k8s.io: one byte of channel
 * before each message) or SPDY/3.1 (a stream per channel). The rest of the agent sees stdin, stdout, stderr, error and
 * resize only.
 */
import { PassThrough } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Status } from '../../api/generated/meta-v1.ts'
import type { Clock } from '../../base/env.ts'
import { SpdyConnection } from './spdy/connection.ts'
import type { SpdyStream } from './spdy/connection.ts'

export interface TerminalSize {
  readonly width: number
  readonly height: number
}

export interface Channels {
  readonly stdin: Readable | undefined
  /** Resolves when the bytes may be followed by more. */
  write(channel: 'stdout' | 'stderr', bytes: Buffer): Promise<void>
  onResize(handler: (size: TerminalSize) => void): void
  /** Called once; at once where the client has gone already. */
  onClose(handler: () => void): void
  /** Says how it ended and closes. */
  finish(status: Status): Promise<void>
}

export interface ChannelWishes {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** Newest first: the first that the client offers is taken. */
const webSocketProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'] as const
const spdyProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const
const maxMessageBytes = 1 << 20
const pingMs = 30_000
/** All streams of a SPDY client have to be open by then. */
const streamsTimeoutMs = 30_000
const closeSignal = 255
const channelNumbers = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const

const webSockets = new WebSocketServer({
  noServer: true,
  maxPayload: maxMessageBytes,
  perMessageDeflate: false,
  handleProtocols: offered => webSocketProtocols.find(protocol => offered.has(protocol)) ?? false,
})

/** Rejects with a text where the client speaks neither. */
export function openChannels(clock: Clock, wishes: ChannelWishes, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Channels> {
  const upgrade = (request.headers.upgrade ?? '').toLowerCase()
  if (upgrade === 'websocket') {
    const offered = String(request.headers['sec-websocket-protocol'] ?? '')
      .split(',')
      .map(text => text.trim())
    if (!webSocketProtocols.some(protocol => offered.includes(protocol))) return Promise.reject(new Error(`unable to upgrade: subprotocols ${offered.join(',')} are not supported`))
    return new Promise(resolve => {
      webSockets.handleUpgrade(request, socket, head, webSocket => {
        resolve(webSocketChannels(clock, wishes, webSocket))
      })
    })
  }
  if (upgrade === 'spdy/3.1') return spdyChannels(clock, wishes, request, socket, head)
  return Promise.reject(new Error('unable to upgrade: unknown protocol'))
}

/** A terminal's size for the process that is to have it. Clients send the first at once, long before a process has begun: it is kept. */
function latestSize(): { put(size: TerminalSize): void; onPut(handler: (size: TerminalSize) => void): void } {
  let handler: ((size: TerminalSize) => void) | undefined
  let waiting: TerminalSize | undefined
  return {
    put(size) {
      if (handler) handler(size)
      else waiting = size
    },
    onPut(next) {
      handler = next
      if (waiting) next(waiting)
      waiting = undefined
    },
  }
}

interface Latch {
  open(): void
  onOpen(handler: () => void): void
}

/** Something that happens once: who asks later is told at once. */
function latch(): Latch {
  let isOpen = false
  const handlers: (() => void)[] = []
  return {
    open() {
      isOpen = true
      for (const handler of handlers.splice(0)) handler()
    },
    onOpen(handler) {
      if (isOpen) handler()
      else handlers.push(handler)
    },
  }
}

function webSocketChannels(clock: Clock, wishes: ChannelWishes, webSocket: WebSocket): Channels {
  const base64 = webSocket.protocol.endsWith('base64.channel.k8s.io')
  // The first protocols know no Status: a text where it failed, nothing where it went well.
  const plainErrors = !webSocket.protocol.startsWith('v')
  const stdin = wishes.stdin ? new PassThrough() : undefined
  const sizes = latestSize()
  webSocket.on('message', (data: Buffer, isBinary: boolean) => {
    const message =
      isBinary || !base64 ? data : Buffer.concat([Buffer.from([Number(String.fromCharCode(data[0] ?? 48))]), Buffer.from(data.subarray(1).toString('ascii'), 'base64')])
    const channel = message[0]
    const bytes = message.subarray(1)
    if (channel === channelNumbers.stdin && stdin && !stdin.writableEnded) {
      if (!stdin.write(bytes)) {
        webSocket.pause()
        stdin.once('drain', () => {
          webSocket.resume()
        })
      }
    } else if (channel === channelNumbers.resize) {
      const size = parseSize(bytes)
      if (size) sizes.put(size)
    } else if (channel === closeSignal && bytes[0] === channelNumbers.stdin) stdin?.end()
  })
  let cancelPing = (): void => {}
  const ping = (): void => {
    if (webSocket.readyState === WebSocket.OPEN) {
      webSocket.ping()
      cancelPing = clock.after(pingMs, ping)
    }
  }
  ping()
  webSocket.on('close', () => {
    cancelPing()
    stdin?.end()
  })
  webSocket.on('error', () => {
    webSocket.terminate()
  })
  const send = (channel: number, bytes: Buffer): Promise<void> =>
    new Promise(resolve => {
      if (webSocket.readyState !== WebSocket.OPEN) {
        resolve()
        return
      }
      const payload = base64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.from([channel]), bytes])
      webSocket.send(payload, { binary: !base64 }, () => {
        resolve()
      })
    })
  return {
    stdin,
    write: (channel, bytes) => send(channelNumbers[channel], bytes),
    onResize: sizes.onPut,
    onClose: handler => {
      if (webSocket.readyState === WebSocket.CLOSED) handler()
      else webSocket.once('close', handler)
    },
    finish: async status => {
      if (!plainErrors) await send(channelNumbers.error, Buffer.from(JSON.stringify(status)))
      else if (status.status !== 'Success') await send(channelNumbers.error, Buffer.from(status.message ?? ''))
      webSocket.close(1000)
    },
  }
}

function spdyChannels(clock: Clock, wishes: ChannelWishes, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Channels> {
  const offered = String(request.headers['x-stream-protocol-version'] ?? '')
    .split(',')
    .map(text => text.trim())
  const protocol = spdyProtocols.find(candidate => offered.includes(candidate))
  if (protocol === undefined) return Promise.reject(new Error(`unable to upgrade: unable to negotiate protocol: client supports ${offered.join(',')}`))
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`)
  if (head.length > 0) socket.unshift(head)
  const wanted = new Set([
    'error',
    ...(wishes.stdin ? ['stdin'] : []),
    ...(wishes.stdout ? ['stdout'] : []),
    ...(wishes.stderr && !wishes.tty ? ['stderr'] : []),
    ...(wishes.tty ? ['resize'] : []),
  ])
  return new Promise((resolve, reject) => {
    const streams = new Map<string, SpdyStream>()
    const closing = latch()
    const cancel = clock.after(streamsTimeoutMs, () => {
      connection.close()
      reject(new Error('timed out waiting for the streams of the client'))
    })
    const connection = new SpdyConnection(
      socket,
      stream => {
        const type = stream.headers.get('streamtype') ?? ''
        if (!wanted.has(type) || streams.has(type)) {
          stream.reset()
          return
        }
        streams.set(type, stream)
        if (streams.size < wanted.size) return
        cancel()
        resolve(assemble(streams, closing, connection))
      },
      () => {
        cancel()
        closing.open()
        reject(new Error('the client has gone'))
      },
    )
  })
}

function assemble(streams: ReadonlyMap<string, SpdyStream>, closing: Latch, connection: SpdyConnection): Channels {
  const sizes = latestSize()
  // Sizes come as JSON texts one after the other.
  let text = ''
  streams.get('resize')?.duplex.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = parseSize(Buffer.from(text.slice(0, end + 1)))
      if (size) sizes.put(size)
      text = text.slice(end + 1)
    }
  })
  const write = (name: string, bytes: Buffer): Promise<void> =>
    new Promise(resolve => {
      const duplex = streams.get(name)?.duplex
      if (!duplex || duplex.destroyed || duplex.writableEnded) {
        resolve()
        return
      }
      duplex.write(bytes, () => {
        resolve()
      })
    })
  return {
    stdin: streams.get('stdin')?.duplex,
    write,
    onResize: sizes.onPut,
    onClose: closing.onOpen,
    finish: async status => {
      for (const name of ['stdout', 'stderr']) streams.get(name)?.duplex.end()
      await write('error', Buffer.from(JSON.stringify(status)))
      for (const name of ['error', 'stdin', 'resize']) streams.get(name)?.duplex.end()
      setImmediate(() => {
        connection.close()
      })
    },
  }
}

function parseSize(bytes: Buffer): TerminalSize | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(bytes.toString('utf8')) as { Width?: unknown; Height?: unknown }
    return typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0 && width < 65_536 && height < 65_536 ? { width, height } : undefined
  } catch {
    return undefined
  }
}
