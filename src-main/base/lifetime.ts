/**
 * A component's life: things to stop are added as they start, and are stopped once, last first.
 */
export class Lifetime {
  readonly #stops: (() => void | Promise<void>)[] = []
  readonly #controller = new AbortController()
  #stopped: Promise<void> | undefined

  /** Aborted at the beginning of stop(). */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Runs `stop` when this lifetime ends; at once if it has ended already. */
  add(stop: () => void | Promise<void>): void {
    if (this.#stopped) void stop()
    else this.#stops.push(stop)
  }

  /** Idempotent; resolves when everything is stopped. The first error is thrown after all stops were tried. */
  stop(): Promise<void> {
    this.#stopped ??= this.#run()
    return this.#stopped
  }

  async #run(): Promise<void> {
    this.#controller.abort(new Error('stopped'))
    const faults: unknown[] = []
    for (const stop of this.#stops.reverse()) {
      try {
        await stop()
      } catch (fault) {
        faults.push(fault)
      }
    }
    if (faults.length > 0) throw faults[0]
  }
}
