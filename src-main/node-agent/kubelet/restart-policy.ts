/** When containers run again, and after how long. Pure but for the clock given. */
import { isSidecar } from '../../api/core/v1/pod-questions.ts'
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import type { Clock } from '../../base/env.ts'

const initialMs = 10_000
const maxMs = 300_000
/** A container that ran this long without failing starts over with the first delay. */
const resetAfterMs = 2 * maxMs

/** Whether a container that ended with `exitCode` is to run again. Init containers without their own policy only run again after failure. */
export function shouldRestart(pod: Pod, container: Container, exitCode: number, isInit: boolean): boolean {
  for (const rule of container.restartPolicyRules ?? []) {
    const codes = rule.exitCodes
    if (!codes || rule.action !== 'Restart') continue
    const listed = (codes.values ?? []).includes(exitCode)
    if (codes.operator === 'In' ? listed : !listed) return true
  }
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always'
  if (isInit && !isSidecar(container)) return exitCode !== 0 && policy !== 'Never'
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

/** The delay in force and when the container was last started, by the wall clock: it outlives the agent. */
export interface BackoffEntry {
  readonly delayMs: number
  readonly atMs: number
}

/** Back-off of restarts, one delay a container: 10 s, doubled up to 5 minutes. */
export class CrashBackoff {
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #entries = new Map<string, BackoffEntry>()
  constructor(clock: Clock, onChange: () => void = () => {}) {
    this.#clock = clock
    this.#onChange = onChange
  }

  /** For the checkpoint. */
  entries(): [string, BackoffEntry][] {
    return [...this.#entries]
  }

  /** As `entries` gave them before the agent was restarted. */
  restore(entries: readonly [string, BackoffEntry][]): void {
    for (const [key, entry] of entries) if (Number.isFinite(entry.delayMs) && Number.isFinite(entry.atMs)) this.#entries.set(key, entry)
  }

  /** Milliseconds still to wait before `key`, whose container ended at `finishedAtMs`, may start; 0 = start now, which counts as a start. */
  next(key: string, finishedAtMs: number): { waitMs: number; delayMs: number } {
    const now = this.#clock.now()
    const entry = this.#entries.get(key)
    if (entry) {
      const waitMs = finishedAtMs + entry.delayMs - now
      // A wall clock that jumped back must not make anyone wait longer than the delay itself.
      if (waitMs > 0) return { waitMs: Math.min(waitMs, entry.delayMs), delayMs: entry.delayMs }
    }
    const fresh = !entry || now - entry.atMs > resetAfterMs
    this.#entries.set(key, { delayMs: fresh ? initialMs : Math.min(maxMs, entry.delayMs * 2), atMs: now })
    this.#onChange()
    return { waitMs: 0, delayMs: 0 }
  }

  /** Delay that is in force, for messages. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0
  }
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) {
      if (!key.startsWith(prefix)) continue
      this.#entries.delete(key)
      this.#onChange()
    }
  }
}
