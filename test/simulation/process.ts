/**
 * A simulated operating system process: an Env of its own over the shared virtual clock that can be killed (nothing of it
 * ever runs again, as after SIGKILL or a power cut) and stopped (as SIGSTOP or a sleeping laptop: its awake time stands still).
 */
import type { Clock, Env } from '../../src-main/base/env.ts'
import { seededRandom } from '../../src-main/base/virtual-env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'

export interface SimProcess {
  readonly name: string
  readonly env: Env
  readonly alive: boolean
  readonly running: boolean
  kill(): void
  /** `awakeGoesOn`: as a blocked event loop, or a sleep that the monotonic clock does not leave out: timers are late. */
  pause(awakeGoesOn?: boolean): void
  resume(): void
  /** Resolves while the process runs: at once, on resume(), or never once it is dead. */
  whenRunning(): Promise<void>
  /** Called once, when the process dies. Returns the function that forgets it. */
  onDeath(call: () => void): () => void
}

interface Timer {
  readonly fn: () => void
  readonly dueMs: number
  cancel: () => void
}

export function simProcess(outer: VirtualEnv, name: string, seed: number): SimProcess {
  const random = seededRandom(seed)
  const timers = new Set<Timer>()
  const waiting: (() => void)[] = []
  const deaths = new Set<() => void>()
  let alive = true
  let isPaused = false
  /** Awake time stands still since then. */
  let pausedAtMs: number | undefined
  let pausedMs = 0

  const awakeMs = (): number => (pausedAtMs ?? outer.clock.awakeMs()) - pausedMs
  const arm = (timer: Timer): void => {
    timer.cancel = outer.clock.after(timer.dueMs - awakeMs(), () => {
      timers.delete(timer)
      timer.fn()
    })
  }
  const clock: Clock = {
    now: () => outer.clock.now(),
    awakeMs,
    after(delayMs, fn) {
      if (!alive) return () => {}
      const timer: Timer = { fn, dueMs: awakeMs() + Math.max(0, delayMs), cancel: () => {} }
      timers.add(timer)
      if (!isPaused) arm(timer)
      return () => {
        timer.cancel()
        timers.delete(timer)
      }
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        const reasonOf = (): Error => (signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
        if (signal?.aborted) {
          reject(reasonOf())
          return
        }
        const onAbort = (): void => {
          cancel()
          if (alive) reject(reasonOf())
        }
        const cancel = clock.after(delayMs, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
  return {
    name,
    env: { clock, random, log: outer.log.child({ process: name }) },
    get alive() {
      return alive
    },
    get running() {
      return alive && !isPaused
    },
    kill() {
      if (!alive) return
      alive = false
      for (const timer of timers) timer.cancel()
      timers.clear()
      waiting.length = 0
      for (const call of [...deaths]) call()
      deaths.clear()
    },
    pause(awakeGoesOn = false) {
      if (!alive || isPaused) return
      isPaused = true
      if (!awakeGoesOn) pausedAtMs = outer.clock.awakeMs()
      for (const timer of timers) timer.cancel()
    },
    resume() {
      if (!alive || !isPaused) return
      isPaused = false
      if (pausedAtMs !== undefined) pausedMs += outer.clock.awakeMs() - pausedAtMs
      pausedAtMs = undefined
      for (const timer of [...timers].sort((a, b) => a.dueMs - b.dueMs)) arm(timer)
      for (const go of waiting.splice(0)) go()
    },
    whenRunning() {
      if (!alive) return new Promise(() => {})
      if (!isPaused) return Promise.resolve()
      return new Promise(resolve => {
        waiting.push(resolve)
      })
    },
    onDeath(call) {
      if (!alive) {
        call()
        return () => {}
      }
      deaths.add(call)
      return () => {
        deaths.delete(call)
      }
    },
  }
}
