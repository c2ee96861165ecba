/**
 * Samples of one thing over time in two resolutions: every sample of the last hour, and one a minute (the mean) of the
 * last day. Fixed memory a series: 8 bytes a number, allocated as the series grows. Kept in memory; a restart begins anew.
 */
export interface Sample {
  /** ms since 1970 */
  readonly at: number
  readonly cpuMillicores: number
  readonly memoryBytes: number
}

/** 10 s for one hour. */
const fineSamples = 360
/** 1 min for one day. */
const coarseSamples = 1440
const minuteMs = 60_000

export class Series {
  readonly #fine: Sample[] = []
  readonly #coarse: Sample[] = []
  #minute: { start: number; count: number; cpu: number; memory: number } | undefined

  get newest(): Sample | undefined {
    return this.#fine.at(-1)
  }

  /** Samples must come in order of time; an older one is dropped. */
  add(sample: Sample): void {
    const newest = this.newest
    if (newest && sample.at <= newest.at) return
    this.#fine.push(sample)
    if (this.#fine.length > fineSamples) this.#fine.shift()
    const start = Math.floor(sample.at / minuteMs) * minuteMs
    if (this.#minute && this.#minute.start !== start) this.#closeMinute()
    this.#minute ??= { start, count: 0, cpu: 0, memory: 0 }
    this.#minute.count++
    this.#minute.cpu += sample.cpuMillicores
    this.#minute.memory += sample.memoryBytes
  }

  /** Samples from `since` on, ascending: coarse ones where no fine one reaches back. */
  since(since: number): Sample[] {
    const firstFine = this.#fine[0]?.at ?? Number.POSITIVE_INFINITY
    const old = this.#coarse.filter(s => s.at >= since && s.at < firstFine)
    return [...old, ...this.#fine.filter(s => s.at >= since)]
  }

  #closeMinute(): void {
    const minute = this.#minute
    if (!minute) return
    this.#coarse.push({ at: minute.start, cpuMillicores: minute.cpu / minute.count, memoryBytes: minute.memory / minute.count })
    if (this.#coarse.length > coarseSamples) this.#coarse.shift()
    this.#minute = undefined
  }
}
