/** Answers of others that stay true for a while, by question; one question is asked once however many wait for it. */
import type { Clock } from '../base/env.ts'

interface Kept<T> {
  readonly answer: Promise<T>
  untilMs: number
}

export class AnswerCache<T> {
  readonly #clock: Clock
  readonly #size: number
  readonly #kept = new Map<string, Kept<T>>()

  /** `size` answers are kept at most, the oldest go first. */
  constructor(clock: Clock, size: number) {
    this.#clock = clock
    this.#size = size
  }

  /** `keepMs` of an answer says how long it holds. A question that fails is asked again by the next who comes. */
  get(question: string, ask: () => Promise<T>, keepMs: (answer: T) => number): Promise<T> {
    const known = this.#kept.get(question)
    if (known && this.#clock.awakeMs() < known.untilMs) return known.answer
    this.#kept.delete(question)
    if (this.#kept.size >= this.#size) this.#kept.delete(this.#kept.keys().next().value ?? '')
    const answer = ask()
    const kept: Kept<T> = { answer, untilMs: Number.POSITIVE_INFINITY }
    this.#kept.set(question, kept)
    answer.then(
      value => {
        kept.untilMs = this.#clock.awakeMs() + keepMs(value)
      },
      () => {
        if (this.#kept.get(question) === kept) this.#kept.delete(question)
      },
    )
    return answer
  }
}
