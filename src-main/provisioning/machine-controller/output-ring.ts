/** Output of the steps of each machine: the last lines are kept, and followers get what comes. */
import type { MachineOutput } from '../../api/bridge.ts'
import type { Env } from '../../base/env.ts'

/** Lines kept a machine: a whole installation with room, and 500 machines stay below 100 MB. */
const keptLines = 2_000
/** A follower that reads this slowly loses the oldest; the lines kept are the truth. */
const maxQueued = 5_000

export interface OutputRing {
  add(machine: string, step: string, text: string): void
  /** First what is kept, then what comes, until the signal aborts. */
  follow(machine: string | undefined, signal: AbortSignal): AsyncIterable<MachineOutput>
  forget(machine: string): void
}

export function createOutputRing(env: Env): OutputRing {
  const kept = new Map<string, { items: MachineOutput[]; lines: number }>()
  const followers = new Set<(item: MachineOutput) => void>()
  return {
    add(machine, step, text) {
      const item = { machine, step, text, at: env.clock.now() }
      const ring = kept.get(machine) ?? { items: [], lines: 0 }
      kept.set(machine, ring)
      ring.items.push(item)
      ring.lines += linesOf(text)
      while (ring.lines > keptLines && ring.items.length > 1) ring.lines -= linesOf(ring.items.shift()?.text ?? '')
      for (const follower of followers) follower(item)
    },
    forget: machine => {
      kept.delete(machine)
    },
    async *follow(machine, signal) {
      const queue = [...kept.entries()]
        .filter(([name]) => machine === undefined || name === machine)
        .flatMap(([, ring]) => ring.items)
        .sort((a, b) => a.at - b.at)
      let wake: () => void = () => undefined
      const take = (item: MachineOutput): void => {
        if (machine !== undefined && item.machine !== machine) return
        queue.push(item)
        if (queue.length > maxQueued) queue.shift()
        wake()
      }
      const abort = (): void => {
        wake()
      }
      followers.add(take)
      signal.addEventListener('abort', abort)
      try {
        while (!signal.aborted) {
          const item = queue.shift()
          if (item) yield item
          else
            await new Promise<void>(resolve => {
              wake = resolve
            })
        }
      } finally {
        followers.delete(take)
        signal.removeEventListener('abort', abort)
      }
    },
  }
}

function linesOf(text: string): number {
  return Math.max(1, text.split('\n').length - 1)
}
