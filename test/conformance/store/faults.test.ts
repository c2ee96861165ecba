import { describe, expect, it } from 'vitest'
import { seededRandom, virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { openEmbeddedStore } from '../../../src-main/store/embedded/embedded-store.ts'
import { FORMAT_VERSION, encodeFrame } from '../../../src-main/store/embedded/format.ts'
import { logName } from '../../../src-main/store/embedded/recovery.ts'
import type { Store } from '../../../src-main/store/store.ts'
import { faultyDisk, ioError, noSpace } from '../../support/store/faulty-disk.ts'
import type { FaultyDisk } from '../../support/store/faulty-disk.ts'
import { codeOf, object } from './suite.ts'

const env = virtualEnv()
const open = (disk: FaultyDisk, minLogBytes = 1 << 20): Promise<Store> => openEmbeddedStore({ dir: 'unused', env, disk, minLogBytes })

interface Change {
  readonly revision: number
  readonly key: string
  readonly deleted: boolean
}

/** Writes with some concurrency; what was acknowledged is added to `history`. */
async function work(store: Store, seed: number, writes: number, history: Change[]): Promise<void> {
  const random = seededRandom(seed)
  const one = async (): Promise<void> => {
    const key = `/core/pods/n/p${Math.floor(random.next() * 12)}`
    const deleted = random.next() < 0.2
    try {
      const entry = deleted ? await store.delete(key, { any: true }) : await store.put(key, object({ pad: 'x'.repeat(Math.floor(random.next() * 300)) }), { any: true })
      history.push({ revision: entry.revision, key, deleted })
    } catch (fault) {
      // Only deletions of what is not there are refused here.
      expect((fault as { code: string }).code).toBe('missing')
    }
  }
  for (let i = 0; i < writes; i += 3) await Promise.all([one(), one(), one()])
}

/** Keys and revisions after all changes up to a revision. */
function stateAt(history: readonly Change[], revision: number): [string, number][] {
  const state = new Map<string, number>()
  for (const change of [...history].sort((x, y) => x.revision - y.revision)) {
    if (change.revision > revision) break
    if (change.deleted) state.delete(change.key)
    else state.set(change.key, change.revision)
  }
  return [...state].sort(([x], [y]) => (x < y ? -1 : 1))
}

describe('power cuts', () => {
  it('leave exactly the state of one revision, none older than the last acknowledged, at every sync boundary', async () => {
    let cuts = 0
    for (let cutAt = 1; cutAt <= 90; cutAt++) {
      const disk = faultyDisk()
      const history: Change[] = []
      let next: FaultyDisk | undefined
      let acknowledged = 0
      disk.onSync = count => {
        if (count !== cutAt) return
        acknowledged = Math.max(1, ...history.map(change => change.revision))
        next = disk.cutPower(seededRandom(cutAt * 7919))
      }
      const store = await open(disk, 3_000)
      // The first life goes on undisturbed, so that everything that was ever tried is known.
      await work(store, cutAt, 240, history)
      await store.close()
      if (!next) continue
      cuts++
      const reopened = await open(next, 3_000)
      expect(reopened.revision).toBeGreaterThanOrEqual(acknowledged)
      const { entries } = await reopened.list('/')
      expect(
        entries.map(entry => [entry.key, entry.revision]),
        `cut ${cutAt}`,
      ).toEqual(stateAt(history, reopened.revision))
      for (const entry of entries) expect(entry.object.metadata.resourceVersion).toBe(String(entry.revision))
      const before = reopened.revision
      expect((await reopened.put('/core/pods/n/after', object(), { any: true })).revision).toBe(before + 1)
      await reopened.close()
    }
    expect(cuts).toBeGreaterThan(80)
  })
})

describe('the end of the log', () => {
  async function written(): Promise<{ disk: FaultyDisk; whole: Uint8Array; lengths: number[] }> {
    const disk = faultyDisk()
    const store = await open(disk)
    const lengths: number[] = []
    for (let i = 0; i < 5; i++) {
      await store.put(`/core/pods/n/p${i}`, object({ i }), { absent: true })
      lengths.push(disk.bytesOf(logName(1)).length)
    }
    return { disk, whole: disk.bytesOf(logName(1)), lengths }
  }
  const count = async (bytes: Uint8Array): Promise<number | string> => {
    const disk = faultyDisk(new Map([[logName(1), bytes]]))
    try {
      const store = await open(disk)
      const result = await store.count('/core/pods/')
      await store.close()
      return result
    } catch (fault) {
      return (fault as { code: string }).code
    }
  }

  it('is dropped where it is torn, at any byte', async () => {
    const { whole, lengths } = await written()
    const [, , , fourth = 0, fifth = 0] = lengths
    for (let cut = fourth; cut < fifth; cut += 3) expect(await count(whole.slice(0, cut))).toBe(4)
    expect(await count(whole)).toBe(5)
  })

  it('is dropped where it is zeros or repeats itself', async () => {
    const { whole, lengths } = await written()
    const zeros = new Uint8Array(whole.length + 4_096)
    zeros.set(whole)
    const doubled = new Uint8Array([...whole, ...whole.slice(lengths[3])])
    expect([await count(zeros), await count(doubled)]).toEqual([5, 5])
  })

  it('and everything else is refused when any one bit changed', async () => {
    const { whole } = await written()
    for (let bit = 0; bit < whole.length * 8; bit += 5) {
      const damaged = whole.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(await count(damaged), `bit ${bit}`).toBe('corrupt')
    }
  })

  it('is refused in a snapshot when any one bit changed', async () => {
    const disk = faultyDisk()
    const store = await open(disk, 500)
    for (let i = 0; i < 20; i++) await store.put(`/core/pods/n/p${i}`, object({ i }), { absent: true })
    await store.close()
    const name = (await disk.list()).find(each => each.startsWith('snapshot-')) ?? ''
    const whole = disk.bytesOf(name)
    for (let bit = 3; bit < whole.length * 8; bit += 41) {
      const damaged = whole.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const copy = faultyDisk(new Map((await disk.list()).map(each => [each, each === name ? damaged : disk.bytesOf(each)])))
      expect(await codeOf(() => open(copy)), `bit ${bit}`).toBe('corrupt')
    }
  })
})

describe('a disk that refuses', () => {
  it('full: writes are refused clearly, reads go on, and it recovers without a restart', async () => {
    const disk = faultyDisk()
    const store = await open(disk)
    await store.put('/core/pods/n/a', object(), { absent: true })
    disk.capacity = 400
    const codes = await Promise.all([1, 2, 3].map(i => codeOf(() => store.put(`/core/pods/n/big${i}`, object({ pad: 'x'.repeat(1_000) }), { absent: true }))))
    expect([codes, await store.count('/core/pods/')]).toEqual([['readonly', 'readonly', 'readonly'], 1])
    const before = store.revision
    disk.capacity = Number.POSITIVE_INFINITY
    const entry = await store.put('/core/pods/n/b', object(), { absent: true })
    expect(entry.revision).toBeGreaterThan(before + 3)
    await store.close()
    const reopened = await open(disk)
    expect((await reopened.list('/core/pods/')).entries.map(each => each.key)).toEqual(['/core/pods/n/a', '/core/pods/n/b'])
    await reopened.close()
  })

  it('failed sync: acknowledges nothing until the state is on new files, and never shows what it refused', async () => {
    const disk = faultyDisk()
    const store = await open(disk)
    await store.put('/core/pods/n/a', object(), { absent: true })
    disk.failSyncs = ioError()
    expect(await codeOf(() => store.put('/core/pods/n/lost', object(), { absent: true }))).toBe('readonly')
    expect(await codeOf(() => store.put('/core/pods/n/lost', object(), { absent: true }))).toBe('readonly')
    expect(await store.count('/core/pods/')).toBe(1)
    disk.failSyncs = undefined
    await env.advance(3_000)
    const entry = await store.put('/core/pods/n/b', object(), { absent: true })
    await store.close()
    const reopened = await open(disk)
    expect((await reopened.list('/core/pods/')).entries.map(each => [each.key, each.revision])).toEqual([
      ['/core/pods/n/a', 2],
      ['/core/pods/n/b', entry.revision],
    ])
    await reopened.close()
  })

  it('failed write while a snapshot is due: goes on with the old log', async () => {
    const disk = faultyDisk()
    const store = await open(disk, 1_000)
    for (let i = 0; i < 4; i++) await store.put(`/core/pods/n/p${i}`, object({ pad: 'x'.repeat(200) }), { absent: true })
    disk.failWrites = noSpace()
    expect(await codeOf(() => store.put('/core/pods/n/no', object(), { absent: true }))).toBe('readonly')
    disk.failWrites = undefined
    for (let i = 4; i < 20; i++) await store.put(`/core/pods/n/p${i}`, object({ pad: 'x'.repeat(200) }), { absent: true })
    await store.close()
    const reopened = await open(disk)
    expect(await reopened.count('/core/pods/')).toBe(20)
    await reopened.close()
  })
})

describe('opening', () => {
  it('refuses a second instance and data of a newer program', async () => {
    const disk = faultyDisk()
    const store = await open(disk)
    expect(await codeOf(() => open(disk))).toBe('locked')
    await store.close()
    const newer = encodeFrame('head', 1, [], Buffer.from(JSON.stringify({ format: FORMAT_VERSION + 1 })))
    expect(await codeOf(() => open(faultyDisk(new Map([[logName(1), newer]]))))).toBe('newer-format')
  })

  it('lets watches resume over a restart', async () => {
    const disk = faultyDisk()
    const store = await open(disk)
    const { revision } = await store.put('/core/pods/n/a', object(), { absent: true })
    await store.put('/core/pods/n/b', object(), { absent: true })
    await store.delete('/core/pods/n/a', { any: true })
    await store.close()
    const reopened = await open(disk)
    const seen: string[] = []
    reopened.watch('/core/pods/', {
      after: revision,
      onEvent: event => {
        seen.push(`${event.type} ${event.entry.key}`)
      },
    })()
    expect(seen).toEqual(['put /core/pods/n/b', 'delete /core/pods/n/a'])
    await reopened.close()
  })
})
