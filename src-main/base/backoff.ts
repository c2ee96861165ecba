import type { Random } from './env.ts'

export interface BackoffOptions {
  readonly initialMs: number
  readonly maxMs: number
  /** Default 2. */
  readonly factor?: number
  /** Fraction of the delay that is random, 0 to 1. Default 0.1. */
  readonly jitter?: number
}

/** Delay before try number `attempt` (0 = the first retry), in milliseconds. */
export function backoffMs(options: BackoffOptions, attempt: number, random: Random): number {
  const raw = Math.min(options.maxMs, options.initialMs * (options.factor ?? 2) ** attempt)
  return raw * (1 + (options.jitter ?? 0.1) * random.next())
}
