/** A pause that ends by time, by a call, or with the signal: the rhythm of every loop that repeats itself. */
import type { Clock } from '../base/env.ts'

export class Waker {
  readonly #clock: Clock
  #end: (() => void) | undefined
  #pending = false
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends the present pause, or the next one at once where none is under way. */
  wake(): void {
    if (this.#end) this.#end()
    else this.#pending = true
  }

  /** Never rejects. */
  async pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#pending || signal.aborted) {
      this.#pending = false
      return
    }
    await new Promise<void>(resolve => {
      const end = (): void => {
        this.#end = undefined
        cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = this.#clock.after(delayMs, end)
      this.#end = end
      signal.addEventListener('abort', end, { once: true })
    })
  }
}
