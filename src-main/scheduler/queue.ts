/**
 * Pods that wait for a node: active ones by priority and age, those in back-off after a failed try, and unschedulable
 * ones that sleep until something happens that may help the plugins that refused them. Nothing here looks at every pod:
 * ten thousand may wait while a thousand events a second come in.
 */
import type { Pod } from '../api/generated/core-v1.ts'
import type { AnyResource } from '../api/resource.ts'
import { resourceKey } from '../api/resource.ts'
import type { Env } from '../base/env.ts'
import type { Plugin } from './framework.ts'
import { Heap } from './heap.ts'
import { priorityOf } from './preemption.ts'

/** As upstream: 1 s to 10 s between tries. */
const initialBackoffMs = 1000
const maxBackoffMs = 10_000
/** A sleeping pod is tried again after this whatever happens; upstream's 5 minutes. */
const maxSleepMs = 300_000

type Place = 'ready' | 'backoff' | 'sleeping' | 'none'

interface Entry {
  readonly key: string
  priority: number
  createdAt: string
  readonly order: number
  attempts: number
  notBeforeMs: number
  sleepingSinceMs: number
  place: Place
  /** Rises with every move, so that what heaps still hold of an earlier place is known as stale. */
  moves: number
  group: SleepingGroup | undefined
}

/** An entry as it stood when it was put into a heap. */
interface Placed {
  readonly entry: Entry
  readonly moves: number
}

/** Sleepers that the same plugins refused, the one that fell asleep first in front. */
interface SleepingGroup {
  readonly refusedBy: ReadonlySet<string>
  readonly entries: Map<string, Entry>
}

function isStale({ entry, moves }: Placed): boolean {
  return entry.moves !== moves
}

export class SchedulingQueue {
  readonly #env: Env
  readonly #wakers = new Map<string, Set<string>>()
  readonly #known = new Map<string, Entry>()
  readonly #ready = new Heap<Placed>((a, b) => before(a.entry, b.entry))
  readonly #backoff = new Heap<Placed>((a, b) => a.entry.notBeforeMs < b.entry.notBeforeMs)
  readonly #sleeping = new Map<string, SleepingGroup>()
  #order = 0
  #active = 0
  #asleep = 0
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined
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
  /** Active ones wait for their turn or for the end of their back-off. */
  get counts(): { active: number; sleeping: number } {
    return { active: this.#active, sleeping: this.#asleep }
  }

  /** A new pod, or one whose own change may have made it schedulable. */
  put(key: string, pod: Pod): void {
    let entry = this.#known.get(key)
    if (!entry) {
      entry = { key, priority: 0, createdAt: '', order: this.#order++, attempts: 0, notBeforeMs: 0, sleepingSinceMs: 0, place: 'none', moves: 0, group: undefined }
      this.#known.set(key, entry)
    }
    this.#take(entry)
    entry.priority = priorityOf(pod)
    entry.createdAt = pod.metadata.creationTimestamp ?? ''
    this.#activate(entry)
    this.#schedule()
  }

  remove(key: string): void {
    const entry = this.#known.get(key)
    if (!entry) return
    this.#take(entry)
    this.#known.delete(key)
  }

  /** The most important pod that may be tried now. */
  next(): string | undefined {
    this.#endBackoffs(this.#env.clock.awakeMs())
    for (let placed = this.#ready.pop(); placed; placed = this.#ready.pop()) {
      if (isStale(placed)) continue
      this.#take(placed.entry)
      return placed.entry.key
    }
    // Whoever was tried last may have been bound: those in back-off still need a clock of theirs.
    this.#schedule()
    return undefined
  }

  /** A try failed. `moves` as it was when the try began. */
  failed(key: string, refusedBy: ReadonlySet<string>, moves: number): void {
    const entry = this.#known.get(key)
    if (!entry || entry.place === 'ready' || entry.place === 'backoff') return
    this.#take(entry)
    entry.attempts++
    const nowMs = this.#env.clock.awakeMs()
    entry.notBeforeMs = nowMs + Math.min(maxBackoffMs, initialBackoffMs * 2 ** (entry.attempts - 1))
    if (moves === this.#moves) this.#sleep(entry, refusedBy, nowMs)
    else this.#activate(entry)
    this.#schedule()
  }

  /** Something changed in the cluster: wakes the pods that it may help. */
  wake(kind: AnyResource, on: 'add' | 'update' | 'delete'): void {
    this.#moves++
    if (this.#asleep === 0) return
    const helps = this.#wakers.get(`${resourceKey(kind)}/${on}`)
    for (const group of this.#sleeping.values()) {
      const concerned = group.refusedBy.size === 0 || [...group.refusedBy].some(name => helps?.has(name))
      if (!concerned) continue
      for (const entry of group.entries.values()) {
        this.#take(entry)
        this.#activate(entry)
      }
    }
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #activate(entry: Entry): void {
    entry.place = entry.notBeforeMs <= this.#env.clock.awakeMs() ? 'ready' : 'backoff'
    this.#active++
    const heap = entry.place === 'ready' ? this.#ready : this.#backoff
    heap.push({ entry, moves: entry.moves })
  }

  #sleep(entry: Entry, refusedBy: ReadonlySet<string>, nowMs: number): void {
    const id = [...refusedBy].sort().join()
    let group = this.#sleeping.get(id)
    if (!group) this.#sleeping.set(id, (group = { refusedBy, entries: new Map() }))
    entry.place = 'sleeping'
    entry.sleepingSinceMs = nowMs
    entry.group = group
    group.entries.set(entry.key, entry)
    this.#asleep++
  }

  /** Out of wherever it is. */
  #take(entry: Entry): void {
    if (entry.place === 'ready' || entry.place === 'backoff') this.#active--
    if (entry.place === 'sleeping') {
      this.#asleep--
      entry.group?.entries.delete(entry.key)
      entry.group = undefined
    }
    entry.place = 'none'
    entry.moves++
  }

  #endBackoffs(nowMs: number): void {
    for (let placed = this.#backoff.peek(); placed && (isStale(placed) || placed.entry.notBeforeMs <= nowMs); placed = this.#backoff.peek()) {
      this.#backoff.pop()
      if (isStale(placed)) continue
      placed.entry.place = 'ready'
      this.#ready.push(placed)
    }
  }

  /** Calls onReady when the next pod may be tried. */
  #schedule(): void {
    const nowMs = this.#env.clock.awakeMs()
    this.#endBackoffs(nowMs)
    while (this.#ready.size > 0 && isStale(this.#ready.peek() as Placed)) this.#ready.pop()
    if (this.#ready.size > 0) {
      this.onReady()
      return
    }
    let atMs = this.#backoff.peek()?.entry.notBeforeMs ?? Infinity
    for (const { entries } of this.#sleeping.values()) {
      const first = entries.values().next().value
      if (first) atMs = Math.min(atMs, first.sleepingSinceMs + maxSleepMs)
    }
    if (this.#timer && this.#timer.atMs <= atMs && this.#timer.atMs > nowMs) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (atMs === Infinity) return
    // Whole milliseconds: a rest that rounding left would be waited for again and again.
    const cancel = this.#env.clock.after(Math.max(1, Math.ceil(atMs - nowMs)), () => {
      this.#timer = undefined
      this.#rouse()
      this.#schedule()
    })
    this.#timer = { atMs, cancel }
  }

  #rouse(): void {
    const nowMs = this.#env.clock.awakeMs()
    for (const { entries } of this.#sleeping.values()) {
      for (const entry of entries.values()) {
        if (entry.sleepingSinceMs + maxSleepMs > nowMs) break
        this.#take(entry)
        this.#activate(entry)
      }
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  return a.createdAt !== b.createdAt ? a.createdAt < b.createdAt : a.order < b.order
}
