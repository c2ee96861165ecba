/**
 * Brings pods' statuses to the API: only what changed, one write a pod at a time, the newest wins. While the API is away
 * the last status of each pod waits; nothing else piles up.
 */
import { pods } from '../../api/core/v1/pod.ts'
import type { Pod, PodStatus } from '../../api/generated/core-v1.ts'
import { isConflict, isNotFound } from '../../api/status-error.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import { statusPatch } from './status-patch.ts'

const retry = { initialMs: 500, maxMs: 15_000 }

export interface StatusManagerOptions {
  readonly env: Env
  readonly client: Client
  /** The pod as the API last gave it. */
  readonly live: (key: string) => Pod | undefined
}

export class StatusManager {
  readonly #options: StatusManagerOptions
  /** What is still to be written, by uid. */
  readonly #pending = new Map<string, { pod: Pod; status: PodStatus }>()
  readonly #writing = new Set<string>()
  /** What the API answered to our last write, which the watch may not have shown yet. */
  readonly #written = new Map<string, Pod>()
  #stopped = false

  constructor(options: StatusManagerOptions) {
    this.#options = options
  }

  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? ''
    this.#pending.set(uid, { pod, status })
    if (!this.#writing.has(uid)) void this.#drain(uid)
  }

  /** Resolves true when the last status given for this pod is in the API (or the pod is not there any more). */
  async flush(uid: string): Promise<boolean> {
    const { clock } = this.#options.env
    for (let waited = 0; waited < 10_000; waited += 50) {
      if (!this.#pending.has(uid) && !this.#writing.has(uid)) return true
      await clock.sleep(50)
    }
    return false
  }

  forget(uid: string): void {
    this.#pending.delete(uid)
    this.#written.delete(uid)
  }
  stop(): void {
    this.#stopped = true
  }

  async #drain(uid: string): Promise<void> {
    const { env } = this.#options
    this.#writing.add(uid)
    try {
      for (let attempt = 0; !this.#stopped;) {
        const next = this.#pending.get(uid)
        if (!next) return
        try {
          await this.#write(uid, next.pod, next.status)
          if (this.#pending.get(uid) === next) this.#pending.delete(uid)
          attempt = 0
        } catch (fault) {
          if (isNotFound(fault) || isConflict(fault)) {
            // Gone, or another pod of this name: its own worker will say so.
            if (this.#pending.get(uid) === next) this.#pending.delete(uid)
            this.#written.delete(uid)
            continue
          }
          env.log.log('debug', 'pod status not written', { pod: next.pod.metadata.name ?? '', fault: String(fault) })
          await env.clock.sleep(backoffMs(retry, attempt++, env.random))
        }
      }
    } finally {
      this.#writing.delete(uid)
    }
  }

  async #write(uid: string, pod: Pod, status: PodStatus): Promise<void> {
    const key = `${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`
    const live = this.#options.live(key)
    const base = newest(live?.metadata.uid === uid ? live : undefined, this.#written.get(uid)) ?? pod
    const patch = statusPatch(base, status)
    if (patch === undefined) return
    const made = await this.#options.client.resource(pods).patch(pod.metadata.name ?? '', 'strategic', patch, { namespace: pod.metadata.namespace ?? '', subresource: 'status' })
    this.#written.set(uid, made)
  }
}

function newest(a: Pod | undefined, b: Pod | undefined): Pod | undefined {
  if (!a || !b) return a ?? b
  return Number(a.metadata.resourceVersion ?? 0) >= Number(b.metadata.resourceVersion ?? 0) ? a : b
}
