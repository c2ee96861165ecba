/**
 * A queue of keys to work on, as client-go's: a key waits at most once however often it is added; a key that is being
 * worked on is not given to a second worker but comes back after `done`; failed keys come back after a growing delay.
 */
import { backoffMs } from '../base/backoff.ts'
import type { Env } from '../base/env.ts'

export interface WorkQueue {
  add(key: string): void
  /** Added after `delayMs` of awake time; the earliest of several wins. */
  addAfter(key: string, delayMs: number): void
  /** Added after the key's next back-off delay. */
  addRateLimited(key: string): void
  /** The key succeeded: its back-off begins anew. */
  forget(key: string): void
  retries(key: string): number
  /** Waits for a key; undefined once shut down and empty. Every key got must be given to `done`. */
  next(): Promise<string | undefined>
  done(key: string): void
  readonly length: number
  readonly working: number
  /** No further keys; waiting ones are dropped. Resolves when all work in progress is done. */
  shutDown(): Promise<void>
}

export interface WorkQueueOptions {
  /** Default 5 ms. */
  readonly initialMs?: number
  /** Default 1000 s, as upstream. */
  readonly maxMs?: number
}

export function createWorkQueue(env: Env, options: WorkQueueOptions = {}): WorkQueue {
  const backoff = { initialMs: options.initialMs ?? 5, maxMs: options.maxMs ?? 1_000_000, jitter: 0 }
  const waiting: string[] = []
  const dirty = new Set<string>()
  const processing = new Set<string>()
  const failures = new Map<string, number>()
  const timers = new Map<string, { dueMs: number; cancel: () => void }>()
  const takers: ((key: string | undefined) => void)[] = []
  const drained: (() => void)[] = []
  let closed = false

  function add(key: string): void {
    if (closed || dirty.has(key)) return
    dirty.add(key)
    if (!processing.has(key)) offer(key)
  }
  function offer(key: string): void {
    const taker = takers.shift()
    if (taker) {
      begin(key)
      taker(key)
    } else waiting.push(key)
  }
  function begin(key: string): void {
    dirty.delete(key)
    processing.add(key)
  }
  function addAfter(key: string, delayMs: number): void {
    if (closed) return
    if (delayMs <= 0) {
      add(key)
      return
    }
    const dueMs = env.clock.awakeMs() + delayMs
    const known = timers.get(key)
    if (known && known.dueMs <= dueMs) return
    known?.cancel()
    timers.set(key, {
      dueMs,
      cancel: env.clock.after(delayMs, () => {
        timers.delete(key)
        add(key)
      }),
    })
  }
  return {
    add,
    addAfter,
    addRateLimited(key) {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      addAfter(key, backoffMs(backoff, count, env.random))
    },
    forget: key => {
      failures.delete(key)
    },
    retries: key => failures.get(key) ?? 0,
    next() {
      const key = waiting.shift()
      if (key !== undefined) {
        begin(key)
        return Promise.resolve(key)
      }
      if (closed) return Promise.resolve(undefined)
      return new Promise(resolve => {
        takers.push(resolve)
      })
    },
    done(key) {
      processing.delete(key)
      if (dirty.has(key)) offer(key)
      if (closed && processing.size === 0) for (const resolve of drained.splice(0)) resolve()
    },
    get length() {
      return waiting.length
    },
    get working() {
      return processing.size
    },
    shutDown() {
      closed = true
      waiting.length = 0
      dirty.clear()
      for (const timer of timers.values()) timer.cancel()
      timers.clear()
      for (const taker of takers.splice(0)) taker(undefined)
      return processing.size === 0
        ? Promise.resolve()
        : new Promise(resolve => {
            drained.push(resolve)
          })
    },
  }
}
