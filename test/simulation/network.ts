/**
 * The way between clients and the API server: latency, lost requests and answers, refused ones, cut, stalled and expired
 * watches. Every connection belongs to a client process and a server process and ends when either dies.
 */
import type { ApiBody, ApiRequest, ApiResponse, ApiHandler, UserInfo } from '../../src-main/api/request.ts'
import type { WatchEvent } from '../../src-main/api/meta.ts'
import { StatusError, conflict, expired, internalError, serviceUnavailable, tooManyRequests } from '../../src-main/api/status-error.ts'
import type { Random } from '../../src-main/base/env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import type { Transport } from '../../src-main/client/client.ts'
import { inProcessTransport } from '../../src-main/client/transports/in-process.ts'
import type { SimProcess } from './process.ts'

/** Shares of requests, 0 to 1. */
export interface FaultRates {
  /** Refused with a 5xx or 429, or the connection fails: not carried out. */
  refused: number
  /** Writes answered with 409 although nothing conflicts. */
  conflict: number
  /** Carried out, but the answer never comes. */
  lost: number
  /** Takes seconds. */
  slow: number
  /** An event of a watch comes late (those after it too: order is kept). */
  lateEvent: number
}
export const calm: FaultRates = { refused: 0, conflict: 0, lost: 0, slow: 0, lateEvent: 0 }

interface Server {
  readonly process: SimProcess
  readonly handle: ApiHandler
}
interface Connection {
  readonly client: string
  end(how: 'cut' | 'end' | 'expired'): void
}

/** As the https transport: how long an answer may take. */
const ANSWER_MS = 30_000

export class Network {
  readonly #env: VirtualEnv
  readonly #random: Random
  readonly #connections = new Set<Connection>()
  readonly #partitioned = new Map<string, { healed: Promise<void>; heal: () => void }>()
  server: Server | undefined
  rates: FaultRates = calm
  /** Of all requests, for the report. */
  requests = 0
  injected = 0

  constructor(env: VirtualEnv, random: Random) {
    this.#env = env
    this.#random = random
  }

  /** The process that serves from now on; undefined: nobody listens. */
  serve(server: Server | undefined): void {
    this.server = server
    server?.process.onDeath(() => {
      if (this.server === server) this.server = undefined
      this.endWatches('cut', () => true)
    })
  }

  partition(client: string): void {
    if (this.#partitioned.has(client)) return
    let heal = (): void => {}
    const healed = new Promise<void>(resolve => {
      heal = resolve
    })
    this.#partitioned.set(client, { healed, heal })
  }

  heal(client: string): void {
    this.#partitioned.get(client)?.heal()
    this.#partitioned.delete(client)
  }

  isPartitioned(client: string): boolean {
    return this.#partitioned.has(client)
  }

  endWatches(how: 'cut' | 'end' | 'expired', which: (client: string) => boolean): void {
    for (const connection of this.#connections) if (which(connection.client)) connection.end(how)
  }

  /** `faulty: false` for checkers: latency only. */
  transport(client: SimProcess, user: UserInfo, options: { faulty?: boolean } = {}): Transport {
    const faulty = options.faulty ?? true
    return async request => {
      await client.whenRunning()
      // Neither an answer nor a failure reaches a process that is dead or stopped.
      const settled = await this.#request(client, user, request, faulty).then(
        answer => ({ answer }),
        (fault: unknown) => ({ fault }),
      )
      await client.whenRunning()
      if ('fault' in settled) throw settled.fault
      return settled.answer
    }
  }

  async #request(client: SimProcess, user: UserInfo, request: ApiRequest, faulty: boolean): Promise<ApiResponse> {
    this.requests++
    const isWatch = /[?&]watch=true/.test(request.url)
    let cancel = (): void => {}
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = this.#env.clock.after(ANSWER_MS, () => {
        reject(new Error('no answer in time'))
      })
    })
    try {
      return await Promise.race([deadline, this.#carry(client, user, request, faulty, isWatch)])
    } finally {
      cancel()
    }
  }

  async #carry(client: SimProcess, user: UserInfo, request: ApiRequest, faulty: boolean, isWatch: boolean): Promise<ApiResponse> {
    const rates = faulty ? this.rates : calm
    const refusal = this.#refusal(request, rates)
    const lost = !isWatch && this.#happens(rates.lost)
    await this.#latency(rates)
    await this.#partitioned.get(client.name)?.healed
    const { server } = this
    if (!server) throw new Error('connect ECONNREFUSED')
    if (refusal instanceof StatusError) return { status: refusal.code, headers: {}, body: { kind: 'object', object: refusal.status } }
    if (refusal) throw refusal
    await server.process.whenRunning()
    // A dead client's request may have been under way: the server does not know.
    let forget = (): void => {}
    const died = new Promise<never>((_resolve, reject) => {
      forget = server.process.onDeath(() => {
        reject(new Error('read ECONNRESET'))
      })
    })
    const answer = await Promise.race([died, inProcessTransport(server.handle, user)(request)])
    forget()
    await this.#latency(rates)
    await this.#partitioned.get(client.name)?.healed
    if (!server.process.alive) throw new Error('read ECONNRESET')
    if (lost) {
      this.injected++
      throw new Error('read ECONNRESET (the answer was lost)')
    }
    return answer.body.kind === 'events' ? { ...answer, body: this.#stream(client, server, request, answer.body.events, faulty) } : answer
  }

  #happens(share: number): boolean {
    return share > 0 && this.#random.next() < share
  }

  async #latency(rates: FaultRates): Promise<void> {
    const ms = this.#happens(rates.slow) ? 500 + 4_000 * this.#random.next() : 0.2 + 3 * this.#random.next()
    await this.#env.clock.sleep(ms)
  }

  #refusal(request: ApiRequest, rates: FaultRates): Error | undefined {
    if (request.method !== 'GET' && request.method !== 'POST' && this.#happens(rates.conflict)) {
      this.injected++
      return conflict('', 'simulated', 'fault', 'the object has been modified; please apply your changes to the latest version and try again')
    }
    if (!this.#happens(rates.refused)) return undefined
    this.injected++
    const kinds = [
      () => internalError('simulated'),
      () => serviceUnavailable('simulated'),
      () => tooManyRequests('simulated', 1),
      () => new Error('connect ETIMEDOUT'),
      () => new StatusError(504, 'Timeout', 'simulated'),
    ]
    return (kinds[Math.floor(this.#random.next() * kinds.length)] ?? kinds[0])?.()
  }

  #stream(client: SimProcess, server: Server, request: ApiRequest, events: AsyncIterable<WatchEvent<unknown>>, faulty: boolean): ApiBody {
    const inner = events[Symbol.asyncIterator]()
    let how = undefined as 'cut' | 'end' | 'expired' | undefined
    let wake = (): void => {}
    const ended = new Promise<undefined>(resolve => {
      wake = () => {
        resolve(undefined)
      }
    })
    const connection: Connection = {
      client: client.name,
      end: kind => {
        how ??= kind
        wake()
      },
    }
    this.#connections.add(connection)
    const forget = client.onDeath(() => {
      connection.end('cut')
      this.#connections.delete(connection)
      void inner.return?.()
    })
    if (!server.process.alive) connection.end('cut')
    // The caller's own abort ends the server's side, which ends this one.
    request.signal?.addEventListener(
      'abort',
      () => {
        connection.end('end')
      },
      { once: true },
    )
    const network = this
    async function* pump(): AsyncGenerator<WatchEvent<unknown>> {
      try {
        for (;;) {
          const next = await Promise.race([ended, inner.next()])
          if (next === undefined || how !== undefined) break
          if (next.done) return
          await network.#eventDelay(client, faulty)
          await Promise.race([ended, client.whenRunning()])
          if (how !== undefined) break
          yield next.value
        }
        if (how === 'expired') {
          yield { type: 'ERROR', object: expired('too old resource version: simulated').status }
          return
        }
        if (how === 'end') return
        throw new Error('read ECONNRESET')
      } finally {
        network.#connections.delete(connection)
        forget()
        void inner.return?.()
      }
    }
    return { kind: 'events', events: pump() }
  }

  async #eventDelay(client: SimProcess, faulty: boolean): Promise<void> {
    const late = faulty && this.#happens(this.rates.lateEvent)
    await this.#env.clock.sleep(late ? 200 + 5_000 * this.#random.next() : 0.1 + this.#random.next())
    await this.#partitioned.get(client.name)?.healed
  }
}
