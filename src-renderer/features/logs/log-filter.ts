/** Which lines are shown: the lines that include all of these and exclude all of those. */
import { compilePattern } from '../../kinds/pattern.ts'
import type { Matcher } from '../../kinds/pattern.ts'
import type { LogBuffer, LogLine } from './log-buffer.ts'

export interface LogFilter {
  matches(line: LogLine): boolean
  readonly error: string
  readonly active: boolean
}

export function logFilter(include: string, exclude: string, hiddenSources: ReadonlySet<number>): LogFilter {
  let includes: Matcher | undefined
  let excludes: Matcher | undefined
  let error = ''
  try {
    includes = include === '' ? undefined : compilePattern(include)
    excludes = exclude === '' ? undefined : compilePattern(exclude)
  } catch (fault) {
    error = fault instanceof Error ? fault.message : 'The pattern cannot be read'
  }
  const active = error === '' && (includes !== undefined || excludes !== undefined || hiddenSources.size > 0)
  return {
    error,
    active,
    matches: line => !active || (!hiddenSources.has(line.source) && (line.marker || ((!includes || includes(line.text)) && !(excludes?.(line.text) ?? false)))),
  }
}

/** The seqs of the lines that match, kept up to date as the log grows. */
export class FilteredLog {
  readonly #buffer: LogBuffer
  #filter: LogFilter
  #seqs: number[] = []
  #scanned: number
  #start = 0

  constructor(buffer: LogBuffer, filter: LogFilter) {
    this.#buffer = buffer
    this.#filter = filter
    this.#scanned = buffer.first
    this.extend()
  }

  setFilter(filter: LogFilter): void {
    this.#filter = filter
    this.#seqs = []
    this.#start = 0
    this.#scanned = this.#buffer.first
    this.extend()
  }

  extend(upTo = this.#buffer.end): void {
    const { first } = this.#buffer
    if (this.#scanned < first) this.#scanned = first
    if (this.#filter.active)
      for (let seq = this.#scanned; seq < upTo; seq++) {
        const line = this.#buffer.at(seq)
        if (line && this.#filter.matches(line)) this.#seqs.push(seq)
      }
    this.#scanned = Math.max(this.#scanned, upTo)
    while (this.#start < this.#seqs.length && (this.#seqs[this.#start] ?? 0) < first) this.#start++
    // Cutting an array's head costs its length: do it seldom.
    if (this.#start > 20_000) {
      this.#seqs.splice(0, this.#start)
      this.#start = 0
    }
  }

  get length(): number {
    return this.#filter.active ? this.#seqs.length - this.#start : this.#scanned - this.#buffer.first
  }
  line(index: number): LogLine | undefined {
    return this.#filter.active ? this.#buffer.at(this.#seqs[this.#start + index] ?? -1) : this.#buffer.at(this.#buffer.first + index)
  }
}
