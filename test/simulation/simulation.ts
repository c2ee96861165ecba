/**
 * One run: a cluster, a user, faults, and the invariants of RELIABILITY.md, all from one seed. The same seed gives the same
 * journal, byte for byte. A run is a row of rounds: work under faults, then quiet, in which everything must converge.
 */
import { storagePrefix } from '../../src-main/api/resource.ts'
import { leases } from '../../src-main/api/resources.ts'
import { seededRandom, virtualEnv } from '../../src-main/base/virtual-env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import { adminUser, SimControlPlane } from './control-plane.ts'
import type { StoreKind } from './control-plane.ts'
import { unconverged } from './convergence.ts'
import { checkOrdinals, EvictionCheck } from './evictions.ts'
import { FaultEngine } from './faults.ts'
import { Journal, Violation } from './journal.ts'
import { SimHost } from './kubelet.ts'
import { Ledger } from './ledger.ts'
import { Network } from './network.ts'
import { simProcess } from './process.ts'
import { Watchers } from './watchers.ts'
import { User } from './workload.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Virtual minutes of work under faults; quiet times come on top. Default 5. */
  readonly minutes?: number
  /** Default: odd seeds memory, even seeds embedded. */
  readonly store?: StoreKind
  readonly nodes?: number
  /** No faults: only the user's work. */
  readonly calm?: boolean
  readonly echo?: (line: string) => void
  /** For proofs that the checkers can fail: breaks something between boot and work. */
  readonly sabotage?: (inside: Inside) => void
  /** What happens instead of random rounds. Checkers stay on. */
  readonly scenario?: (inside: Inside, steps: Steps) => Promise<void>
}

/** What a scenario moves the world with. */
export interface Steps {
  readonly user: User
  /** Lets this much (awake, outer) time pass under all checkers. */
  pass(ms: number): Promise<void>
  /** Awaits something that needs time to pass meanwhile. */
  during<T>(work: Promise<T>): Promise<T>
  converge(what: string): Promise<void>
}

export interface Inside {
  readonly env: VirtualEnv
  readonly plane: SimControlPlane
  readonly network: Network
  readonly ledger: Ledger
  readonly hosts: readonly SimHost[]
  readonly evictions: EvictionCheck
  readonly journal: Journal
}

export interface Outcome {
  readonly seed: number
  readonly store: StoreKind
  readonly violation: Violation | undefined
  /** SHA-256 of the journal. */
  readonly digest: string
  readonly lastLines: readonly string[]
  readonly virtualMs: number
  readonly counts: Readonly<Record<string, number>>
}

const stepMs = 250
/** I6. */
const convergeMs = 60_000
/** After convergence nothing may be written for this long but heartbeats. */
const quietMs = 15_000

export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const run = new Run(options)
  let violation: Violation | undefined
  try {
    await run.run()
  } catch (fault) {
    violation = fault instanceof Violation ? fault : new Violation('I7', fault instanceof Error ? (fault.stack ?? fault.message) : String(fault))
  }
  return run.outcome(violation)
}

class Run {
  readonly #options: SimulationOptions
  readonly #kind: StoreKind
  readonly #env: VirtualEnv
  readonly #random
  readonly #journal: Journal
  readonly #ledger: Ledger
  readonly #network: Network
  readonly #plane: SimControlPlane
  readonly #hosts: readonly SimHost[]
  readonly #evictions: EvictionCheck
  readonly #faults: FaultEngine
  readonly #user: User
  readonly #watchers: () => Watchers
  #madeWatchers: Watchers | undefined
  #errorsSeen = 0
  #rounds = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#kind = options.store ?? (options.seed % 2 === 0 ? 'embedded' : 'memory')
    this.#env = virtualEnv({ seed: options.seed })
    const seeds = seededRandom(options.seed)
    const fork = () => seededRandom(Math.floor(seeds.next() * 2 ** 32))
    this.#random = fork()
    const journal = new Journal(this.#env, options.echo)
    this.#journal = journal
    const env = this.#env
    const ledger = new Ledger(journal)
    this.#ledger = ledger
    const network = new Network(env, fork())
    this.#network = network
    this.#plane = new SimControlPlane({ env, random: fork(), journal, ledger, network, kind: this.#kind })
    const hostRandom = fork()
    this.#hosts = Array.from({ length: options.nodes ?? 3 }, (_, i) => new SimHost({ env, random: hostRandom, network, journal, number: i + 1 }))
    this.#evictions = new EvictionCheck({ env, journal, plane: this.#plane, hosts: this.#hosts })
    const userProcess = simProcess(env, 'user', 1)
    this.#user = new User({ client: createClient(network.transport(userProcess, adminUser)), random: fork(), journal, ledger, hosts: this.#hosts.map(h => h.name) })
    const watching = simProcess(env, 'watchers', options.seed + 1)
    this.#watchers = () => (this.#madeWatchers ??= new Watchers({ client: createClient(network.transport(watching, adminUser)), process: watching, ledger, journal }))
    this.#faults = new FaultEngine({
      env,
      random: fork(),
      journal,
      network,
      plane: this.#plane,
      hosts: this.#hosts,
      evictions: this.#evictions,
      kind: this.#kind,
      startPlane: () => this.#startPlane(),
    })
    ledger.onEvent(event => {
      this.#evictions.onEvent(event)
      const leasePrefix = storagePrefix(leases, 'kube-node-lease')
      if (!event.key.startsWith(leasePrefix)) return
      const host = this.#hosts.find(h => h.name === event.key.slice(leasePrefix.length))
      if (host?.agent.alive && !network.isPartitioned(host.name)) host.silentSinceMs = undefined
    })
  }

  async run(): Promise<void> {
    const minutes = this.#options.minutes ?? 5
    await this.#boot()
    const inside: Inside = {
      env: this.#env,
      plane: this.#plane,
      network: this.#network,
      ledger: this.#ledger,
      hosts: this.#hosts,
      evictions: this.#evictions,
      journal: this.#journal,
    }
    this.#options.sabotage?.(inside)
    if (this.#options.scenario) {
      await this.#options.scenario(inside, this.#steps())
      return
    }
    for (let workedMs = 0; workedMs < minutes * 60_000;) workedMs += await this.#round()
  }

  outcome(violation: Violation | undefined): Outcome {
    return {
      seed: this.#options.seed,
      store: this.#kind,
      violation,
      digest: this.#journal.digest(),
      lastLines: this.#journal.tail,
      virtualMs: this.#env.clock.awakeMs(),
      counts: {
        rounds: this.#rounds,
        faults: this.#faults.count,
        actions: this.#user.done,
        failedActions: this.#user.failed,
        requests: this.#network.requests,
        injected: this.#network.injected,
        writes: this.#ledger.acknowledgements,
        revision: this.#ledger.revision,
        watchEvents: this.#madeWatchers?.events ?? 0,
        expirations: this.#madeWatchers?.expirations ?? 0,
        evictions: this.#evictions.evictions,
      },
    }
  }

  async #boot(): Promise<void> {
    let begun = false
    void this.#startPlane()
      .then(() => this.#user.begin())
      .then(
        () => {
          begun = true
        },
        fault => {
          throw fault
        },
      )
    for (const host of this.#hosts) host.startAgent()
    for (let ms = 0; !begun && ms < 60_000; ms += stepMs) await this.#step()
    this.#watchers()
    await this.#converge('boot')
  }

  #steps(): Steps {
    return {
      user: this.#user,
      pass: async ms => {
        for (const end = this.#env.clock.awakeMs() + ms; this.#env.clock.awakeMs() < end;) await this.#step()
      },
      during: async work => {
        let done = false
        const settled = work.finally(() => {
          done = true
        })
        for (let ms = 0; !done; ms += stepMs) {
          if (ms > 120_000) this.#journal.violate('I6', 'no answer within two minutes')
          await this.#step()
        }
        return settled
      },
      converge: what => this.#converge(what),
    }
  }

  /** Until the control plane runs; a store that says it is damaged is a violation. */
  async #startPlane(): Promise<void> {
    for (;;) {
      try {
        await this.#plane.start()
        return
      } catch (fault) {
        const code = (fault as { code?: unknown }).code
        if (code === 'corrupt') this.#journal.violate('I1', `the store would not open again: ${String(fault)}`)
        this.#journal.add(`start failed: ${String(fault).slice(0, 200)}`)
        this.#plane.kill()
        await this.#env.clock.sleep(2_000)
      }
    }
  }

  async #step(): Promise<void> {
    await this.#env.advance(stepMs)
    checkOrdinals(this.#hosts, this.#journal)
    for (const { level, message, fields } of this.#env.lines.splice(0)) this.#checkLine(level, message, fields)
    this.#journal.check()
  }

  /** The product's own cries: what it calls an error must be one that we made. */
  #checkLine(level: string, message: string, fields: Record<string, unknown>): void {
    if (level !== 'error' || this.#errorsSeen++ > 1000) return
    const fault = fields['fault'] ?? fields['error']
    const text = fault instanceof Error ? (fault.stack ?? fault.message) : JSON.stringify(fields)
    if (message === 'the store could not write' || (fault as { code?: unknown } | undefined)?.code === 'readonly') return
    this.#journal.violate('I7', `unexpected error: ${message}: ${text}`)
  }

  /** Work under faults, then quiet. Resolves with the milliseconds of work. */
  async #round(): Promise<number> {
    this.#rounds++
    const workMs = 15_000 + 60_000 * this.#random.next()
    const end = this.#env.clock.awakeMs() + workMs
    const faultEveryMs = 1_000 + 12_000 * this.#random.next()
    const actEveryMs = 100 + 2_000 * this.#random.next()
    this.#journal.add(`round ${this.#rounds}`)
    let working = true
    let idle = false
    const work = async (): Promise<void> => {
      while (working) {
        await this.#env.clock.sleep(2 * actEveryMs * this.#random.next())
        if (working) await this.#user.act()
      }
      idle = true
    }
    void work()
    let nextFaultMs = this.#env.clock.awakeMs() + faultEveryMs * this.#random.next()
    while (this.#env.clock.awakeMs() < end) {
      await this.#step()
      if (this.#options.calm || this.#env.clock.awakeMs() < nextFaultMs) continue
      this.#faults.begin()
      nextFaultMs = this.#env.clock.awakeMs() + 2 * faultEveryMs * this.#random.next()
    }
    working = false
    for (let ms = 0; this.#faults.active.length > 0 || !idle; ms += stepMs) {
      if (ms > 900_000) this.#journal.violate('I7', `still going on: ${this.#faults.active.join()}`)
      await this.#step()
    }
    await this.#tidy()
    await this.#converge(`round ${this.#rounds}`)
    return workMs
  }

  async #tidy(): Promise<void> {
    let done = false
    const tidy = async (): Promise<void> => {
      for (;;) {
        try {
          await this.#user.tidy()
          done = true
          return
        } catch (fault) {
          this.#journal.add(`tidy: ${String(fault).slice(0, 100)}`)
          await this.#env.clock.sleep(1000)
        }
      }
    }
    void tidy()
    for (let ms = 0; !done; ms += stepMs) {
      if (ms > 120_000) this.#journal.violate('I6', 'the API does not answer after all faults ended')
      await this.#step()
    }
  }

  async #converge(what: string): Promise<void> {
    const start = this.#env.clock.awakeMs()
    let wrong: string[] = ['not looked yet']
    while (wrong.length > 0) {
      await this.#step()
      wrong = await this.#wrong()
      if (wrong.length > 0 && this.#env.clock.awakeMs() - start > convergeMs)
        this.#journal.violate('I6', `${what}: not converged after ${convergeMs / 1000} s:\n  ${wrong.slice(0, 12).join('\n  ')}`)
    }
    this.#journal.add(`${what}: converged after ${this.#env.clock.awakeMs() - start} ms`)
    await this.#stayQuiet(what)
    if (this.#plane.store) await this.#ledger.check(this.#plane.store)
    this.#madeWatchers?.checkComplete()
    this.#journal.check()
  }

  async #wrong(): Promise<string[]> {
    const { store } = this.#plane
    if (!store || !this.#plane.isUp) return ['the API is not up']
    if (!this.#plane.areControllersUp || this.#plane.controllersSinceMs === undefined) return ['the controllers do not run']
    return unconverged((await store.list('/')).entries, this.#hosts)
  }

  /** Watchers get time to hear everything, and whoever still writes though all is done is caught. */
  async #stayQuiet(what: string): Promise<void> {
    // The last echoes of what just converged: statuses, events.
    for (let ms = 0; ms < 5_000; ms += stepMs) await this.#step()
    const from = this.#ledger.revision
    for (let ms = 0; ms < quietMs; ms += stepMs) await this.#step()
    const busy = this.#ledger.events.filter(
      event => event.revision > from && !/^\/(coordination\.k8s\.io\/leases|core\/nodes|core\/events|quarterdeck\.store\/compactions)\//.test(event.key),
    )
    if (busy.length > 0)
      this.#journal.violate(
        'I6',
        `${what}: ${busy.length} writes although all is done: ${busy
          .slice(0, 5)
          .map(event => `${event.type} ${event.key}`)
          .join(', ')}`,
      )
    const wrong = await this.#wrong()
    if (wrong.length > 0) this.#journal.violate('I6', `${what}: converged and fell apart:\n  ${wrong.slice(0, 12).join('\n  ')}`)
    this.#journal.check()
  }
}
