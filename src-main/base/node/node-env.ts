/** The Env of a running program: the machine's clock, timers and randomness; log lines as JSON on standard error. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock, Env, Logger, LogLevel, Random } from '../env.ts'

const levels: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** The longest delay that the runtime's timers know; beyond it they fire at once. */
const longestMs = 2 ** 31 - 1

/** Fires when the whole delay has passed, by as many timers as that takes. */
function startTimer(delayMs: number, fn: () => void, isKeptAlive: boolean): () => void {
  let timer: NodeJS.Timeout
  const arm = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, longestMs)
    timer = setTimeout(
      leftMs > stepMs
        ? () => {
            arm(leftMs - stepMs)
          }
        : fn,
      stepMs,
    )
    if (!isKeptAlive) timer.unref()
  }
  arm(delayMs)
  return () => {
    clearTimeout(timer)
  }
}

const clock: Clock = {
  now: () => Date.now(),
  awakeMs: () => performance.now(), // CLOCK_MONOTONIC: excludes suspend on Linux and macOS
  after(delayMs, fn) {
    return startTimer(delayMs, fn, false)
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(asError(signal.reason))
        return
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const cancel = startTimer(delayMs, wake, true)
      const onAbort = (): void => {
        cancel()
        reject(asError(signal?.reason))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}

const random: Random = {
  next: () => Math.random(),
  bytes: count => new Uint8Array(randomBytes(count)),
  uuid: () => randomUUID(),
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted')
}

function jsonLogger(least: LogLevel, fields: Record<string, unknown>, write: (line: string) => void): Logger {
  return {
    log(level, message, more) {
      if (levels[level] < levels[least]) return
      write(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields, ...more }, errorsAsText) + '\n')
    },
    child: more => jsonLogger(least, { ...fields, ...more }, write),
  }
}

function errorsAsText(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message
  return typeof value === 'bigint' ? value.toString() : value
}

/** `write` takes whole lines; standard error by default. */
export function nodeEnv(options: { level?: LogLevel; write?: (line: string) => void } = {}): Env {
  const write =
    options.write ??
    ((line: string) => {
      process.stderr.write(line)
    })
  return { clock, random, log: jsonLogger(options.level ?? 'info', {}, write) }
}
