/**
 * Tells watchers what was committed. Shared by all stores. Watchers are grouped by kind, so an event costs only what
 * its own kind's watchers cost.
 */
import { StoreError } from './store.ts'
import type { StoreEvent, WatchOptions } from './store.ts'
import { bucketOf } from './memory/key-index.ts'

interface Watcher {
  readonly prefix: string
  readonly options: WatchOptions
  ended: boolean
}

export class WatchHub {
  readonly #byKind = new Map<string, Set<Watcher>>()
  /** Watchers of prefixes wider than a kind. */
  readonly #wide = new Set<Watcher>()
  readonly #all = new Set<Watcher>()

  get watchers(): number {
    return this.#all.size
  }

  /** Adds a watcher for events published from now on. Returns the function that ends it. */
  add(prefix: string, options: WatchOptions): () => void {
    const watcher: Watcher = { prefix, options, ended: false }
    const kind = bucketOf(prefix)
    const group = kind === undefined ? this.#wide : (this.#byKind.get(kind) ?? new Set<Watcher>())
    if (kind !== undefined) this.#byKind.set(kind, group)
    group.add(watcher)
    this.#all.add(watcher)
    return () => {
      watcher.ended = true
      group.delete(watcher)
      this.#all.delete(watcher)
      if (kind !== undefined && group.size === 0 && this.#byKind.get(kind) === group) this.#byKind.delete(kind)
    }
  }

  /** One committed batch, in revision order, then the progress call of every watcher. */
  publish(events: readonly StoreEvent[], revision: number): void {
    for (const event of events) {
      const { key } = event.entry
      for (const watcher of this.#byKind.get(bucketOf(key) ?? '') ?? []) if (!watcher.ended && key.startsWith(watcher.prefix)) watcher.options.onEvent(event)
      for (const watcher of this.#wide) if (!watcher.ended && key.startsWith(watcher.prefix)) watcher.options.onEvent(event)
    }
    for (const watcher of this.#all) if (!watcher.ended) watcher.options.onProgress?.(revision)
  }

  /** Ends every watcher. */
  end(reason: StoreError): void {
    const watchers = [...this.#all]
    this.#all.clear()
    this.#byKind.clear()
    this.#wide.clear()
    for (const watcher of watchers) {
      if (watcher.ended) continue
      watcher.ended = true
      watcher.options.onEnd?.(reason)
    }
  }
}
