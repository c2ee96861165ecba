/** After how many seconds refused clients of a level may come again: longer while refusals go on, at most 32. Pure. */

const MAX_SECONDS = 32

export class RetryAfter {
  #seconds = 1
  /** Refusals by second, newest last. */
  #history: { second: number; count: number }[] = []
  #raisedAt = 0

  /** Notes a refusal; the seconds to say. */
  note(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000)
    const last = this.#history.at(-1)
    if (last?.second === second) {
      last.count++
      return this.#seconds
    }
    this.#history = this.#history.filter(one => second - one.second <= Math.min(2 * this.#seconds, MAX_SECONDS))
    this.#update(second)
    this.#history.push({ second, count: 1 })
    return this.#seconds
  }

  #update(second: number): void {
    const dropped = this.#history.filter(one => one.second >= second - this.#seconds).reduce((sum, one) => sum + one.count, 0)
    if (dropped < this.#seconds && this.#seconds > 1) this.#seconds--
    else if (dropped >= 3 * this.#seconds && this.#seconds < MAX_SECONDS && second - this.#raisedAt >= this.#seconds) {
      this.#seconds++
      this.#raisedAt = second
    }
  }
}
