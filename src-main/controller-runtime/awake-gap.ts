/**
 * Notices that the machine slept or the process stood still between two looks: the wall clock went on much further than
 * awake time did, or far more awake time passed than expected. Whoever watches others for silence starts their grace anew then.
 */
import type { Env } from '../base/env.ts'

/** Differences below this are ordinary lateness and small corrections of the clock. */
const toleranceMs = 10_000

export class AwakeGap {
  readonly #env: Env
  #wallMs: number
  #awakeMs: number

  constructor(env: Env) {
    this.#env = env
    this.#wallMs = env.clock.now()
    this.#awakeMs = env.clock.awakeMs()
  }

  /** True when there was a gap since the last call; calls are expected every `periodMs`. */
  check(periodMs: number): boolean {
    const wallMs = this.#env.clock.now()
    const awakeMs = this.#env.clock.awakeMs()
    const awake = awakeMs - this.#awakeMs
    const asleep = wallMs - this.#wallMs - awake
    this.#wallMs = wallMs
    this.#awakeMs = awakeMs
    // A clock set back shows as negative sleep: no sign of a gap by itself.
    return asleep > toleranceMs || awake > periodMs + 2 * toleranceMs
  }
}
