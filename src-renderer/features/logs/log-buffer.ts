/**
 * Lines of several streams as one log. Each stream is in order by itself; a reorder window holds a line for a moment so
 * that others with an earlier time can go before it. Lines live in a ring: the oldest leave when it is full, and are
 * counted. Pure: time is given.
 */

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
}

/** Long enough for two nodes' lines to meet, short enough to feel live. */
export const reorderWindowMs = 250
/** Lines kept: about 100 MB at 200 characters a line and their objects. */
export const defaultCapacity = 200_000
/** A longer line is cut, with the count of what is missing. */
export const maxLineLength = 16_384

interface Held {
  time: string
  source: number
  text: string
  marker: boolean
  heldAt: number
  order: number
}

export class LogBuffer {
  readonly #capacity: number
  readonly #ring: (LogLine | undefined)[]
  #next = 0
  #first = 0
  #order = 0
  #held: Held[] = []

  constructor(capacity = defaultCapacity) {
    this.#capacity = capacity
    this.#ring = new Array<LogLine | undefined>(capacity)
  }

  /** Lines seen so far that are no longer kept. */
  get dropped(): number {
    return this.#first
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
  at(seq: number): LogLine | undefined {
    return seq < this.#first || seq >= this.#next ? undefined : this.#ring[seq % this.#capacity]
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
    for (const { time, source, text, marker } of this.#held.splice(0, upTo + 1)) this.#append({ seq: this.#next, time, source, text, marker })
    return upTo >= 0
  }

  #append(line: LogLine): void {
    this.#ring[line.seq % this.#capacity] = line
    this.#next++
    if (this.#next - this.#first > this.#capacity) this.#first = this.#next - this.#capacity
  }

  clear(): void {
    this.#first = this.#next
    this.#ring.fill(undefined)
  }
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
      this.#sameTime = new Map()
    }
    this.#sameTime.set(text, (this.#sameTime.get(text) ?? 0) + 1)
    return true
  }
}
