/**
 * Pods that wait for a node: active ones by priority and age, those in back-off after a failed try, and unschedulable
 * ones that sleep until something happens that may help the plugins that refused them.
 */
import type { Pod } from '../api/generated/core-v1.ts'
import type { AnyResource } from '../api/resource.ts'
import { resourceKey } from '../api/resource.ts'
import type { Env } from '../base/env.ts'
import type { Plugin } from './framework.ts'
import { priorityOf } from './preemption.ts'

/** As upstream: 1 s to 10 s between tries. */
const initialBackoffMs = 1000
const maxBackoffMs = 10_000
/** A sleeping pod is tried again after this whatever happens; upstream's 5 minutes. */
const maxSleepMs = 300_000

interface Entry {
  readonly key: string
  priority: number
  createdAt: string
  order: number
  attempts: number
  notBeforeMs: number
  refusedBy: ReadonlySet<string>
  sleepingSinceMs: number
}

export class SchedulingQueue {
  readonly #env: Env
  readonly #wakers = new Map<string, Set<string>>()
  readonly #active = new Map<string, Entry>()
  readonly #sleeping = new Map<string, Entry>()
  readonly #known = new Map<string, Entry>()
  #order = 0
  #cancel: (() => void) | undefined
  /** Counts events: a pod that was refused on an older state than the newest event must not sleep. */
  #moves = 0
  readonly onReady: () => void

  constructor(env: Env, plugins: readonly Plugin[], onReady: () => void) {
    this.#env = env
    this.onReady = onReady
    for (const plugin of plugins)
      for (const { kind, on } of plugin.wakesOn ?? [])
        for (const type of on) {
          const id = `${resourceKey(kind)}/${type}`
          this.#wakers.set(id, (this.#wakers.get(id) ?? new Set()).add(plugin.name))
        }
  }

  get moves(): number {
    return this.#moves
  }
  get counts(): { active: number; sleeping: number } {
    return { active: this.#active.size, sleeping: this.#sleeping.size }
  }

  /** A new pod, or one whose own change may have made it schedulable. */
  put(key: string, pod: Pod): void {
    const entry = this.#known.get(key) ?? { key, priority: 0, createdAt: '', order: this.#order++, attempts: 0, notBeforeMs: 0, refusedBy: new Set<string>(), sleepingSinceMs: 0 }
    entry.priority = priorityOf(pod)
    entry.createdAt = pod.metadata.creationTimestamp ?? ''
    this.#known.set(key, entry)
    this.#sleeping.delete(key)
    this.#active.set(key, entry)
    this.#schedule()
  }

  remove(key: string): void {
    this.#known.delete(key)
    this.#active.delete(key)
    this.#sleeping.delete(key)
  }

  /** The most important pod that may be tried now. */
  next(): string | undefined {
    const nowMs = this.#env.clock.awakeMs()
    let best: Entry | undefined
    for (const entry of this.#active.values()) {
      if (entry.notBeforeMs <= nowMs && (!best || before(entry, best))) best = entry
    }
    if (best) this.#active.delete(best.key)
    return best?.key
  }

  /** A try failed. `moves` as it was when the try began. */
  failed(key: string, refusedBy: ReadonlySet<string>, moves: number): void {
    const entry = this.#known.get(key)
    if (!entry || this.#active.has(key)) return
    entry.attempts++
    entry.refusedBy = refusedBy
    const nowMs = this.#env.clock.awakeMs()
    entry.notBeforeMs = nowMs + Math.min(maxBackoffMs, initialBackoffMs * 2 ** (entry.attempts - 1))
    if (moves !== this.#moves) this.#active.set(key, entry)
    else {
      entry.sleepingSinceMs = nowMs
      this.#sleeping.set(key, entry)
    }
    this.#schedule()
  }

  /** Something changed in the cluster: wakes the pods that it may help. */
  wake(kind: AnyResource, on: 'add' | 'update' | 'delete'): void {
    this.#moves++
    const helps = this.#wakers.get(`${resourceKey(kind)}/${on}`)
    for (const entry of this.#sleeping.values()) {
      const concerned = entry.refusedBy.size === 0 || [...entry.refusedBy].some(name => helps?.has(name))
      if (concerned) {
        this.#sleeping.delete(entry.key)
        this.#active.set(entry.key, entry)
      }
    }
    this.#schedule()
  }

  stop(): void {
    this.#cancel?.()
  }

  /** Calls onReady when the next pod may be tried. */
  #schedule(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const nowMs = this.#env.clock.awakeMs()
    let next = Infinity
    for (const entry of this.#active.values()) next = Math.min(next, entry.notBeforeMs)
    for (const entry of this.#sleeping.values()) next = Math.min(next, entry.sleepingSinceMs + maxSleepMs)
    if (next <= nowMs) this.onReady()
    else if (next < Infinity)
      this.#cancel = this.#env.clock.after(next - nowMs, () => {
        this.#rouse()
        this.onReady()
      })
  }

  #rouse(): void {
    const nowMs = this.#env.clock.awakeMs()
    for (const entry of this.#sleeping.values()) {
      if (entry.sleepingSinceMs + maxSleepMs <= nowMs) {
        this.#sleeping.delete(entry.key)
        this.#active.set(entry.key, entry)
      }
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  return a.createdAt !== b.createdAt ? a.createdAt < b.createdAt : a.order < b.order
}
