/** Which lines are shown: those that include all of these and exclude all of those, with some lines around them. */
import { compilePattern } from '../../kinds/pattern.ts'
import type { Matcher } from '../../kinds/pattern.ts'
import type { LogBuffer, LogLine } from './log-buffer.ts'

export interface FilterSpec {
  include: string
  exclude: string
  hiddenSources: readonly number[]
  /** Indices into logLevels. */
  hiddenLevels: readonly number[]
  /** Lines shown before and after each that matches. */
  context: number
}
export const noFilter: FilterSpec = { include: '', exclude: '', hiddenSources: [], hiddenLevels: [], context: 0 }

export interface LogFilter {
  matches(line: LogLine): boolean
  /** May be shown around a match: its source is not hidden. */
  mayAccompany(line: LogLine): boolean
  readonly context: number
  readonly error: string
  readonly active: boolean
}

/** The fault of a pattern, '' when it can be read. */
export function patternError(pattern: string): string {
  try {
    if (pattern !== '') compilePattern(pattern)
    return ''
  } catch (fault) {
    return fault instanceof Error ? fault.message : 'The pattern cannot be read'
  }
}

/** A pattern that cannot be read hides nothing. */
export function logFilter(spec: FilterSpec): LogFilter {
  const error = patternError(spec.include) || patternError(spec.exclude)
  const includes: Matcher | undefined = error !== '' || spec.include === '' ? undefined : compilePattern(spec.include)
  const excludes: Matcher | undefined = error !== '' || spec.exclude === '' ? undefined : compilePattern(spec.exclude)
  const sources = new Set(spec.hiddenSources)
  const levels = new Set(spec.hiddenLevels)
  const active = error === '' && (includes !== undefined || excludes !== undefined || sources.size > 0 || levels.size > 0)
  return {
    error,
    active,
    // Around a match only a pattern leaves something out that is worth to be seen.
    context: includes ? spec.context : 0,
    matches: line =>
      !active || (!sources.has(line.source) && (line.marker || (!levels.has(line.level) && (!includes || includes(line.text)) && !(excludes?.(line.text) ?? false)))),
    mayAccompany: line => !sources.has(line.source),
  }
}

/** How often a long scan looks at the clock. */
const linesPerLook = 256

/** The seqs of the lines that match, kept up to date as the log grows. */
export class FilteredLog {
  readonly #buffer: LogBuffer
  #filter: LogFilter
  #seqs: number[] = []
  /** Of #seqs: those that only stand around a match. */
  #around = new Set<number>()
  #scanned: number
  #start = 0
  #after = 0
  #matches = 0
  #goal = 0

  constructor(buffer: LogBuffer, filter: LogFilter) {
    this.#buffer = buffer
    this.#filter = filter
    this.#scanned = buffer.first
    this.extend()
  }

  /** Begins anew; `extend` brings it up to date. */
  setFilter(filter: LogFilter): void {
    this.#filter = filter
    this.#seqs = []
    this.#around.clear()
    this.#start = 0
    this.#after = 0
    this.#matches = 0
    this.#scanned = this.#buffer.first
  }

  get filter(): LogFilter {
    return this.#filter
  }
  /** Lines that match, without those around them, since the filter was set. */
  get matches(): number {
    return this.#matches
  }
  /** How much of what is to be looked at has been, 0 to 1. */
  get progress(): number {
    const { first } = this.#buffer
    return this.#goal <= first ? 1 : Math.max(0, this.#scanned - first) / (this.#goal - first)
  }

  /** Looks at new lines before `upTo` until `isOver` says that the time is up. True when nothing is left to look at. */
  extend(isOver: () => boolean = () => false, upTo = this.#buffer.end): boolean {
    const { first } = this.#buffer
    const end = Math.max(upTo, this.#scanned)
    this.#goal = end
    if (this.#scanned < first) this.#scanned = first
    if (!this.#filter.active) this.#scanned = end
    for (let n = 1; this.#scanned < end; n++) {
      this.#look(this.#scanned++)
      if (n % linesPerLook === 0 && isOver()) break
    }
    this.#trim(first)
    return this.#scanned >= end
  }

  #look(seq: number): void {
    const line = this.#buffer.at(seq)
    if (!line) return
    if (this.#filter.matches(line)) {
      const last = this.#seqs.at(-1) ?? -1
      for (let before = Math.max(last + 1, seq - this.#filter.context); before < seq; before++) this.#accompany(before)
      this.#seqs.push(seq)
      this.#matches++
      this.#after = this.#filter.context
    } else if (this.#after > 0) {
      this.#after--
      this.#accompany(seq)
    }
  }
  #accompany(seq: number): void {
    const line = this.#buffer.at(seq)
    if (!line || !this.#filter.mayAccompany(line)) return
    this.#seqs.push(seq)
    this.#around.add(seq)
  }

  #trim(first: number): void {
    while (this.#start < this.#seqs.length && (this.#seqs[this.#start] ?? 0) < first) {
      this.#around.delete(this.#seqs[this.#start] ?? 0)
      this.#start++
    }
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
    return this.#buffer.at(this.#filter.active ? (this.#seqs[this.#start + index] ?? -1) : this.#buffer.first + index)
  }
  isAround(seq: number): boolean {
    return this.#around.has(seq)
  }
  /** Where a line stands, or would stand. */
  indexOf(seq: number): number {
    if (!this.#filter.active) return seq - this.#buffer.first
    let [low, high] = [this.#start, this.#seqs.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#seqs[middle] ?? 0) < seq) low = middle + 1
      else high = middle
    }
    return low - this.#start
  }
}
