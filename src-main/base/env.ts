/**
 * Everything a component may take from the outside world besides the network and the disk: time, timers,
 * randomness and logging. Production passes `nodeEnv` (base/node/node-env.ts); tests and the simulation pass
 * `virtualEnv` (base/virtual-env.ts), whose clock moves only when told. No other file may touch Date.now,
 * performance.now, setTimeout, setInterval, Math.random or crypto randomness.
 */
export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface Clock {
  /** Wall-clock time in milliseconds since 1970; may jump. Only for timestamps that people or the API see. */
  now(): number
  /** Monotonic time in milliseconds that stands still while the machine sleeps. For every interval and deadline. */
  awakeMs(): number
  /** Calls `fn` once after `delayMs` of awake time; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, fn: () => void): () => void
  /** Resolves after `delayMs`, or rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** `count` unpredictable bytes (deterministic in a simulation). */
  bytes(count: number): Uint8Array
  /** RFC 4122 version 4. */
  uuid(): string
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Logger {
  /** `fields` are plain data; never put a secret, password, key or token in them. */
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void
  child(fields: Record<string, unknown>): Logger
}
