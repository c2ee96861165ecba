/**
 * A followed log without what was told already. When a container floods its log, Docker rotates the file under its own
 * reader, which may then begin the newest file again from its start: tens of thousands of lines come twice. Every entry has
 * the time at which it was written, and those of one stream never go back but by a replay, or by a clock that was set back.
 * It may also lose the reader behind the rotation, who then is told nothing more: what was written since is asked for once
 * the stream has ended.
 */
import type { Clock } from '../../base/env.ts'
import type { FramePiece } from './output-frames.ts'
import type { OutputChunk } from './runtime.ts'

/** Clocks are slewed by less than this between two looks. */
const clockStepMs = 50
const space = 0x20
const newline = 0x0a

interface Told {
  /** Time of the newest entry, as Docker writes it: of one width, so that texts compare as times do. */
  time: string
  /** Parts of one long line come as entries of the same time; the last one ends the line. */
  endsLine: boolean
}

export class ReplayFilter {
  readonly #clock: Clock
  readonly #keepTimes: boolean
  readonly #told = new Map<OutputChunk['stream'], Told>()
  #offsetMs: number
  /** Beginning of an entry whose time is not complete yet; undefined once it is. */
  #head: Buffer | undefined
  #isReplay = false

  /** `keepTimes`: entries keep their times, for readers who asked for them. */
  constructor(clock: Clock, keepTimes: boolean) {
    this.#clock = clock
    this.#keepTimes = keepTimes
    this.#offsetMs = clock.now() - clock.awakeMs()
  }

  /** What of the piece is to be told. */
  push(piece: FramePiece): OutputChunk | undefined {
    if (piece.begins) this.#head = Buffer.alloc(0)
    let { bytes } = piece
    if (this.#head) {
      const head = Buffer.concat([this.#head, bytes])
      const end = head.indexOf(space)
      if (end < 0) {
        this.#head = head
        return undefined
      }
      this.#head = undefined
      this.#isReplay = !this.#advance(piece.stream, head.toString('latin1', 0, end))
      bytes = this.#keepTimes ? head : head.subarray(end + 1)
    }
    if (this.#isReplay) return undefined
    const told = this.#told.get(piece.stream)
    if (told && bytes.length > 0) told.endsLine = bytes.at(-1) === newline
    return bytes.length > 0 ? { stream: piece.stream, bytes } : undefined
  }

  /** Time of the newest entry that was told, as Docker's `since` takes it (seconds and nanoseconds); undefined before the first. */
  newest(): string | undefined {
    const time = [...this.#told.values()].map(told => told.time).reduce<string | undefined>((a, b) => (a !== undefined && a > b ? a : b), undefined)
    if (time === undefined) return undefined
    const fraction = /\.(\d+)/.exec(time)?.[1] ?? '0'
    return `${Math.floor(Date.parse(time) / 1000)}.${fraction}`
  }

  /** False for an entry that was told before. */
  #advance(stream: OutputChunk['stream'], time: string): boolean {
    const offsetMs = this.#clock.now() - this.#clock.awakeMs()
    if (offsetMs < this.#offsetMs - clockStepMs) this.#told.clear()
    this.#offsetMs = offsetMs
    const told = this.#told.get(stream)
    if (told && (time < told.time || (time === told.time && told.endsLine))) return false
    this.#told.set(stream, { time, endsLine: false })
    return true
  }
}
