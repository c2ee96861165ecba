/**
 * An Env whose time moves only when told and whose randomness comes from a seed: the base of tests with virtual
 * time and of the simulation. Timers fire in order of their due time, then of their creation.
 */
import type { Clock, Env, Logger, Random } from './env.ts'

export interface VirtualEnv extends Env {
  /** Moves the clock on, firing due timers in order and letting promises settle between them. */
  advance(ms: number): Promise<void>
  /** Lets everything that is ready run, without moving the clock. */
  settle(): Promise<void>
  /** Moves only the wall clock (sleep, clock jumps): awake time and timers stay. */
  jump(ms: number): void
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[]
}

interface Timer {
  due: number
  order: number
  fn: () => void
}

export function virtualEnv(options: { seed?: number; startMs?: number } = {}): VirtualEnv {
  let wall = options.startMs ?? Date.UTC(2026, 0, 1)
  let awake = 0
  let order = 0
  let timers: Timer[] = []
  const lines: VirtualEnv['lines'] = []
  const random = seededRandom(options.seed ?? 1)

  const clock: Clock = {
    now: () => wall,
    awakeMs: () => awake,
    after(delayMs, fn) {
      const timer = { due: awake + Math.max(0, delayMs), order: order++, fn }
      timers.push(timer)
      return () => {
        timers = timers.filter(t => t !== timer)
      }
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(reasonOf(signal))
          return
        }
        const cancel = clock.after(delayMs, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        const onAbort = (): void => {
          cancel()
          if (signal) reject(reasonOf(signal))
        }
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
  }

  // Macrotask turns let chains of promises and setImmediate-based I/O of the code under test run to their end.
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise<void>(resolve => setImmediate(resolve))
  }

  async function advance(ms: number): Promise<void> {
    const end = awake + ms
    await settle()
    for (;;) {
      const next = timers.filter(t => t.due <= end).sort((a, b) => a.due - b.due || a.order - b.order)[0]
      if (!next) break
      timers = timers.filter(t => t !== next)
      wall += Math.max(0, next.due - awake)
      awake = Math.max(awake, next.due)
      next.fn()
      await settle()
    }
    wall += end - awake
    awake = end
  }

  const logger = (fields: Record<string, unknown>): Logger => ({
    log: (level, message, more) => {
      lines.push({ level, message, fields: { ...fields, ...more } })
    },
    child: more => logger({ ...fields, ...more }),
  })

  return {
    clock,
    random,
    log: logger({}),
    advance,
    settle,
    jump: ms => {
      wall += ms
    },
    lines,
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted')
}

/** mulberry32: small, fast, and the same on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => Math.floor(next() * 256))
  const uuid = (): string => {
    const b = bytes(16)
    b[6] = ((b[6] ?? 0) & 0x0f) | 0x40
    b[8] = ((b[8] ?? 0) & 0x3f) | 0x80
    const hex = Array.from(b, v => v.toString(16).padStart(2, '0')).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }
  return { next, bytes, uuid }
}
