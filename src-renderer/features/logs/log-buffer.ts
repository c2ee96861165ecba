/**
 * Lines of several streams as one log. Each stream is in order by itself; a reorder window holds a line for a moment so
 * that others with an earlier time can go before it. Lines live in a ring: the oldest leave when it is full, and are
 * counted. Pure: time is given.
 */

import { levelOf, logLevels } from './log-levels.ts'

export interface LogLine {
  /** Counts up from 0; also what the view keeps as the line's identity. */
  readonly seq: number
  /** RFC 3339 with nanoseconds, as the server gives it; '' for markers. */
  readonly time: string
  /** Index into the sources. */
  readonly source: number
  readonly text: string
  /** A line of Quarterdeck's own: a container joined, ended, lines were lost. */
  readonly marker: boolean
  /** Index into logLevels. */
  readonly level: number
}

/** Long enough for two nodes' lines to meet, short enough to feel live. */
export const reorderWindowMs = 250
/** Lines kept. */
export const defaultCapacity = 1_000_000
/** Characters kept, so that a million long lines do not fill the computer's memory. */
export const defaultCharacters = 256_000_000
/** A longer line is cut, with the count of what is missing. */
export const maxLineLength = 16_384
const markerLevel = 255
const textless = ''

interface Held {
  time: string
  source: number
  text: string
  marker: boolean
  heldAt: number
  order: number
}

/** Columns rather than objects: a million lines are a few arrays for the collector, not a million things. */
export class LogBuffer {
  readonly #capacity: number
  readonly #characters: number
  readonly #texts: string[] = []
  readonly #times: string[] = []
  readonly #sources: Uint16Array
  readonly #levels: Uint8Array
  readonly #counts: number[] = logLevels.map(() => 0)
  #json = 0
  #next = 0
  #first = 0
  #cleared = 0
  #length = 0
  #order = 0
  #held: Held[] = []

  constructor(capacity = defaultCapacity, characters = defaultCharacters) {
    this.#capacity = capacity
    this.#characters = characters
    this.#sources = new Uint16Array(capacity)
    this.#levels = new Uint8Array(capacity)
  }

  /** Lines seen that are no longer kept for want of room. */
  get dropped(): number {
    return this.#first - this.#cleared
  }
  get first(): number {
    return this.#first
  }
  /** One past the newest line's seq. */
  get end(): number {
    return this.#next
  }
  get held(): number {
    return this.#held.length
  }
  /** How many of the kept lines have each level. */
  get counts(): readonly number[] {
    return this.#counts
  }
  /** How many of the kept lines look like JSON objects. */
  get json(): number {
    return this.#json
  }

  at(seq: number): LogLine | undefined {
    if (seq < this.#first || seq >= this.#next) return undefined
    const i = seq % this.#capacity
    const level = this.#levels[i] ?? 0
    return {
      seq,
      time: this.#times[i] ?? '',
      source: this.#sources[i] ?? 0,
      text: this.#texts[i] ?? '',
      marker: level === markerLevel,
      level: level === markerLevel ? logLevels.length - 1 : level,
    }
  }

  push(line: { time: string; source: number; text: string; marker?: boolean }, nowMs: number): void {
    const text = line.text.length > maxLineLength ? `${line.text.slice(0, maxLineLength)} … (${line.text.length - maxLineLength} more characters)` : line.text
    this.#held.push({ time: line.time, source: line.source, text, marker: line.marker ?? false, heldAt: nowMs, order: this.#order++ })
  }

  /** Moves lines whose window has passed (or all) into the log, in time order. True when there were any. */
  flush(nowMs: number, all = false): boolean {
    if (this.#held.length === 0) return false
    // Markers have no time of their own: they stay behind what their source said before.
    this.#held.sort((a, b) => (a.time === '' || b.time === '' || a.time === b.time ? a.order - b.order : a.time < b.time ? -1 : 1))
    let upTo = -1
    for (let i = this.#held.length - 1; i >= 0 && upTo < 0; i--) {
      const held = this.#held[i]
      if (held && (all || nowMs - held.heldAt >= reorderWindowMs)) upTo = i
    }
    if (upTo < 0) return false
    for (let i = 0; i <= upTo; i++) {
      const held = this.#held[i]
      if (held) this.#append(held)
    }
    this.#held = this.#held.slice(upTo + 1)
    return true
  }

  #append(line: Held): void {
    if (this.#next - this.#first >= this.#capacity) this.#forget()
    const i = this.#next % this.#capacity
    this.#texts[i] = line.text
    this.#times[i] = line.time
    this.#sources[i] = line.source
    const level = line.marker ? markerLevel : levelOf(line.text)
    this.#levels[i] = level
    if (level !== markerLevel) this.#counts[level] = (this.#counts[level] ?? 0) + 1
    if (isJsonLike(line.text)) this.#json++
    this.#length += line.text.length
    this.#next++
    while (this.#length > this.#characters && this.#next - this.#first > 1) this.#forget()
  }

  #forget(): void {
    const i = this.#first % this.#capacity
    const level = this.#levels[i] ?? markerLevel
    const text = this.#texts[i] ?? ''
    if (level !== markerLevel) this.#counts[level] = (this.#counts[level] ?? 0) - 1
    if (isJsonLike(text)) this.#json--
    this.#length -= text.length
    this.#texts[i] = textless
    this.#times[i] = textless
    this.#first++
  }

  clear(): void {
    const { dropped } = this
    while (this.#first < this.#next) this.#forget()
    this.#cleared = this.#first - dropped
  }
}

function isJsonLike(text: string): boolean {
  return text.startsWith('{') && text.endsWith('}')
}

/** `2026-01-01T00:00:00.123456789Z text` apart; lines without a time keep ''. */
export function splitTime(line: string): { time: string; text: string } {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?/.exec(line)
  return match?.[1] ? { time: match[1], text: line.slice(match[0].length) } : { time: '', text: line }
}

/** Remembers where a stream is, so that after a reconnect (sinceTime has whole seconds) nothing is lost and nothing shown twice. */
export class StreamCursor {
  time = ''
  #sameTime = new Map<string, number>()
  #skip: Map<string, number> | undefined

  /** Call before reading again from `time`. */
  resume(): void {
    this.#skip = this.time === '' ? undefined : new Map(this.#sameTime)
  }

  /** False for a line that was shown before. */
  accept(time: string, text: string): boolean {
    if (time === '') return true
    if (this.#skip) {
      if (time < this.time) return false
      if (time === this.time) {
        const left = this.#skip.get(text) ?? 0
        if (left > 0) {
          this.#skip.set(text, left - 1)
          return false
        }
      } else this.#skip = undefined
    }
    if (time !== this.time) {
      this.time = time
      this.#sameTime.clear()
    }
    this.#sameTime.set(text, (this.#sameTime.get(text) ?? 0) + 1)
    return true
  }
}
