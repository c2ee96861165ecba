/** Durations of the last syncs, for metrics. */

/** Figures over this many syncs. */
const KEPT = 1_000

export class SyncTimes {
  readonly #times: number[] = []
  #next = 0

  add(ms: number): void {
    this.#times[this.#next] = ms
    this.#next = (this.#next + 1) % KEPT
  }

  /** The value below which a part (0 to 1) of them lies; 0 without any. */
  quantile(part: number): number {
    if (this.#times.length === 0) return 0
    const sorted = [...this.#times].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  }
}
