/**
 * One end of the bridge in the main process, for both carriers: frames in, checked inputs to handlers, frames out. A
 * dispatcher lives as long as one window's connection; closing it aborts all that the window had asked for.
 * The window is not trusted: unknown methods, wrong inputs and floods end with an error and have no effect.
 */
import { bridge, BridgeError } from '../api/bridge.ts'
import type { BridgeHandlers, MethodName } from '../api/bridge.ts'
import { acknowledgeEvery, streamWindow } from '../api/bridge-frames.ts'
import type { DownFrame, Frame, FrameError } from '../api/bridge-frames.ts'

/** Calls and streams open at once: a window shows at most some tens of lists and logs. */
const maxOpen = 1024

interface Open {
  controller: AbortController
  up: UpQueue | undefined
  unacknowledged: number
  room: (() => void) | undefined
  checkUp: ((item: unknown) => unknown) | undefined
}

export interface Dispatcher {
  receive(frame: Frame): void
  /** Aborts everything; nothing is sent afterwards. */
  close(): void
}

type AnyHandler = (input: unknown, ...rest: unknown[]) => unknown

/** `send` may drop frames once the carrier is closed. `report` hears of internal faults, which the window sees only as 'failed'. */
export function createDispatcher(handlers: BridgeHandlers, send: (frame: DownFrame) => void, report: (error: unknown, method: string) => void): Dispatcher {
  const open = new Map<number, Open>()
  let closed = false
  const out = (frame: DownFrame): void => {
    if (!closed) send(frame)
  }

  function begin(frame: Frame & { t: 'call' | 'open' }): void {
    const fault = (error: unknown): void => {
      out({ t: 'error', id: frame.id, error: errorOf(error, frame.method, report) })
    }
    if (open.has(frame.id)) {
      fault(new BridgeError('invalid', 'the id is in use'))
      return
    }
    if (open.size >= maxOpen) {
      fault(new BridgeError('too-large', `more than ${maxOpen} calls are open`))
      return
    }
    if (!Object.hasOwn(bridge, frame.method)) {
      fault(new BridgeError('not-found', `${frame.method.slice(0, 100)} is not a method of the bridge`))
      return
    }
    const method = frame.method as MethodName
    const declared = bridge[method]
    if ((declared.type === 'call') !== (frame.t === 'call')) {
      fault(new BridgeError('invalid', `${method} is a ${declared.type}`))
      return
    }
    let input: unknown
    try {
      input = declared.check(frame.value)
    } catch (error) {
      fault(error)
      return
    }
    const state: Open = { controller: new AbortController(), up: undefined, unacknowledged: 0, room: undefined, checkUp: undefined }
    open.set(frame.id, state)
    const handler = handlers[method] as unknown as AnyHandler
    const done =
      frame.t === 'call' ? runCall(frame.id, handler, input, state) : runStream(frame.id, handler, input, state, declared.type === 'stream' ? declared.checkUp : undefined)
    void done.catch(fault).finally(() => {
      open.delete(frame.id)
      state.up?.finish()
      state.controller.abort(new BridgeError('cancelled', 'the stream has ended'))
    })
  }

  async function runCall(id: number, handler: AnyHandler, input: unknown, state: Open): Promise<void> {
    out({ t: 'answer', id, value: await handler(input, state.controller.signal) })
  }

  async function runStream(id: number, handler: AnyHandler, input: unknown, state: Open, checkUp: ((item: unknown) => unknown) | undefined): Promise<void> {
    state.checkUp = checkUp
    state.up = new UpQueue(count => {
      out({ t: 'credit', id, count })
    })
    const items = handler(input, state.up, state.controller.signal) as AsyncIterable<unknown>
    for await (const item of items) {
      if (state.controller.signal.aborted) return
      out({ t: 'item', id, value: item })
      state.unacknowledged++
      while (state.unacknowledged >= streamWindow && !state.controller.signal.aborted)
        await new Promise<void>(resolve => {
          state.room = resolve
        })
    }
    out({ t: 'end', id })
  }

  function receive(frame: Frame): void {
    if (closed) return
    if (frame.t === 'call' || frame.t === 'open') {
      if (typeof (frame as { method: unknown }).method === 'string') begin(frame as Frame & { t: 'call' | 'open' })
      return
    }
    const state = open.get(frame.id)
    if (!state) return
    if (frame.t === 'cancel') {
      state.controller.abort(new BridgeError('cancelled', 'cancelled by the window'))
      state.up?.finish()
      state.room?.()
    } else if (frame.t === 'ack') {
      state.unacknowledged = Math.max(0, state.unacknowledged - Math.max(0, Number(frame.count) || 0))
      state.room?.()
    } else if (frame.t === 'end') state.up?.finish()
    else if (frame.t === 'item' && state.up && state.checkUp) {
      try {
        state.up.push(state.checkUp(frame.value))
      } catch (error) {
        out({ t: 'error', id: frame.id, error: errorOf(error, 'input', report) })
        state.controller.abort(error)
        state.room?.()
      }
    }
  }

  return {
    receive,
    close() {
      closed = true
      for (const state of open.values()) {
        state.controller.abort(new BridgeError('cancelled', 'the window is gone'))
        state.up?.finish()
        state.room?.()
      }
    },
  }
}

function errorOf(error: unknown, method: string, report: (error: unknown, method: string) => void): FrameError {
  if (error instanceof BridgeError) return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  report(error, method)
  return { code: 'failed', message: error instanceof Error ? error.message : 'the call failed' }
}

/** What the window sent on a stream, in order; gives credit back as it is read, so that it never holds more than streamWindow items. */
class UpQueue implements AsyncIterable<unknown> {
  readonly #items: unknown[] = []
  readonly #credit: (count: number) => void
  #finished = false
  #wake: (() => void) | undefined
  #read = 0

  constructor(credit: (count: number) => void) {
    this.#credit = credit
  }

  push(item: unknown): void {
    if (this.#finished) return
    // The window's half keeps to its credit; one that does not is refused, not buffered.
    if (this.#items.length >= streamWindow + acknowledgeEvery) throw new BridgeError('too-large', 'more items than the stream may have in flight')
    this.#items.push(item)
    this.#wake?.()
  }

  finish(): void {
    this.#finished = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    for (;;) {
      while (this.#items.length > 0) {
        if (++this.#read % acknowledgeEvery === 0) this.#credit(acknowledgeEvery)
        yield this.#items.shift()
      }
      if (this.#finished) return
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}
