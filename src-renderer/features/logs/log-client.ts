/** The window's end of a log tab's worker. */
import { shallowRef } from 'vue'
import type { ShallowRef } from 'vue'
import type { LogState, LogView } from './log-engine.ts'
import type { FilterSpec } from './log-filter.ts'
import type { FromWorker, ToWorker } from './log-messages.ts'

/** Characters on their way to the worker; beyond it the stream is not read on, and its sender waits. */
const maxUnderway = 8_000_000

const nothing: LogState = { count: 0, matches: 0, kept: 0, dropped: 0, levels: [], json: 0, progress: 1, missed: 0, rows: [], fields: [] }

export class LogClient {
  readonly state: ShallowRef<LogState> = shallowRef(nothing)
  readonly #worker = new Worker(new URL('./log-worker.ts', import.meta.url), { type: 'module' })
  readonly #answers = new Map<number, (value: unknown) => void>()
  #next = 1
  #underway = 0
  #room: (() => void)[] = []

  constructor() {
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => {
      const message = event.data
      if (message.t === 'state') this.state.value = message.state
      else if (message.t === 'taken') this.#taken(message.characters)
      else {
        this.#answers.get(message.id)?.(message.value)
        this.#answers.delete(message.id)
      }
    }
  }

  /** Resolves when there is room for more. */
  async text(source: number, piece: string): Promise<void> {
    this.#underway += piece.length
    this.#send({ t: 'text', source, piece })
    while (this.#underway > maxUnderway) await new Promise<void>(resolve => this.#room.push(resolve))
  }
  /** The stream has ended; answers the time of its last line, from which to read again. */
  ended(source: number): Promise<string> {
    return this.#ask(id => ({ t: 'ended', id, source })) as Promise<string>
  }
  mark(source: number, text: string): void {
    this.#send({ t: 'mark', source, text })
  }
  filter(spec: FilterSpec): void {
    this.#send({ t: 'filter', spec })
  }
  view(view: LogView): void {
    this.#send({ t: 'view', view })
  }
  pause(on: boolean): void {
    this.#send({ t: 'pause', on })
  }
  clear(): void {
    this.#send({ t: 'clear' })
  }
  indexOf(seq: number): Promise<number> {
    return this.#ask(id => ({ t: 'index', id, seq })) as Promise<number>
  }
  save(all: boolean, labels: readonly string[]): Promise<Blob> {
    return this.#ask(id => ({ t: 'save', id, all, labels })) as Promise<Blob>
  }
  saveSource(source: number): Promise<Blob> {
    return this.#ask(id => ({ t: 'save-source', id, source })) as Promise<Blob>
  }
  stop(): void {
    this.#worker.terminate()
    this.#taken(this.#underway)
  }

  #taken(characters: number): void {
    this.#underway -= characters
    if (this.#underway > maxUnderway) return
    const waiting = this.#room
    this.#room = []
    for (const go of waiting) go()
  }
  #send(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
    this.#worker.postMessage(message)
  }
  #ask(message: (id: number) => ToWorker): Promise<unknown> {
    return new Promise(resolve => {
      const id = this.#next++
      this.#answers.set(id, resolve)
      this.#send(message(id))
    })
  }
}
