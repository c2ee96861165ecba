/**
 * One log tab's lines, without the window: takes text of the streams, keeps lines in order, filters, counts, and gives
 * the rows in view. Runs in a worker (log-worker.ts), so that no pattern and no flood holds up the window. Pure: time is
 * given, and filtering stops when its budget is used up, to go on at the next tick.
 */
import { LogBuffer, StreamCursor, splitTime } from './log-buffer.ts'
import { FilteredLog, logFilter, noFilter } from './log-filter.ts'
import type { FilterSpec } from './log-filter.ts'
import { fieldNames, jsonFields } from './json-fields.ts'
import type { LogFields } from './json-fields.ts'

/** Rows that the window wants: the last ones, or those from an index on. */
export interface LogView {
  from: number | 'end'
  count: number
  /** Rows with their JSON fields. */ fields: boolean
}

export interface LogRow {
  seq: number
  index: number
  time: string
  source: number
  text: string
  marker: boolean
  level: number
  /** Stands around a match. */ around: boolean
  fields?: LogFields
}

export interface LogState {
  /** Rows after filtering. */ count: number
  matches: number
  kept: number
  dropped: number
  /** Kept lines by level. */ levels: readonly number[]
  json: number
  /** Below 1 while a filter is being applied. */ progress: number
  /** Lines that came while paused. */ missed: number
  rows: readonly LogRow[]
  /** Fields of the lines in view, for choosing columns. */ fields: readonly string[]
}

/** Pieces of text that saving gives at a time are of about this many characters. */
const pieceLength = 1_000_000

export class LogEngine {
  readonly #buffer: LogBuffer
  readonly #cursors = new Map<number, StreamCursor>()
  readonly #rests = new Map<number, string>()
  #log: FilteredLog
  #pausedAt: number | undefined
  #view: LogView = { from: 'end', count: 100, fields: false }
  #changed = true

  constructor(buffer = new LogBuffer()) {
    this.#buffer = buffer
    this.#log = new FilteredLog(buffer, logFilter(noFilter))
  }

  /** Text as it comes; lines may be cut anywhere. */
  text(source: number, piece: string, nowMs: number): void {
    const lines = ((this.#rests.get(source) ?? '') + piece).split('\n')
    this.#rests.set(source, lines.pop() ?? '')
    for (const line of lines) this.#line(source, line, nowMs)
  }

  /** A stream has ended: what stands behind its last line feed is a line too. Answers the time from which to read again. */
  ended(source: number, nowMs: number): string {
    const rest = this.#rests.get(source) ?? ''
    this.#rests.delete(source)
    if (rest !== '') this.#line(source, rest, nowMs)
    const cursor = this.#cursor(source)
    cursor.resume()
    return cursor.time
  }

  mark(source: number, text: string, nowMs: number): void {
    this.#buffer.push({ time: '', source, text, marker: true }, nowMs)
  }

  #line(source: number, line: string, nowMs: number): void {
    if (line === '') return
    const { time, text } = splitTime(line)
    if (this.#cursor(source).accept(time, text)) this.#buffer.push({ time, source, text }, nowMs)
  }
  #cursor(source: number): StreamCursor {
    let cursor = this.#cursors.get(source)
    if (!cursor) this.#cursors.set(source, (cursor = new StreamCursor()))
    return cursor
  }

  filter(spec: FilterSpec): void {
    this.#log.setFilter(logFilter(spec))
    this.#changed = true
  }
  view(view: LogView): void {
    this.#view = view
    this.#changed = true
  }
  pause(on: boolean): void {
    this.#pausedAt = on ? this.#buffer.end : undefined
    this.#changed = true
  }
  clear(): void {
    this.#buffer.clear()
    if (this.#pausedAt !== undefined) this.#pausedAt = this.#buffer.end
    this.#log.setFilter(this.#log.filter)
    this.#changed = true
  }
  /** The row at which a line stands. */
  indexOf(seq: number): number {
    return this.#log.indexOf(seq)
  }

  /** Goes on for a while; the new state when there is one. `isOver` says when the budget is used up. */
  tick(nowMs: number, isOver: () => boolean): LogState | undefined {
    if (this.#buffer.flush(nowMs)) this.#changed = true
    if (!this.#changed) return undefined
    // Paused, a new filter still goes over what was there.
    this.#changed = !this.#log.extend(isOver, this.#pausedAt)
    return this.#state()
  }

  #state(): LogState {
    const rows = this.#rows()
    return {
      count: this.#log.length,
      matches: this.#log.matches,
      kept: this.#buffer.end - this.#buffer.first,
      dropped: this.#buffer.dropped,
      levels: this.#buffer.counts,
      json: this.#buffer.json,
      progress: this.#log.progress,
      missed: this.#pausedAt === undefined ? 0 : this.#buffer.end - this.#pausedAt,
      rows,
      fields: this.#view.fields ? fieldNames(rows.flatMap(row => (row.fields ? [row.fields] : []))) : [],
    }
  }

  #rows(): LogRow[] {
    const { length } = this.#log
    const from = this.#view.from === 'end' ? length - this.#view.count : this.#view.from
    const rows: LogRow[] = []
    for (let index = Math.max(0, from); index < Math.min(length, Math.max(0, from) + this.#view.count); index++) {
      const line = this.#log.line(index)
      if (!line) continue
      const fields = this.#view.fields ? jsonFields(line.text) : undefined
      rows.push({ ...line, index, around: this.#log.isAround(line.seq), ...(fields ? { fields } : {}) })
    }
    return rows
  }

  /** The shown lines, or all, as text: `time label text`. */
  *save(all: boolean, labels: readonly string[]): Generator<string> {
    const log = all ? new FilteredLog(this.#buffer, logFilter(noFilter)) : this.#log
    let piece = ''
    for (let i = 0; i < log.length; i++) {
      const line = log.line(i)
      if (!line) continue
      const label = labels[line.source] ?? ''
      piece += `${line.time}${label === '' ? '' : ` ${label}`} ${line.text}\n`
      if (piece.length >= pieceLength) {
        yield piece
        piece = ''
      }
    }
    if (piece !== '') yield piece
  }

  /** All kept lines of one source. */
  *saveSource(source: number): Generator<string> {
    let piece = ''
    for (let seq = this.#buffer.first; seq < this.#buffer.end; seq++) {
      const line = this.#buffer.at(seq)
      if (line?.source !== source || line.marker) continue
      piece += `${line.time} ${line.text}\n`
      if (piece.length >= pieceLength) {
        yield piece
        piece = ''
      }
    }
    if (piece !== '') yield piece
  }
}
