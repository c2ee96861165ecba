/** The window's Env for code of the client: the browser's clock and randomness; waits end early when the carrier is back. */
import type { Env, Logger } from '../../src-main/base/env.ts'
import { onReconnected } from './connect.ts'

const log: Logger = {
  log(level, message, fields) {
    if (level === 'error') console.error(message, fields)
  },
  child: () => log,
}

export const windowEnv: Env = {
  clock: {
    now: () => Date.now(),
    awakeMs: () => performance.now(),
    after(delayMs, fn) {
      const timer = setTimeout(fn, delayMs)
      return () => {
        clearTimeout(timer)
      }
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(new Error('aborted'))
          return
        }
        const finish = (fn: () => void) => () => {
          clearTimeout(timer)
          stop()
          signal?.removeEventListener('abort', aborted)
          fn()
        }
        const done = finish(resolve)
        const aborted = finish(() => {
          reject(new Error('aborted'))
        })
        const timer = setTimeout(done, delayMs)
        const stop = onReconnected(done)
        signal?.addEventListener('abort', aborted, { once: true })
      })
    },
  },
  random: { next: () => Math.random(), bytes: count => crypto.getRandomValues(new Uint8Array(count)), uuid: () => crypto.randomUUID() },
  log,
}
