/**
 * How the bridge's calls and streams travel: frames, the same on both carriers. Electron's IPC passes frames as
 * structured clones; the WebSocket carries text (JSON), or, where a value holds bytes, binary: a 4-byte length
 * (big-endian), the JSON, the bytes. Bytes occur at two places only, the value itself and its field `data`, so that no
 * object of the cluster can be taken for bytes.
 * Flow: a stream's sender stops at `streamWindow` items that the other side has not acknowledged.
 */
import { BridgeError } from './bridge.ts'
import type { BridgeErrorCode, BridgeClient, BridgeStream, CallName, InputOf, OutputOf, StreamName, UpOf } from './bridge.ts'

/** Items in flight a stream: enough to fill a fast local carrier, few enough to hold little memory. */
export const streamWindow = 64
/** Acknowledged every so many items. */
export const acknowledgeEvery = 16
/** Largest frame that is accepted: an answer of 64 MiB and its quoting. */
export const maxFrameBytes = 128 * 2 ** 20

export interface FrameError {
  code: BridgeErrorCode
  message: string
  hint?: string
}

/** From the window. */
export type UpFrame =
  | { t: 'call'; id: number; method: string; value: unknown }
  | { t: 'open'; id: number; method: string; value: unknown }
  | { t: 'item'; id: number; value: unknown }
  | { t: 'end'; id: number }
  | { t: 'cancel'; id: number }
  | { t: 'ack'; id: number; count: number }

/** To the window. `credit` lets it send so many more items up. */
export type DownFrame =
  | { t: 'answer'; id: number; value: unknown }
  | { t: 'item'; id: number; value: unknown }
  | { t: 'end'; id: number }
  | { t: 'error'; id: number; error: FrameError }
  | { t: 'credit'; id: number; count: number }

export type Frame = UpFrame | DownFrame

type Wire = Record<string, unknown> & { bytes?: 'value' | 'data' }

function replaceBytes(frame: Frame): { wire: Wire; bytes: Uint8Array | undefined } {
  if (!('value' in frame)) return { wire: { ...frame }, bytes: undefined }
  const value = frame.value
  if (value instanceof Uint8Array) return { wire: { ...frame, value: null, bytes: 'value' }, bytes: value }
  if (typeof value === 'object' && value !== null && 'data' in value && value.data instanceof Uint8Array) {
    return { wire: { ...frame, value: { ...value, data: null }, bytes: 'data' }, bytes: value.data }
  }
  return { wire: { ...frame }, bytes: undefined }
}

// Integers beyond 2^53 are kept as bigint by api/json.ts; the window shows them, so text of digits is what it needs.
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

export function encodeFrame(frame: Frame): string | Uint8Array {
  const { wire, bytes } = replaceBytes(frame)
  const text = JSON.stringify(wire, plain)
  if (!bytes) return text
  const head = new TextEncoder().encode(text)
  const out = new Uint8Array(4 + head.length + bytes.length)
  new DataView(out.buffer).setUint32(0, head.length)
  out.set(head, 4)
  out.set(bytes, 4 + head.length)
  return out
}

/** Throws BridgeError 'invalid' for anything that is not a frame. */
export function decodeFrame(data: string | Uint8Array): Frame {
  if (typeof data === 'string') return asFrame(parse(data), undefined)
  if (data.length < 4) throw new BridgeError('invalid', 'the frame is too short')
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0)
  if (length > data.length - 4) throw new BridgeError('invalid', 'the frame is cut short')
  return asFrame(parse(new TextDecoder().decode(data.subarray(4, 4 + length))), data.slice(4 + length))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new BridgeError('invalid', 'the frame is not JSON')
  }
}

/** Checks the shape of a frame that came as a structured clone or from JSON. */
export function asFrame(input: unknown, bytes?: Uint8Array): Frame {
  if (input === null || typeof input !== 'object' || !('t' in input) || !('id' in input) || typeof input.t !== 'string' || !Number.isSafeInteger(input.id))
    throw new BridgeError('invalid', 'not a frame')
  const { bytes: place, ...frame } = input as Wire
  if (bytes && place === 'value') frame['value'] = bytes
  else if (bytes && place === 'data') frame['value'] = { ...(frame['value'] as object), data: bytes }
  return frame as unknown as Frame
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The window's end: a BridgeClient over anything that carries frames. */
export function createFrameClient(send: (frame: UpFrame) => void): { client: BridgeClient; receive(frame: DownFrame): void; fail(error: Error): void } {
  let next = 1
  const calls = new Map<number, Waiting>()
  const streams = new Map<number, ClientStream>()

  function call(method: string, value: unknown, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new BridgeError('cancelled', 'cancelled'))
        return
      }
      const id = next++
      const cancel = (): void => {
        calls.delete(id)
        send({ t: 'cancel', id })
        reject(new BridgeError('cancelled', 'cancelled'))
      }
      const settled = (): void => {
        calls.delete(id)
        signal?.removeEventListener('abort', cancel)
      }
      calls.set(id, {
        resolve: v => {
          settled()
          resolve(v)
        },
        reject: e => {
          settled()
          reject(e)
        },
      })
      signal?.addEventListener('abort', cancel, { once: true })
      send({ t: 'call', id, method, value })
    })
  }

  function receive(frame: DownFrame): void {
    const waiting = calls.get(frame.id)
    if (waiting && frame.t === 'answer') waiting.resolve(frame.value)
    else if (waiting && frame.t === 'error') waiting.reject(new BridgeError(frame.error.code, frame.error.message, frame.error.hint))
    else streams.get(frame.id)?.receive(frame)
  }

  function fail(error: Error): void {
    for (const waiting of [...calls.values()]) waiting.reject(error)
    for (const open of [...streams.values()]) open.fail(error)
  }

  const client: BridgeClient = {
    call: <M extends CallName>(method: M, input: InputOf<M>, signal?: AbortSignal) => call(method, input, signal) as Promise<OutputOf<M>>,
    stream<M extends StreamName>(method: M, input: InputOf<M>, signal?: AbortSignal) {
      const id = next++
      const opened = new ClientStream(id, send, () => streams.delete(id))
      streams.set(id, opened)
      send({ t: 'open', id, method, value: input })
      if (signal?.aborted) opened.cancel()
      else
        signal?.addEventListener(
          'abort',
          () => {
            opened.cancel()
          },
          { once: true },
        )
      return opened as unknown as BridgeStream<OutputOf<M>, UpOf<M>>
    },
  }
  return { client, receive, fail }
}

class ClientStream implements BridgeStream<unknown, unknown> {
  readonly #id: number
  readonly #send: (frame: UpFrame) => void
  readonly #closed: () => void
  readonly #items: unknown[] = []
  readonly #pendingUp: unknown[] = []
  #credit = streamWindow
  #taken = 0
  #ended = false
  #upEnded = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(id: number, send: (frame: UpFrame) => void, closed: () => void) {
    this.#id = id
    this.#send = send
    this.#closed = closed
  }

  receive(frame: DownFrame): void {
    if (frame.t === 'item') this.#items.push(frame.value)
    else if (frame.t === 'end') this.#finish(undefined)
    else if (frame.t === 'error') this.#finish(new BridgeError(frame.error.code, frame.error.message, frame.error.hint))
    else if (frame.t === 'credit') {
      this.#credit += frame.count
      this.#pump()
    }
    this.#wake?.()
  }

  fail(error: Error): void {
    this.#finish(error)
  }

  #finish(error: Error | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#closed()
    this.#wake?.()
  }

  send(item: unknown): void {
    if (!this.#ended && !this.#upEnded) {
      this.#pendingUp.push(item)
      this.#pump()
    }
  }
  end(): void {
    this.#upEnded = true
    this.#pump()
  }
  /** Items given but not yet sent for want of credit. */
  get backlog(): number {
    return this.#pendingUp.length
  }

  #pump(): void {
    if (this.#ended) return
    while (this.#credit > 0 && this.#pendingUp.length > 0) {
      this.#credit--
      this.#send({ t: 'item', id: this.#id, value: this.#pendingUp.shift() })
    }
    if (this.#upEnded && this.#pendingUp.length === 0) this.#send({ t: 'end', id: this.#id })
  }

  cancel(): void {
    if (!this.#ended) this.#send({ t: 'cancel', id: this.#id })
    this.#finish(undefined)
    this.#items.length = 0
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    try {
      for (;;) {
        while (this.#items.length > 0) {
          const item = this.#items.shift()
          if (++this.#taken % acknowledgeEvery === 0 && !this.#ended) this.#send({ t: 'ack', id: this.#id, count: acknowledgeEvery })
          yield item
        }
        if (this.#error) throw this.#error
        if (this.#ended) return
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    } finally {
      this.cancel()
    }
  }
}
