/**
 * Watchers that check what they are told (I3): events in order, none twice, none missing up to every bookmark, resumable
 * from the last revision seen, or 410. They go through the faulty network, with and without selectors.
 */
import { configMaps, deployments, pods, replicaSets } from '../../src-main/api/resources.ts'
import { storagePrefix } from '../../src-main/api/resource.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import type { KubernetesObject, WatchEvent } from '../../src-main/api/meta.ts'
import { isExpired } from '../../src-main/api/status-error.ts'
import type { Client } from '../../src-main/client/client.ts'
import type { Journal } from './journal.ts'
import type { Ledger, LooseObject, TruthEvent } from './ledger.ts'
import type { SimProcess } from './process.ts'

interface Selection {
  readonly resource: AnyResource
  readonly namespace?: string
  readonly labels?: readonly [string, string]
}

const selections: readonly Selection[] = [
  { resource: pods },
  { resource: pods, labels: ['tier', 'front'] },
  { resource: pods, namespace: 'team-1' },
  { resource: deployments, labels: ['tier', 'front'] },
  { resource: replicaSets },
  { resource: configMaps, namespace: 'team-2' },
]

export class Watchers {
  readonly all: CheckedWatcher[]
  constructor(options: { client: Client; process: SimProcess; ledger: Ledger; journal: Journal }) {
    this.all = selections.map((selection, i) => new CheckedWatcher(`watcher-${i}`, selection, options))
    for (const watcher of this.all) void watcher.run()
  }
  get events(): number {
    return this.all.reduce((sum, watcher) => sum + watcher.count, 0)
  }
  get expirations(): number {
    return this.all.reduce((sum, watcher) => sum + watcher.expirations, 0)
  }
  /** With the API at rest: everybody must have everything. */
  checkComplete(): void {
    for (const watcher of this.all) watcher.checkComplete()
  }
}

class CheckedWatcher {
  readonly #name: string
  readonly #selection: Selection
  readonly #client: Client
  readonly #process: SimProcess
  readonly #ledger: Ledger
  readonly #journal: Journal
  /** Everything up to here was delivered; undefined: must list. */
  #seen: number | undefined
  /** Index into the ledger's events of the first one that may not have been delivered, and the array that it belongs to. */
  #next = 0
  #history: readonly TruthEvent[] = []
  count = 0
  expirations = 0

  constructor(name: string, selection: Selection, options: { client: Client; process: SimProcess; ledger: Ledger; journal: Journal }) {
    this.#name = name
    this.#selection = selection
    this.#client = options.client
    this.#process = options.process
    this.#ledger = options.ledger
    this.#journal = options.journal
  }

  async run(): Promise<void> {
    while (this.#process.alive) {
      try {
        if (this.#seen === undefined) await this.#list()
        await this.#watch(this.#seen ?? 0)
      } catch (fault) {
        if (isExpired(fault)) {
          this.#seen = undefined
          this.expirations++
        }
      }
      await this.#process.env.clock.sleep(300)
    }
  }

  async #list(): Promise<void> {
    const { resource } = this.#selection
    const list = await this.#client.resource<KubernetesObject>(resource).list(this.#options())
    const revision = Number(list.metadata.resourceVersion)
    this.#seek(revision)
    this.#seen = revision
  }

  #options(): { namespace?: string; labelSelector?: string } {
    const { namespace, labels } = this.#selection
    return { ...(namespace ? { namespace } : {}), ...(labels ? { labelSelector: `${labels[0]}=${labels[1]}` } : {}) }
  }

  /** The events after a revision are next. */
  #seek(revision: number): void {
    this.#history = this.#ledger.events
    this.#next = this.#history.findIndex(event => event.revision > revision)
    if (this.#next < 0) this.#next = this.#history.length
  }

  async #watch(from: number): Promise<void> {
    const options = { ...this.#options(), resourceVersion: String(from), allowWatchBookmarks: true, timeoutSeconds: 20 + Math.floor(this.#process.env.random.next() * 100) }
    for await (const event of this.#client.resource<KubernetesObject>(this.#selection.resource).watch(options)) {
      if (this.#history !== this.#ledger.events) {
        // The store lost its history: what came after can no longer be compared with what we have.
        if (this.#ledger.firstRevision > (this.#seen ?? 0)) {
          this.#journal.violate('I3', `${this.#name} went on from ${this.#seen ?? 0} although history begins at ${this.#ledger.firstRevision}`)
          return
        }
        this.#seek(this.#seen ?? 0)
      }
      this.#take(event)
    }
  }

  #take(event: WatchEvent): void {
    const revision = Number(event.object.metadata.resourceVersion)
    const seen = this.#seen ?? 0
    if (event.type === 'BOOKMARK') {
      if (revision < seen) this.#journal.violate('I2', `${this.#name}: bookmark ${revision} after ${seen}`)
      const missed = this.#expected(revision)
      if (missed) this.#journal.violate('I3', `${this.#name} missed ${missed.type} of ${missed.key} at ${missed.revision} before its bookmark ${revision}`)
      this.#seen = revision
      return
    }
    this.count++
    if (revision <= seen) this.#journal.violate('I3', `${this.#name}: ${event.type} at ${revision} after ${seen}`)
    const expected = this.#expected(Number.MAX_SAFE_INTEGER)
    if (!expected || expected.revision !== revision || expected.type !== event.type) {
      this.#journal.violate(
        'I3',
        `${this.#name} got ${event.type} of ${event.object.metadata.name ?? ''} at ${revision}; due was ${expected ? `${expected.type} of ${expected.key} at ${expected.revision}` : 'nothing'}`,
      )
    }
    this.#seen = revision
    this.#next++
  }

  checkComplete(): void {
    if (this.#seen === undefined || this.#history !== this.#ledger.events) {
      this.#journal.violate('I6', `${this.#name} has not come back`)
      return
    }
    const missed = this.#expected(Number.MAX_SAFE_INTEGER)
    if (missed) this.#journal.violate('I3', `${this.#name} never got ${missed.type} of ${missed.key} at ${missed.revision}`)
  }

  /** The next event that this watcher must be told, at most at `until`; leaves #next there. */
  #expected(until: number): { type: string; key: string; revision: number } | undefined {
    const prefix = storagePrefix(this.#selection.resource, this.#selection.namespace)
    for (; this.#next < this.#history.length; this.#next++) {
      const event = this.#history[this.#next]
      if (!event || event.revision > until) return undefined
      if (!event.key.startsWith(prefix)) continue
      const was = event.previous !== undefined && this.#matches(event.previous)
      const is = event.type === 'put' && this.#matches(event.object)
      if (was || is) return { type: !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED', key: event.key, revision: event.revision }
    }
    return undefined
  }

  #matches(object: LooseObject): boolean {
    const { labels } = this.#selection
    return !labels || object.metadata.labels?.[labels[0]] === labels[1]
  }
}
