/** Whole clusters from fixed seeds, the same journal twice, and for every checker a break that it must find. */
import { describe, expect, test, vi } from 'vitest'
import type { ApiRequest, ApiResponse } from '../../src-main/api/request.ts'
import type { WatchEvent } from '../../src-main/api/meta.ts'
import { AwakeGap } from '../../src-main/controller-runtime/awake-gap.ts'
import { virtualEnv } from '../../src-main/base/virtual-env.ts'
import { openEmbeddedStore } from '../../src-main/store/embedded/embedded-store.ts'
import type { StorableObject } from '../../src-main/store/store.ts'
import { faultyDisk } from '../support/store/faulty-disk.ts'
import type { FaultyDisk } from '../support/store/faulty-disk.ts'
import { Journal } from './journal.ts'
import { Ledger } from './ledger.ts'
import { simProcess } from './process.ts'
import { simulate } from './simulation.ts'
import type { Inside, Outcome, SimulationOptions } from './simulation.ts'
import { sleepScenario, sleeps, undisturbedSleepScenario } from './sleep.ts'

/** What a failing seed is told with: the seed, the end of its journal, the invariant. */
function told(outcome: Outcome): string | undefined {
  return outcome.violation && [...outcome.lastLines.slice(-40), `seed ${outcome.seed} (${outcome.store}) violates ${outcome.violation.message}`].join('\n')
}

/** Seeds that once found a bug (seeds.md), shortened to a minute of work each. */
const fixedSeeds = [101, 105, 114, 118]
/** Fresh ground at every change of the code they run over. */
const derivedSeeds = [7, 8].map(i => (i * 2_654_435_761) % 2 ** 31)

describe('invariants hold', () => {
  test.each([...fixedSeeds, ...derivedSeeds])('for seed %i', { timeout: 120_000 }, async seed => {
    expect(told(await simulate({ seed, minutes: 1 }))).toBeUndefined()
  })
})

test.each(['memory', 'embedded'] as const)('the same seed gives the same journal twice (%s)', { timeout: 120_000 }, async store => {
  const options: SimulationOptions = { seed: 11, minutes: 0.5, store }
  const [first, second] = [await simulate(options), await simulate(options)]
  expect({ digest: second.digest, counts: second.counts }).toEqual({ digest: first.digest, counts: first.counts })
  expect((await simulate({ ...options, seed: 12 })).digest).not.toBe(first.digest)
})

describe.each(['awake time stands still', 'awake time goes on'])('a sleep evicts nobody and taints nobody for what was slept; %s', { timeout: 120_000 }, how => {
  const blocked = how === 'awake time goes on'
  test.each(Object.entries(sleeps))('%s, with nodes out of reach before and after', async (_name, ms) => {
    expect(told(await simulate({ seed: 31, store: 'memory', calm: true, scenario: sleepScenario(ms, blocked) }))).toBeUndefined()
  })
  test('3 days, with every node well', async () => {
    expect(told(await simulate({ seed: 32, store: 'memory', calm: true, scenario: undisturbedSleepScenario(sleeps['3 days'], blocked) }))).toBeUndefined()
  })
})

test('who looks for silence without looking for sleep is found out (C1)', { timeout: 120_000 }, async () => {
  const look = vi.spyOn(AwakeGap.prototype, 'check').mockReturnValue(false)
  try {
    const { violation } = await simulate({ seed: 31, store: 'memory', calm: true, scenario: sleepScenario(sleeps['8 h'], false) })
    expect(violation?.invariant).toBe('I5')
    expect(look).toHaveBeenCalled()
  } finally {
    look.mockRestore()
  }
})

/** Answers of the API server go through `change`. */
function tamper(inside: Inside, change: (request: ApiRequest, answer: () => Promise<ApiResponse>) => Promise<ApiResponse>): void {
  const { network } = inside
  const { server } = network
  if (!server) throw new Error('no server')
  network.server = { ...server, handle: request => change(request, () => server.handle(request)) }
}

const found = async (sabotage: (inside: Inside) => void): Promise<string | undefined> =>
  (await simulate({ seed: 21, minutes: 0.5, store: 'memory', calm: true, sabotage })).violation?.invariant

describe('a checker fails when', { timeout: 120_000 }, () => {
  const object = (name: string): StorableObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }) as unknown as StorableObject

  async function lives(disk: FaultyDisk, harm: (next: FaultyDisk) => void): Promise<string | undefined> {
    const env = virtualEnv()
    const journal = new Journal(env)
    const ledger = new Ledger(journal)
    const first = simProcess(env, 'first', 1)
    const store = ledger.observe(await openEmbeddedStore({ dir: 'simulated', env, disk }), first)
    for (let i = 0; i < 5; i++) await store.put(`/core/configmaps/n/c${i}`, object(`c${i}`), { absent: true })
    first.kill()
    const next = disk.cutPower(env.random)
    harm(next)
    await ledger.reopened(await openEmbeddedStore({ dir: 'simulated', env, disk: next }))
    return journal.violation?.invariant
  }

  test('nothing is wrong with the disk: it does not', async () => {
    expect(await lives(faultyDisk(), () => {})).toBeUndefined()
  })

  test('an acknowledged write is lost (I1)', async () => {
    expect(
      await lives(faultyDisk(), disk => {
        disk.setBytes('log-0000000001', disk.bytesOf('log-0000000001').slice(0, -30))
      }),
    ).toBe('I1')
  })

  test('an object comes from nowhere (I1)', async () => {
    const env = virtualEnv()
    const journal = new Journal(env)
    const ledger = new Ledger(journal)
    const store = await openEmbeddedStore({ dir: 'simulated', env, disk: faultyDisk() })
    const first = simProcess(env, 'first', 1)
    ledger.observe(store, first)
    first.kill()
    await ledger.reopened(store)
    expect(journal.violation).toBeUndefined()
    const process = simProcess(env, 'second', 1)
    ledger.observe(store, process)
    process.kill()
    await store.put('/core/configmaps/n/ghost', object('ghost'), { absent: true })
    await ledger.reopened(store)
    expect(journal.violation?.invariant).toBe('I1')
  })

  test('a read is older than the write that was acknowledged before it (I2)', async () => {
    expect(
      await found(inside => {
        tamper(inside, async (request, answer) => {
          const response = await answer()
          if (request.user?.name !== 'admin' || request.method !== 'GET' || !/\/configmaps\/config-/.test(request.url) || response.body.kind !== 'object') return response
          const read = response.body.object as { metadata: object }
          return { ...response, body: { kind: 'object', object: { ...read, metadata: { ...read.metadata, resourceVersion: '1' } } } }
        })
      }),
    ).toBe('I2')
  })

  const filterEvents =
    (choose: (event: WatchEvent<unknown>, count: number) => WatchEvent<unknown>[]) =>
    (inside: Inside): void => {
      let count = 0
      tamper(inside, async (request, answer) => {
        const response = await answer()
        if (response.body.kind !== 'events' || request.user?.name !== 'admin') return response
        const { events } = response.body
        async function* changed(): AsyncGenerator<WatchEvent<unknown>> {
          for await (const event of events) yield* choose(event, event.type === 'BOOKMARK' ? 0 : ++count)
        }
        return { ...response, body: { kind: 'events', events: changed() } }
      })
      inside.network.endWatches('end', client => client === 'watchers')
    }

  test('a watcher misses an event (I3)', async () => {
    expect(await found(filterEvents((event, count) => (count === 10 ? [] : [event])))).toBe('I3')
  })

  test('a watcher gets an event twice (I3)', async () => {
    expect(await found(filterEvents((event, count) => (count === 10 ? [event, event] : [event])))).toBe('I3')
  })

  test('a pod is bound a second time (I4)', async () => {
    expect(
      await found(inside => {
        let done = false
        inside.ledger.onEvent(event => {
          const spec = event.object.spec as { nodeName?: string } | undefined
          if (!event.key.startsWith('/core/pods/') || event.type !== 'put' || !spec?.nodeName || done) return
          done = true
          void Promise.resolve()
            .then(() => inside.plane.store?.put(event.key, { ...event.object, spec: { ...spec, nodeName: 'node-9' } } as StorableObject, { any: true }))
            .catch(() => {})
        })
      }),
    ).toBe('I4')
  })

  test('a healthy node is taken for lost (I5)', async () => {
    expect(
      await found(inside => {
        // Leases and heartbeats are accepted but never stored: as if the control plane were deaf.
        tamper(inside, async (request, answer) => {
          if (
            request.user?.name === 'system:node:node-1' &&
            request.method === 'PUT' &&
            /\/leases\/node-1|\/nodes\/node-1\/status/.test(request.url) &&
            request.body &&
            'object' in request.body
          )
            return { status: 200, headers: {}, body: { kind: 'object', object: request.body.object } }
          return answer()
        })
        inside.ledger.onEvent(event => {
          if (event.key.endsWith('/nodes//node-1')) inside.evictions.deafMs = -Infinity
        })
      }),
    ).toBe('I5')
  })

  test('a controller does not do its work (I6)', async () => {
    expect(
      await found(inside => {
        tamper(inside, async (request, answer) =>
          request.user?.name.endsWith(':replicaset-controller') && request.method !== 'GET'
            ? {
                status: 403,
                headers: {},
                body: { kind: 'object', object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403, message: 'sabotage' } },
              }
            : answer(),
        )
      }),
    ).toBe('I6')
  })

  test('somebody writes although all is done (I6)', async () => {
    expect(
      await found(inside => {
        const again = (): void => {
          void inside.plane.store?.put('/core/configmaps/default/busy', object('busy'), { any: true }).catch(() => {})
          inside.env.clock.after(3_000, again)
        }
        again()
      }),
    ).toBe('I6')
  })

  test('the product reports an error that nobody made (I7)', async () => {
    expect(
      await found(inside => {
        inside.env.log.log('error', 'informer handler failed', { fault: new Error('sabotage') })
      }),
    ).toBe('I7')
  })
})
