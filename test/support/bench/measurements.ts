/** What is measured, in this order, on each server in turn. A measurement leaves behind what the next one reads. */
import { expectStatus, json, type Connection, type Protocol } from './client.ts'
import { http1Watch } from './http1.ts'
import { configMap, makePods, pause, quantile, spread, withClients } from './load.ts'
import type { MeasuredServer } from './servers/measured-server.ts'

export interface Goal {
  /** Of our figure to the other's. */
  readonly ratio: number
  readonly is: 'at least' | 'at most'
}

/** One line of the table. */
export interface Value {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal?: Goal
}

export interface Measurement {
  readonly title: string
  /** Requests that it makes: its processor time is told for each. Undefined: a single figure says nothing. */
  readonly requests: number
  run(server: MeasuredServer): Promise<Value[]>
}

const creates: Goal = { ratio: 2, is: 'at least' }
const reads: Goal = { ratio: 3, is: 'at least' }
const lists: Goal = { ratio: 0.25, is: 'at most' }
const fanOut: Goal = { ratio: 0.5, is: 'at most' }

const collection = '/api/v1/namespaces/default/configmaps'
const patch = json({ data: { changed: 'y'.repeat(64) } })

type Verb = 'CREATE' | 'GET' | 'PATCH' | 'DELETE'

function call(verb: Verb, connection: Connection, name: string): Promise<unknown> {
  switch (verb) {
    case 'CREATE':
      return expectStatus(connection, 201, 'POST', collection, configMap(name))
    case 'GET':
      return expectStatus(connection, 200, 'GET', `${collection}/${name}`)
    case 'PATCH':
      return expectStatus(connection, 200, 'PATCH', `${collection}/${name}`, patch, 'application/merge-patch+json')
    case 'DELETE':
      return expectStatus(connection, 200, 'DELETE', `${collection}/${name}`)
  }
}

/** One client: what a caller waits. */
function sequential(verb: Verb, count: number): Measurement {
  return {
    title: `${verb}, one client`,
    requests: count,
    run: server =>
      withClients(server, 'HTTP/1.1', 1, async connections => {
        const { times } = await spread(count, connections, (connection, i) => call(verb, connection, `one-${i}`))
        return [
          { name: `${verb}, one client, p50`, value: quantile(times, 0.5), unit: 'ms' },
          { name: `${verb}, one client, p99`, value: quantile(times, 0.99), unit: 'ms' },
        ]
      }),
  }
}

/** Many clients: what the server does at most. */
function concurrent(verb: Verb, protocol: Protocol, clients: number, count: number): Measurement {
  const title = `${verb}, ${clients} clients, ${protocol}`
  const goal = verb === 'CREATE' ? { goal: creates } : verb === 'GET' ? { goal: reads } : {}
  return {
    title,
    requests: count,
    run: server =>
      withClients(server, protocol, clients, async connections => {
        // Reads go round among what is there, so that they can be more than the objects.
        const nameOf = (i: number): string => (verb === 'GET' ? `many-${clients}-1-${i % 500}` : `many-${clients}-${protocol === 'HTTP/2' ? 2 : 1}-${i}`)
        const { times, seconds } = await spread(count, connections, (connection, i) => call(verb, connection, nameOf(i)))
        return [
          { name: title, value: count / seconds, unit: '/s', ...goal },
          { name: `${title}, p99`, value: quantile(times, 0.99), unit: 'ms' },
        ]
      }),
  }
}

function list(title: string, query: string, times: number): Measurement {
  return {
    title,
    requests: times,
    run: server =>
      withClients(server, 'HTTP/1.1', 1, async connections => {
        let bytes = 0
        const { times: each } = await spread(times, connections, async connection => {
          bytes = (await expectStatus(connection, 200, 'GET', `/api/v1/namespaces/bench/pods${query}`)).bytes
        })
        return [{ name: `${title} (${(bytes / 1e6).toFixed(1)} MB), p50`, value: quantile(each, 0.5), unit: 'ms', goal: lists }]
      }),
  }
}

const WATCHERS = 100

/** From the moment a write is sent until the last of all watchers has its event. */
function watchFanOut(writes: number): Measurement {
  const title = `a write seen by all of ${WATCHERS} watchers`
  return {
    title,
    requests: writes,
    run: server =>
      withClients(server, 'HTTP/1.1', 1, async ([connection]) => {
        if (!connection) return []
        let seen = 0
        let onAll = (): void => {}
        const stops = await Promise.all(
          Array.from({ length: WATCHERS }, () =>
            http1Watch(server.credentials, `${collection}?watch=true&labelSelector=fan%3Dout`, bytes => {
              // An event ends with a line feed; ours are small enough to come in one piece.
              for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) if (++seen % WATCHERS === 0) onAll()
            }),
          ),
        )
        await pause(200)
        await server.mark()
        const delays: number[] = []
        for (let i = 0; i < writes; i++) {
          const all = new Promise<void>(resolve => {
            onAll = resolve
          })
          const start = performance.now()
          await Promise.all([expectStatus(connection, 201, 'POST', collection, configMap(`fan-${i}`, { fan: 'out' })), all])
          delays.push(performance.now() - start)
          await pause(5)
        }
        for (const stop of stops) stop()
        return [
          { name: `${title}, p50`, value: quantile(delays, 0.5), unit: 'ms', goal: fanOut },
          { name: `${title}, p99`, value: quantile(delays, 0.99), unit: 'ms', goal: fanOut },
        ]
      }),
  }
}

function pods(count: number): Measurement {
  return {
    title: `making ${count.toLocaleString('en')} pods, 32 clients`,
    requests: count,
    async run(server) {
      const began = performance.now()
      await makePods(server, count)
      return [{ name: this.title, value: count / ((performance.now() - began) / 1000), unit: '/s' }]
    },
  }
}

/** `part` of the requests, for a quick look; 1 for figures to keep. */
export function measurements(part: number): Measurement[] {
  const n = (count: number): number => Math.max(10, Math.round(count * part))
  // What GET goes round among must be there in a quick look too.
  const m = (count: number): number => Math.max(500, n(count))
  return [
    ...(['CREATE', 'GET', 'PATCH', 'DELETE'] as const).map(verb => sequential(verb, n(1_000))),
    concurrent('CREATE', 'HTTP/1.1', 16, m(5_000)),
    concurrent('CREATE', 'HTTP/1.1', 64, m(8_000)),
    concurrent('CREATE', 'HTTP/2', 64, m(5_000)),
    concurrent('GET', 'HTTP/1.1', 16, n(20_000)),
    concurrent('GET', 'HTTP/1.1', 64, n(20_000)),
    concurrent('GET', 'HTTP/2', 64, n(10_000)),
    concurrent('PATCH', 'HTTP/1.1', 16, m(5_000)),
    concurrent('DELETE', 'HTTP/1.1', 16, m(5_000)),
    pods(n(10_000)),
    list('LIST of all pods', '', n(10)),
    list('LIST, a page of 500 pods', '?limit=500', n(20)),
    list('LIST by a label that no pod has', '?labelSelector=app%3Dnone', n(20)),
    watchFanOut(n(200)),
  ]
}
