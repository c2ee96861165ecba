/** Writes Machine.status: changes of one machine are merged and written one after the other, at most five times a second. */
import type { Machine, MachineCondition, MachineStatus } from '../../api/infra/v1alpha1/machine.ts'
import { machines } from '../../api/infra/v1alpha1/machine-resource.ts'
import { deepEqual } from '../../api/json.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'

const gapMs = 200

export interface StatusWriter {
  /** The status as it was last set. */
  readonly status: MachineStatus
  /** Merges; members given as undefined are removed. Written soon, in order. */
  set(change: { readonly [K in keyof MachineStatus]?: MachineStatus[K] | undefined }): void
  condition(type: string, status: 'True' | 'False' | 'Unknown', reason: string, message: string): void
  /** Resolves when everything set so far was written; rejects when the API refused it. */
  flush(): Promise<void>
}

export function createStatusWriter(env: Env, client: Client, machine: Machine): StatusWriter {
  const name = machine.metadata.name ?? ''
  let status: MachineStatus = { ...machine.status }
  let written: MachineStatus = { ...machine.status }
  let running: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined

  async function write(): Promise<void> {
    while (!deepEqual(status, written)) {
      const next = status
      const patch = Object.fromEntries(
        [...new Set([...Object.keys(written), ...Object.keys(next)])]
          .filter(key => !deepEqual(next[key as keyof MachineStatus], written[key as keyof MachineStatus]))
          .map(key => [key, next[key as keyof MachineStatus] ?? null]),
      )
      try {
        await client.resource(machines).patch(name, 'merge', { status: patch }, { subresource: 'status' })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault // it was deleted meanwhile: nobody is left to tell
      }
      written = next
    }
  }
  const begin = (): Promise<void> =>
    (running ??= write().finally(() => {
      running = undefined
    }))

  return {
    get status() {
      return status
    },
    set(change) {
      const next: Record<string, unknown> = { ...status, ...change }
      for (const [key, value] of Object.entries(next)) if (value === undefined) delete next[key]
      if (deepEqual(next, status)) return
      status = next as MachineStatus
      cancelTimer ??= env.clock.after(gapMs, () => {
        cancelTimer = undefined
        begin().catch((fault: unknown) => {
          env.log.log('warn', 'status of a machine could not be written', { machine: name, fault: String(fault) })
        })
      })
    },
    condition(type, value, reason, message) {
      const conditions = status.conditions ?? []
      const old = conditions.find(condition => condition.type === type)
      const next: MachineCondition = {
        type,
        status: value,
        reason,
        message,
        lastTransitionTime: old?.status === value ? old.lastTransitionTime : formatTime(env.clock.now()),
        ...(machine.metadata.generation === undefined ? {} : { observedGeneration: machine.metadata.generation }),
      }
      this.set({ conditions: old ? conditions.map(condition => (condition === old ? next : condition)) : [...conditions, next] })
    },
    async flush() {
      cancelTimer?.()
      cancelTimer = undefined
      while (running || !deepEqual(status, written)) await begin()
    },
  }
}
