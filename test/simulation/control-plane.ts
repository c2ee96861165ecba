/**
 * The control plane of the simulation: the product's API server, admission, authorization, bootstrap, controllers and
 * scheduler, as one process on the desktop. It can be cut off from power, stopped and started again on the same store;
 * controllers and scheduler can also die alone.
 */
import { allResources } from '../../src-main/api/resources.ts'
import type { UserInfo } from '../../src-main/api/request.ts'
import { admissionPlugins } from '../../src-main/apiserver/admission/plugins.ts'
import { createAuthorizer } from '../../src-main/apiserver/authz/authorizer.ts'
import { createApiServer } from '../../src-main/apiserver/handler.ts'
import { liveCopies, places } from '../../src-main/apiserver/live-copy.ts'
import type { Random } from '../../src-main/base/env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import type { Client } from '../../src-main/client/client.ts'
import { createInformerFactory } from '../../src-main/client/informers.ts'
import { inProcessTransport } from '../../src-main/client/transports/in-process.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import { ensureBootstrapObjects, ensureControllerPolicy } from '../../src-main/control-plane/bootstrap.ts'
import { componentUser } from '../../src-main/control-plane/controllers.ts'
import { createManager } from '../../src-main/controller-runtime/manager.ts'
import { allControllers } from '../../src-main/controllers/controllers.ts'
import { createScheduler } from '../../src-main/scheduler/scheduler.ts'
import { openEmbeddedStore } from '../../src-main/store/embedded/embedded-store.ts'
import { memoryStore } from '../../src-main/store/memory/memory-store.ts'
import type { Store } from '../../src-main/store/store.ts'
import { faultyDisk } from '../support/store/faulty-disk.ts'
import type { FaultyDisk } from '../support/store/faulty-disk.ts'
import { timedDisk } from './disk.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import type { Network } from './network.ts'
import { simProcess } from './process.ts'
import type { SimProcess } from './process.ts'

export type StoreKind = 'memory' | 'embedded'
type Part = 'controllers' | 'scheduler'

/** Small, so that snapshots are written and logs exchanged many times in a run. */
const MIN_LOG_BYTES = 256 * 1024

export const adminUser: UserInfo = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

interface Running {
  readonly process: SimProcess
  stop(): Promise<void>
}

export class SimControlPlane {
  readonly #env: VirtualEnv
  readonly #random: Random
  readonly #journal: Journal
  readonly #ledger: Ledger
  readonly #network: Network
  readonly #kind: StoreKind
  #memory: Store | undefined
  disk: FaultyDisk = faultyDisk()
  process: SimProcess
  #parts = new Map<Part, Running>()
  #lives = 0
  #keepsCache = false
  /** The open store, as the checkers see it. */
  store: Store | undefined
  #stopServer: (() => Promise<void>) | undefined
  /** Awake time at which the controllers began to run; undefined while they do not. */
  controllersSinceMs: number | undefined

  constructor(options: { env: VirtualEnv; random: Random; journal: Journal; ledger: Ledger; network: Network; kind: StoreKind }) {
    this.#env = options.env
    this.#random = options.random
    this.#journal = options.journal
    this.#ledger = options.ledger
    this.#network = options.network
    this.#kind = options.kind
    this.process = simProcess(options.env, 'none', 0)
    this.process.kill()
  }

  get isUp(): boolean {
    return this.#network.server !== undefined && this.process.running
  }
  get areControllersUp(): boolean {
    return this.#parts.get('controllers')?.process.alive === true && this.#parts.get('scheduler')?.process.alive === true
  }

  #newSeed(): number {
    return Math.floor(this.#random.next() * 2 ** 32)
  }

  /** Opens the store, serves, starts the parts. Resolves when controllers run; never when the process dies on the way. */
  async start(): Promise<void> {
    const process = simProcess(this.#env, `desktop-${++this.#lives}`, this.#newSeed())
    this.process = process
    const raw = await this.#open(process)
    await this.#ledgerOpens(raw)
    const store = this.#ledger.observe(raw, process)
    this.store = raw
    this.#journal.add(`store opened at revision ${raw.revision}, compacted ${raw.compactedRevision}`)
    const copies = liveCopies(store)
    for (const place of Object.values(places)) copies.of(place)
    const { authorizer, rbac } = createAuthorizer(copies)
    const server = createApiServer({ env: process.env, store, resources: allResources, authorizer, admission: admissionPlugins({ env: process.env, copies, authorizer, rbac }) })
    await copies.ready
    const admin = createClient(inProcessTransport(server.handle, { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }))
    await ensureBootstrapObjects({ store, client: admin, kubernetesServiceIP: '10.96.0.1', clusterDNS: '10.96.0.10', serviceCIDR: '10.96.0.0/16', apiPort: 6443 })
    await ensureControllerPolicy({ store, client: admin }, this.#controllers())
    this.#stopServer = async () => {
      await server.stop()
      copies.stop()
      await raw.close()
    }
    this.#network.serve({ process, handle: server.handle })
    this.#journal.add('API is up')
    await Promise.all([this.startPart('controllers'), this.startPart('scheduler')])
    this.#journal.add('controllers are up')
  }

  async #open(process: SimProcess): Promise<Store> {
    if (this.#kind === 'memory') return (this.#memory ??= memoryStore(this.#env))
    if (this.#keepsCache) {
      this.#keepsCache = false
      const { disk } = this
      this.disk = faultyDisk(new Map((await disk.list()).map(name => [name, disk.bytesOf(name).slice()])))
    }
    const { disk } = this
    return openEmbeddedStore({ dir: 'simulated', env: process.env, minLogBytes: MIN_LOG_BYTES, disk: timedDisk(disk, process.env, process.env.random, () => process.alive) })
  }

  /** Compares what came back with what is known, before anybody writes. */
  async #ledgerOpens(raw: Store): Promise<void> {
    if (this.#lives > 1) await this.#ledger.reopened(raw)
  }

  #controllers() {
    return allControllers({ resources: () => allResources, certificateAuthority: () => 'CA' })
  }

  #clientFor(process: SimProcess, name: string): Client {
    return createClient(this.#network.transport(process, componentUser(name)))
  }

  async startPart(part: Part): Promise<void> {
    const process = simProcess(this.#env, part, this.#newSeed())
    const forget = this.process.onDeath(() => {
      process.kill()
    })
    process.onDeath(() => {
      forget()
      if (part === 'controllers') this.controllersSinceMs = undefined
    })
    const { env } = process
    const informers = createInformerFactory({ client: this.#clientFor(process, part === 'controllers' ? 'kube-controller-manager' : 'kube-scheduler'), env })
    if (part === 'controllers') {
      const manager = createManager({ env, informers, controllers: this.#controllers(), clientFor: name => this.#clientFor(process, name) })
      this.#parts.set(part, {
        process,
        stop: async () => {
          await manager.stop()
          informers.stop()
        },
      })
      await manager.start()
      this.controllersSinceMs = this.#env.clock.awakeMs()
    } else {
      const scheduler = createScheduler({ env, client: this.#clientFor(process, 'kube-scheduler'), informers })
      this.#parts.set(part, {
        process,
        stop: async () => {
          await scheduler.stop()
          informers.stop()
        },
      })
      await scheduler.start()
    }
  }

  /** SIGKILL of one part. */
  killPart(part: Part): void {
    this.#parts.get(part)?.process.kill()
  }

  /** As on quitting: work in progress ends first. */
  async stopPart(part: Part): Promise<void> {
    const running = this.#parts.get(part)
    await running?.stop()
    running?.process.kill()
  }

  pause(awakeGoesOn: boolean): void {
    for (const process of this.#processes()) process.pause(awakeGoesOn)
  }
  resume(): void {
    for (const process of this.#processes()) process.resume()
  }
  #processes(): SimProcess[] {
    return [this.process, ...[...this.#parts.values()].map(part => part.process)]
  }

  /** The process is gone at once; what was not synced may be lost, torn or there. */
  cutPower(): void {
    this.process.kill()
    this.store = undefined
    this.disk = this.disk.cutPower(this.#random)
  }

  /** SIGKILL: the page cache survives. */
  kill(): void {
    this.process.kill()
    this.store = undefined
    this.#keepsCache = true
  }

  /** A clean quit and everything written out. */
  async quit(): Promise<void> {
    await Promise.all([this.stopPart('controllers'), this.stopPart('scheduler')])
    if (this.#kind === 'embedded') await this.#stopServer?.()
    this.process.kill()
    this.store = undefined
  }
}
