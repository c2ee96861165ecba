/** Machines that this window removed: watched until they are gone, then told with what was left on the host. */
import { effectScope, shallowRef, watch } from 'vue'
import { machines as machineKind } from '../../src-main/api/infra/v1alpha1/machine-resource.ts'
import type { Machine } from '../../src-main/api/infra/v1alpha1/machine.ts'
import { useLive } from './live-list.ts'
import { useToasts } from './toasts.ts'

export interface Removal {
  readonly name: string
  readonly address: string
  readonly leftovers: readonly string[]
  readonly forced: boolean
  readonly at: number
}

/** Newest first. */
export const removals = shallowRef<readonly Removal[]>([])

export function forgetRemoval(name: string): void {
  removals.value = removals.value.filter(r => r.name !== name)
}

/** Begins to watch machines whose deletion was just accepted. */
export function watchRemovals(names: readonly string[]): void {
  const scope = effectScope(true)
  const last = new Map<string, Machine>()
  const waiting = new Set(names)
  scope.run(() => {
    const live = useLive(machineKind)
    watch(
      [live.rows, live.state],
      ([rows, state]) => {
        if (state === 'loading') return
        for (const machine of rows) if (waiting.has(machine.metadata.name ?? '')) last.set(machine.metadata.name ?? '', machine)
        for (const name of waiting)
          if (!rows.some(m => m.metadata.name === name)) {
            waiting.delete(name)
            done(name, live.lastOf(name) ?? last.get(name))
          }
        if (waiting.size === 0)
          queueMicrotask(() => {
            scope.stop()
          })
      },
      { immediate: true },
    )
  })
}

function done(name: string, machine: Machine | undefined): void {
  const leftovers = machine?.status?.leftovers ?? []
  const forced = machine?.spec.forceRemove === true
  removals.value = [{ name, address: machine?.spec.address ?? '', leftovers, forced, at: Date.now() }, ...removals.value.filter(r => r.name !== name)].slice(0, 20)
  useToasts().done(forced ? `Removed ${name}; its host was not touched` : `Removed ${name}: ${leftovers.length} leftovers on the host`)
}
