/** What happened in a run, in order: hashed whole, its end kept for the report. Also where violations are thrown from. */
import { createHash } from 'node:crypto'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7'

/** An invariant of RELIABILITY.md does not hold. */
export class Violation extends Error {
  readonly invariant: Invariant
  constructor(invariant: Invariant, message: string) {
    super(`${invariant}: ${message}`)
    this.name = 'Violation'
    this.invariant = invariant
  }
}

/** Lines kept for the report of a failing seed. */
const KEPT_LINES = 400

export class Journal {
  readonly #env: VirtualEnv
  readonly #hash = createHash('sha256')
  readonly #echo: ((line: string) => void) | undefined
  readonly tail: string[] = []
  lines = 0
  /** The first violation that a checker met outside the main loop; the loop throws it at its next step. */
  violation: Violation | undefined

  constructor(env: VirtualEnv, echo?: (line: string) => void) {
    this.#env = env
    this.#echo = echo
  }

  add(line: string): void {
    const text = `${(this.#env.clock.awakeMs() / 1000).toFixed(3)} ${line}`
    this.#hash.update(`${text}\n`)
    this.lines++
    this.tail.push(text)
    if (this.tail.length > KEPT_LINES) this.tail.shift()
    this.#echo?.(text)
  }

  violate(invariant: Invariant, message: string): void {
    this.add(`VIOLATION ${invariant} ${message}`)
    this.violation ??= new Violation(invariant, message)
  }

  check(): void {
    if (this.violation) throw this.violation
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
