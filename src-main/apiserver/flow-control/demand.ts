/** How many seats a level could have used over a period: highest, average, deviation, and smoothed over periods. Pure. */

/** Share of the old value that stays for a period when demand falls: gone by half in some five minutes, as upstream. */
const SMOOTHING = 0.977

export interface Observed {
  readonly highest: number
  readonly average: number
  readonly deviation: number
  readonly smoothed: number
}

export class Demand {
  #value = 0
  #highest = 0
  #sum = 0
  #squares = 0
  #startMs: number
  #lastMs: number
  #smoothed = 0

  constructor(nowMs: number) {
    this.#startMs = nowMs
    this.#lastMs = nowMs
  }

  set(value: number, nowMs: number): void {
    this.#integrate(nowMs)
    this.#value = value
    if (value > this.#highest) this.#highest = value
  }

  #integrate(nowMs: number): void {
    const elapsed = nowMs - this.#lastMs
    this.#lastMs = nowMs
    this.#sum += elapsed * this.#value
    this.#squares += elapsed * this.#value * this.#value
  }

  /** Ends a period and begins the next. */
  take(nowMs: number): Observed {
    this.#integrate(nowMs)
    const elapsed = nowMs - this.#startMs
    const average = elapsed > 0 ? this.#sum / elapsed : this.#value
    const deviation = elapsed > 0 ? Math.sqrt(Math.max(0, this.#squares / elapsed - average * average)) : 0
    const envelope = average + deviation
    this.#smoothed = Math.max(envelope, SMOOTHING * this.#smoothed + (1 - SMOOTHING) * envelope)
    const observed = { highest: this.#highest, average, deviation, smoothed: this.#smoothed }
    this.#sum = 0
    this.#squares = 0
    this.#startMs = nowMs
    this.#highest = this.#value
    return observed
  }
}
