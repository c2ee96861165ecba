/** The faults of RELIABILITY.md that a simulation can make, each with its own end. Faults of different parts overlap; those of one part follow one another. */
import type { Random } from '../../src-main/base/env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import { ioError } from '../support/store/faulty-disk.ts'
import type { SimControlPlane, StoreKind } from './control-plane.ts'
import type { EvictionCheck } from './evictions.ts'
import type { Journal } from './journal.ts'
import type { SimHost } from './kubelet.ts'
import { calm } from './network.ts'
import type { FaultRates, Network } from './network.ts'

export interface Surroundings {
  readonly env: VirtualEnv
  readonly random: Random
  readonly journal: Journal
  readonly network: Network
  readonly plane: SimControlPlane
  readonly hosts: readonly SimHost[]
  readonly evictions: EvictionCheck
  readonly kind: StoreKind
  /** Starts the control plane until it runs. */
  startPlane(): Promise<void>
}

interface Fault {
  readonly name: string
  readonly weight: number
  /** Only one fault of a part at a time. */
  readonly part: 'network' | 'plane' | 'node' | 'none'
  readonly only?: StoreKind
  run(at: Surroundings, host: SimHost): Promise<void>
}

const between = (random: Random, least: number, most: number): number => least + (most - least) * random.next()
const wait = (at: Surroundings, least: number, most: number): Promise<void> => at.env.clock.sleep(between(at.random, least, most))

async function withRates(at: Surroundings, rates: Partial<FaultRates>, longestMs: number): Promise<void> {
  at.network.rates = { ...calm, ...rates }
  await wait(at, 2_000, longestMs)
  at.network.rates = calm
  at.evictions.deafMs = at.env.clock.awakeMs()
}

function silence(at: Surroundings, host: SimHost): void {
  host.silentSinceMs ??= at.env.clock.awakeMs()
}

async function partition(at: Surroundings, host: SimHost, least: number, most: number): Promise<void> {
  silence(at, host)
  at.network.partition(host.name)
  await wait(at, least, most)
  if (at.random.next() < 0.5) at.network.endWatches('cut', client => client === host.name)
  at.network.heal(host.name)
}

async function restart(at: Surroundings, down: () => void | Promise<void>, longestMs: number): Promise<void> {
  await down()
  await wait(at, 0, longestMs)
  await at.startPlane()
  at.evictions.disturb()
}

async function standStill(at: Surroundings, jumpMs: number, least: number, most: number, awakeGoesOn: boolean): Promise<void> {
  at.plane.pause(awakeGoesOn)
  at.env.jump(jumpMs)
  await wait(at, least, most)
  if (jumpMs > 0) at.network.endWatches('cut', () => true)
  at.plane.resume()
  at.evictions.disturb()
}

const hour = 3_600_000

export const faults: readonly Fault[] = [
  { name: 'requests are refused', weight: 4, part: 'network', run: at => withRates(at, { refused: between(at.random, 0.1, 0.6) }, 15_000) },
  { name: 'writes conflict', weight: 4, part: 'network', run: at => withRates(at, { conflict: between(at.random, 0.1, 0.7) }, 20_000) },
  { name: 'answers are lost', weight: 4, part: 'network', run: at => withRates(at, { lost: between(at.random, 0.05, 0.4) }, 15_000) },
  { name: 'slow network', weight: 3, part: 'network', run: at => withRates(at, { slow: between(at.random, 0.05, 0.5), lateEvent: between(at.random, 0, 0.3) }, 20_000) },
  { name: 'everything at once', weight: 2, part: 'network', run: at => withRates(at, { refused: 0.15, conflict: 0.15, lost: 0.15, slow: 0.15, lateEvent: 0.1 }, 15_000) },
  {
    name: 'watches are cut',
    weight: 3,
    part: 'none',
    run: async at => {
      at.network.endWatches('cut', () => at.random.next() < 0.5)
    },
  },
  {
    name: 'watches end',
    weight: 2,
    part: 'none',
    run: async at => {
      at.network.endWatches('end', () => at.random.next() < 0.5)
    },
  },
  {
    name: 'watches expire',
    weight: 3,
    part: 'none',
    run: async at => {
      at.network.endWatches('expired', () => at.random.next() < 0.5)
    },
  },
  {
    name: 'compaction',
    weight: 3,
    part: 'none',
    run: async at => {
      const { store } = at.plane
      if (!store || !at.plane.isUp) return
      at.network.endWatches('cut', () => at.random.next() < 0.5)
      await store.compact(store.revision - Math.floor(at.random.next() * 20)).catch(() => {})
    },
  },
  {
    name: 'controllers are killed',
    weight: 3,
    part: 'plane',
    run: async at => {
      at.plane.killPart('controllers')
      await wait(at, 0, 20_000)
      await at.plane.startPart('controllers')
    },
  },
  {
    name: 'scheduler is killed',
    weight: 2,
    part: 'plane',
    run: async at => {
      at.plane.killPart('scheduler')
      await wait(at, 0, 20_000)
      await at.plane.startPart('scheduler')
    },
  },
  {
    name: 'controllers are restarted',
    weight: 2,
    part: 'plane',
    run: async at => {
      await at.plane.stopPart('controllers')
      await at.plane.startPart('controllers')
    },
  },
  {
    name: 'power cut',
    weight: 4,
    part: 'plane',
    run: at =>
      restart(
        at,
        () => {
          at.plane.cutPower()
        },
        40_000,
      ),
  },
  {
    name: 'SIGKILL',
    weight: 2,
    part: 'plane',
    run: at =>
      restart(
        at,
        () => {
          at.plane.kill()
        },
        10_000,
      ),
  },
  { name: 'quit and start', weight: 2, part: 'plane', run: at => restart(at, () => at.plane.quit(), 10_000) },
  {
    name: 'power cut while starting',
    weight: 2,
    part: 'plane',
    run: async at => {
      at.plane.cutPower()
      for (let i = 0; i < 3; i++) {
        await wait(at, 0, 2_000)
        void at.plane.start().catch(() => {})
        await wait(at, 0, 400)
        at.plane.cutPower()
      }
      await at.startPlane()
      at.evictions.disturb()
    },
  },
  {
    name: 'away for an hour',
    weight: 1,
    part: 'plane',
    run: at =>
      restart(
        at,
        () => {
          at.plane.cutPower()
          at.env.jump(hour)
        },
        90_000,
      ),
  },
  {
    name: 'sleep',
    weight: 4,
    part: 'plane',
    run: at => standStill(at, [10_000, hour / 6, 8 * hour, 72 * hour][Math.floor(at.random.next() * 4)] ?? hour, 1_000, 90_000, at.random.next() < 0.3),
  },
  { name: 'stands still', weight: 2, part: 'plane', run: at => standStill(at, 0, 1_000, 90_000, true) },
  {
    name: 'clock jumps',
    weight: 2,
    part: 'none',
    run: async at => {
      at.env.jump(Math.round(between(at.random, -1, 1) * ([1_000, 60_000, hour, 24 * hour][Math.floor(at.random.next() * 4)] ?? hour)))
      at.evictions.disturb()
    },
  },
  {
    name: 'disk full',
    weight: 2,
    part: 'plane',
    only: 'embedded',
    run: async at => {
      const { disk } = at.plane
      disk.capacity = 0
      await wait(at, 1_000, 15_000)
      disk.capacity = Infinity
      at.evictions.deafMs = at.env.clock.awakeMs()
    },
  },
  {
    name: 'disk fails to sync',
    weight: 2,
    part: 'plane',
    only: 'embedded',
    run: async at => {
      const { disk } = at.plane
      disk.failSyncs = ioError()
      await wait(at, 1_000, 15_000)
      if (at.random.next() < 0.3) {
        at.plane.cutPower()
        await at.startPlane()
        at.evictions.disturb()
      }
      disk.failSyncs = undefined
      at.evictions.deafMs = at.env.clock.awakeMs()
    },
  },
  { name: 'node is cut off', weight: 4, part: 'node', run: (at, host) => partition(at, host, 1_000, 90_000) },
  { name: 'node is cut off for long', weight: 1, part: 'node', run: (at, host) => partition(at, host, 370_000, 450_000) },
  {
    name: 'agent is killed',
    weight: 3,
    part: 'node',
    run: async (at, host) => {
      silence(at, host)
      host.killAgent()
      await wait(at, 0, 30_000)
      host.startAgent()
    },
  },
  {
    name: 'node reboots',
    weight: 2,
    part: 'node',
    run: async (at, host) => {
      silence(at, host)
      host.reboot()
      await wait(at, 3_000, 60_000)
      host.startAgent()
    },
  },
]

export class FaultEngine {
  readonly #at: Surroundings
  readonly #busy = new Set<string>()
  readonly #active = new Map<number, string>()
  #count = 0

  constructor(at: Surroundings) {
    this.#at = at
  }

  get count(): number {
    return this.#count
  }
  get active(): readonly string[] {
    return [...this.#active.values()]
  }

  /** Begins one fault; it ends by itself. */
  begin(): void {
    const { random, hosts, kind, journal } = this.#at
    const possible = faults.filter(fault => fault.only === undefined || fault.only === kind)
    let at = random.next() * possible.reduce((sum, fault) => sum + fault.weight, 0)
    const fault = possible.find(each => (at -= each.weight) < 0) ?? possible[0]
    const host = hosts[Math.floor(random.next() * hosts.length)]
    if (!fault || !host) return
    const part = fault.part === 'node' ? host.name : fault.part
    if (part !== 'none' && this.#busy.has(part)) return
    // What touches the store's content directly must not meet a process that is being replaced.
    if (fault.name === 'compaction' && this.#busy.has('plane')) return
    const number = ++this.#count
    const title = `${fault.name}${fault.part === 'node' ? ` (${host.name})` : ''}`
    this.#busy.add(part)
    this.#active.set(number, title)
    journal.add(`fault ${number} begins: ${title}`)
    void fault
      .run(this.#at, host)
      .catch((error: unknown) => {
        journal.violate('I7', `fault ${title} could not be made: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      })
      .finally(() => {
        this.#busy.delete(part)
        this.#active.delete(number)
        journal.add(`fault ${number} ends: ${title}`)
      })
  }
}
