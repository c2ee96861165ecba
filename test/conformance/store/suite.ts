/** What every store promises (store/store.ts), as one suite. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreError } from '../../../src-main/store/store.ts'
import type { StorableObject, Store, StoreErrorCode, StoreEvent } from '../../../src-main/store/store.ts'

export const object = (fields: Record<string, unknown> = {}): StorableObject => ({ metadata: {}, ...fields }) as StorableObject

const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))

export async function codeOf(action: () => unknown): Promise<StoreErrorCode | 'no error'> {
  try {
    await action()
    return 'no error'
  } catch (fault) {
    if (fault instanceof StoreError) return fault.code
    throw fault
  }
}

const shown = (event: StoreEvent): string => `${event.type} ${event.entry.key} ${event.entry.revision}`

export function storeConformance(name: string, open: () => Promise<{ store: Store; stop: () => Promise<void> }>): void {
  describe(name, () => {
    let store: Store
    let stop: () => Promise<void>
    beforeEach(async () => {
      ;({ store, stop } = await open())
    })
    afterEach(async () => {
      await stop()
    })
    const put = (key: string, fields: Record<string, unknown> = {}): Promise<unknown> => store.put(key, object(fields), { any: true })

    it('gives each write the next revision, in the object, its bytes and the entry', async () => {
      const first = await store.put('/core/pods/n/a', object({ x: 1 }), { absent: true })
      const second = await store.put('/core/pods/n/a', object({ x: 2 }), { revision: first.revision })
      expect(second).toMatchObject({
        key: '/core/pods/n/a',
        revision: first.revision + 1,
        createRevision: first.revision,
        object: { metadata: { resourceVersion: String(second.revision) }, x: 2 },
      })
      expect(decode(second.bytes)).toEqual(second.object)
      expect(store.revision).toBe(second.revision)
      expect(await store.get('/core/pods/n/a')).toMatchObject({ revision: second.revision })
    })

    it('refuses writes whose expectation does not hold', async () => {
      await put('/core/pods/n/a')
      expect([
        await codeOf(() => store.put('/core/pods/n/a', object(), { absent: true })),
        await codeOf(() => store.put('/core/pods/n/a', object(), { revision: 1 })),
        await codeOf(() => store.put('/core/pods/n/b', object(), { revision: 5 })),
        await codeOf(() => store.delete('/core/pods/n/b', { any: true })),
        await codeOf(() => store.delete('/core/pods/n/a', { revision: 1 })),
      ]).toEqual(['exists', 'conflict', 'missing', 'missing', 'conflict'])
    })

    it('lets exactly one of many writers of the same version win', async () => {
      const { revision } = await store.put('/core/pods/n/a', object(), { absent: true })
      const codes = await Promise.all(Array.from({ length: 20 }, (_, i) => codeOf(() => store.put('/core/pods/n/a', object({ i }), { revision }))))
      expect(codes.filter(code => code === 'no error')).toHaveLength(1)
      expect(codes.filter(code => code === 'conflict')).toHaveLength(19)
    })

    it('keeps integers beyond 2^53 and keys like __proto__', async () => {
      const value = JSON.parse('{"metadata":{},"data":{"__proto__":"x","toJSON":"y","length":"z"}}') as StorableObject & { big?: bigint }
      value.big = 9_223_372_036_854_775_807n
      await store.put('/core/configmaps/n/a', value, { any: true })
      const entry = await store.get('/core/configmaps/n/a')
      expect(new TextDecoder().decode(entry?.bytes)).toContain('"data":{"__proto__":"x","toJSON":"y","length":"z"},"big":9223372036854775807')
    })

    it('lists a prefix in byte order, in pages, with what remains', async () => {
      for (const key of ['b/2', 'a/1', 'b/1', 'b/10', 'c/1']) await put(`/core/pods/${key}`)
      await put('/core/podtemplates/b/1')
      const page = await store.list('/core/pods/b/', { limit: 2 })
      expect([page.entries.map(entry => entry.key), page.more, page.remaining]).toEqual([['/core/pods/b/1', '/core/pods/b/10'], true, 1])
      const rest = await store.list('/core/pods/b/', { after: '/core/pods/b/10', limit: 2 })
      expect([rest.entries.map(entry => entry.key), rest.more, rest.remaining]).toEqual([['/core/pods/b/2'], false, 0])
      expect((await store.list('/core/pods/')).entries).toHaveLength(5)
      expect([await store.count('/core/pods/'), await store.count('/core/pods/b/'), await store.count('/apps/')]).toEqual([5, 3, 0])
    })

    it('counts only what a filter keeps towards the limit', async () => {
      for (let i = 0; i < 10; i++) await put(`/core/pods/n/p${i}`, { even: i % 2 === 0 })
      const page = await store.list('/core/pods/', { limit: 2, filter: entry => (entry.object as unknown as { even: boolean }).even })
      expect([page.entries.map(entry => entry.key.slice(-2)), page.more]).toEqual([['p0', 'p2'], true])
    })

    it('lists the past as it was', async () => {
      await put('/core/pods/n/a', { v: 1 })
      await put('/core/pods/n/b', { v: 1 })
      const then = store.revision
      await put('/core/pods/n/a', { v: 2 })
      await store.delete('/core/pods/n/b', { any: true })
      await put('/core/pods/n/c', { v: 1 })
      const past = await store.list('/core/pods/', { revision: then })
      expect([past.revision, past.entries.map(entry => [entry.key.slice(-1), (entry.object as unknown as { v: number }).v])]).toEqual([
        then,
        [
          ['a', 1],
          ['b', 1],
        ],
      ])
      const first = await store.list('/core/pods/', { revision: then, limit: 1 })
      expect([first.more, first.remaining]).toEqual([true, 1])
    })

    it('tells watchers every change after their revision, once and in order', async () => {
      await put('/core/pods/n/a')
      const after = store.revision
      await put('/core/pods/n/b')
      const seen: string[] = []
      const progress: number[] = []
      const end = store.watch('/core/pods/', {
        after,
        onEvent: event => {
          seen.push(shown(event))
        },
        onProgress: revision => {
          progress.push(revision)
        },
      })
      await put('/core/pods/m/c')
      await put('/core/secrets/n/s')
      await store.delete('/core/pods/n/b', { any: true })
      end()
      await put('/core/pods/n/late')
      expect(seen).toEqual([`put /core/pods/n/b ${after + 1}`, `put /core/pods/m/c ${after + 2}`, `delete /core/pods/n/b ${after + 4}`])
      expect(progress.at(-1)).toBe(after + 4)
    })

    it('gives events the state before, and deletions the revision of the deletion', async () => {
      const events: StoreEvent[] = []
      const end = store.watch('/core/pods/n/', {
        after: store.revision,
        onEvent: event => {
          events.push(event)
        },
      })
      const { revision } = await store.put('/core/pods/n/a', object({ v: 1 }), { absent: true })
      const gone = await store.delete('/core/pods/n/a', { revision })
      end()
      expect(events[1]).toMatchObject({
        type: 'delete',
        previous: { revision, object: { v: 1 } },
        entry: { revision: revision + 1, object: { v: 1, metadata: { resourceVersion: String(revision + 1) } } },
      })
      expect(gone.revision).toBe(revision + 1)
    })

    it('hides a write until it is acknowledged', async () => {
      let acknowledged = false
      const early: boolean[] = []
      const end = store.watch('/core/pods/', {
        after: store.revision,
        onEvent: () => {
          early.push(store.revision === 1)
        },
      })
      const writing = store.put('/core/pods/n/a', object(), { absent: true }).then(entry => {
        acknowledged = true
        return entry
      })
      const visible = await store.get('/core/pods/n/a')
      if (visible) expect(store.revision).toBe(visible.revision)
      const entry = await writing
      end()
      expect([acknowledged, store.revision, early]).toEqual([true, entry.revision, [false]])
    })

    it('refuses revisions that were compacted or have not come, and keeps the newest state', async () => {
      await put('/core/pods/n/a', { v: 1 })
      await put('/core/pods/n/a', { v: 2 })
      await put('/core/pods/n/b')
      await store.delete('/core/pods/n/b', { any: true })
      const compacted = store.revision
      await put('/core/pods/n/a', { v: 3 })
      await store.compact(compacted)
      const nothing = { onEvent: () => {} }
      expect([
        store.compactedRevision,
        await codeOf(() => store.list('/core/pods/', { revision: compacted - 1 })),
        await codeOf(() => store.list('/core/pods/', { revision: store.revision + 1 })),
        await codeOf(() => store.watch('/core/pods/', { after: compacted - 1, ...nothing })),
        await codeOf(() => store.watch('/core/pods/', { after: store.revision + 1, ...nothing })),
        (await store.list('/core/pods/', { revision: compacted })).entries.length,
        (await store.list('/core/pods/')).entries.length,
      ]).toEqual([compacted, 'compacted', 'future', 'compacted', 'future', 1, 1])
      const seen: string[] = []
      store.watch('/core/pods/', {
        after: compacted,
        onEvent: event => {
          seen.push(shown(event))
        },
      })()
      expect(seen).toEqual([`put /core/pods/n/a ${compacted + 1}`])
    })

    it('agrees with a plain map after thousands of random changes, at every remembered revision', async () => {
      let state = 12345
      const random = (below: number): number => {
        state = (state * 1103515245 + 12345) % 2147483648
        return state % below
      }
      const model = new Map<string, number>()
      const past: { revision: number; keys: string[] }[] = []
      for (let i = 0; i < 2_000; i++) {
        const key = `/core/pods/n${random(3)}/p${random(60)}`
        if (random(3) === 0 && model.has(key)) {
          await store.delete(key, { any: true })
          model.delete(key)
        } else {
          await put(key, { i })
          model.set(key, i)
        }
        if (i % 100 === 0) past.push({ revision: store.revision, keys: [...model.keys()].sort() })
      }
      const listed = await store.list('/core/pods/')
      expect(listed.entries.map(entry => [entry.key, (entry.object as unknown as { i: number }).i])).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
      for (const { revision, keys } of past) expect((await store.list('/core/pods/', { revision })).entries.map(entry => entry.key)).toEqual(keys)
    })

    it('ends watches when it closes, and then refuses everything', async () => {
      const reasons: string[] = []
      store.watch('/core/pods/', {
        after: store.revision,
        onEvent: () => {},
        onEnd: reason => {
          reasons.push(reason.code)
        },
      })
      await store.close()
      expect([reasons, await codeOf(() => put('/core/pods/n/a')), await codeOf(() => store.get('/core/pods/n/a'))]).toEqual([['closed'], 'closed', 'closed'])
    })
  })
}
