import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { readEvents, testServer } from './cluster.ts'
import type { Answer, TestServer } from './cluster.ts'

const url = '/api/v1/namespaces/n/configmaps'
const names = (answer: Answer): string[] => answer.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)
const create = (server: TestServer, name: string, labels: Record<string, string> = {}): Promise<Answer> => server.create(url, { metadata: { name, labels } })

let server: TestServer
beforeEach(() => {
  server = testServer()
})

describe('list', () => {
  it('is the stored bytes without kind and version', async () => {
    await create(server, 'a')
    const { body } = await server.call('GET', url)
    const { apiVersion: _apiVersion, kind: _kind, ...item } = (await server.call('GET', `${url}/a`)).body
    expect(body).toEqual({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '2' }, items: [item] })
  })

  it('is one consistent snapshot over its pages', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(server, name)
    const first = await server.call('GET', `${url}?limit=2`)
    await server.call('DELETE', `${url}/c`)
    await create(server, 'bb')
    const second = await server.call('GET', `${url}?limit=2&continue=${first.body.metadata.continue}`)
    const third = await server.call('GET', `${url}?limit=2&continue=${second.body.metadata.continue}`)
    expect([first, second, third].map(names)).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect([
      first.body.metadata.remainingItemCount,
      second.body.metadata.remainingItemCount,
      third.body.metadata.continue,
      new Set([first, second, third].map(page => page.body.metadata.resourceVersion)).size,
    ]).toEqual([3, 1, undefined, 1])
  })

  it('offers an inconsistent rest when the snapshot is gone', async () => {
    for (const name of ['a', 'b', 'c']) await create(server, name)
    const first = await server.call('GET', `${url}?limit=1`)
    await create(server, 'd')
    await server.store.compact(server.store.revision)
    const expired = await server.call('GET', `${url}?limit=1&continue=${first.body.metadata.continue}`)
    expect([expired.status, expired.body.reason]).toEqual([410, 'Expired'])
    expect(names(await server.call('GET', `${url}?continue=${expired.body.metadata.continue}`))).toEqual(['b', 'c', 'd'])
  })

  it('keeps a snapshot for five minutes and lets it go within ten, also while nobody writes', async () => {
    for (const name of ['a', 'b', 'c']) await create(server, name)
    await server.env.advance(1_000)
    const first = await server.call('GET', `${url}?limit=1`)
    const rest = (): Promise<Answer> => server.call('GET', `${url}?limit=1&continue=${first.body.metadata.continue}`)
    await server.env.advance(300_000)
    const kept = await rest()
    await server.env.advance(298_000)
    const stillKept = await rest()
    await server.env.advance(1_000)
    const expired = await rest()
    const inconsistent = await server.call('GET', `${url}?limit=1&continue=${expired.body.metadata.continue}`)
    expect([kept.status, stillKept.status, expired.status, expired.body.reason]).toEqual([200, 200, 410, 'Expired'])
    expect([names(inconsistent), inconsistent.body.metadata.remainingItemCount]).toEqual([['b'], 1])
    expect(Number(inconsistent.body.metadata.resourceVersion)).toBeGreaterThan(Number(first.body.metadata.resourceVersion))
  })

  it('keeps what was superseded a moment before a compaction for five minutes more', async () => {
    await create(server, 'a')
    await server.env.advance(299_000)
    const { resourceVersion } = (await create(server, 'b')).body.metadata
    await server.call('DELETE', `${url}/b`)
    const past = (): Promise<Answer> => server.call('GET', `${url}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`)
    await server.env.advance(299_000)
    expect(names(await past())).toEqual(['a', 'b'])
    await server.env.advance(2_000)
    expect((await past()).status).toBe(410)
  })

  it('selects by labels and fields, and names the field it does not know', async () => {
    await create(server, 'a', { app: 'x' })
    await create(server, 'b', { app: 'y' })
    expect(names(await server.call('GET', `${url}?labelSelector=app+in+(x,z)`))).toEqual(['a'])
    expect(names(await server.call('GET', `${url}?fieldSelector=metadata.name!%3Da`))).toEqual(['b'])
    expect((await server.call('GET', `${url}?fieldSelector=data%3Dx`)).body).toMatchObject({
      code: 400,
      message: '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
    })
  })

  it('reads the past exactly, or says that it is gone or has not come', async () => {
    await create(server, 'a')
    await create(server, 'b')
    expect(names(await server.call('GET', `${url}?resourceVersion=2&resourceVersionMatch=Exact`))).toEqual(['a'])
    expect(names(await server.call('GET', `${url}?resourceVersion=2&resourceVersionMatch=NotOlderThan`))).toEqual(['a', 'b'])
    await server.store.compact(3)
    expect((await server.call('GET', `${url}?resourceVersion=2&resourceVersionMatch=Exact`)).status).toBe(410)
    const waiting = server.call('GET', `${url}?resourceVersion=99`)
    await server.env.advance(3_100)
    expect((await waiting).body).toMatchObject({ code: 504, reason: 'Timeout', message: 'Timeout: Too large resource version: 99, current: 3' })
  })

  it('comes as a table, as metadata alone, as YAML, or is refused', async () => {
    await create(server, 'a')
    const accept = (value: string, path = url): Promise<Answer> => server.call('GET', path, undefined, { accept: value })
    expect((await accept('application/json;as=Table;v=v1;g=meta.k8s.io')).body).toMatchObject({
      kind: 'Table',
      rows: [{ cells: ['a', 0, '0s'], object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } }],
    })
    expect((await accept('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io')).body).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata' }],
    })
    expect((await accept('application/yaml', `${url}/a`)).body).toContain('kind: ConfigMap\n')
    expect((await accept('application/vnd.kubernetes.protobuf,application/json', `${url}/a`)).status).toBe(200)
    expect([(await accept('application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io')).status, (await accept('text/html')).status]).toEqual([406, 406])
  })

  it('is compressed when large and wanted', async () => {
    for (let i = 0; i < 20; i++) await server.create(url, { metadata: { name: `big${i}` }, data: { k: 'x'.repeat(10_000) } })
    const user = { name: 'u', groups: [] }
    const packed = await server.server.handle({ method: 'GET', url, headers: { 'accept-encoding': 'gzip' }, user })
    const plain = await server.server.handle({ method: 'GET', url, headers: {}, user })
    if (packed.body.kind !== 'bytes' || plain.body.kind !== 'bytes') throw new Error('no bytes')
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(Buffer.concat(packed.body.chunks)).equals(Buffer.concat(plain.body.chunks))).toBe(true)
  })
})

describe('watch', () => {
  it('begins with what there is, and turns selectors into ADDED and DELETED', async () => {
    await create(server, 'a', { app: 'x' })
    const watch = await server.call('GET', `${url}?watch=1&labelSelector=app%3Dx`)
    await create(server, 'b', { app: 'y' })
    await server.merge(`${url}/b`, { metadata: { labels: { app: 'x' } } })
    await server.merge(`${url}/a`, { metadata: { labels: { app: 'y' } } })
    await server.call('DELETE', `${url}/b`)
    const events = await readEvents(watch, 4)
    expect(events.map(event => [event.type, event.object.metadata.name])).toEqual([
      ['ADDED', 'a'],
      ['ADDED', 'b'],
      ['DELETED', 'a'],
      ['DELETED', 'b'],
    ])
    expect(Number(events[3]?.object.metadata.resourceVersion)).toBe(server.store.revision)
  })

  it('continues after a revision, and says 410 where that is compacted', async () => {
    await create(server, 'a')
    await create(server, 'b')
    expect((await readEvents(await server.call('GET', `${url}?watch=1&resourceVersion=2`), 1)).map(event => event.object.metadata.name)).toEqual(['b'])
    await server.store.compact(3)
    const [event] = await readEvents(await server.call('GET', `${url}?watch=1&resourceVersion=2`), 1)
    expect([event?.type, event?.object.code, event?.object.reason]).toEqual(['ERROR', 410, 'Expired'])
  })

  it('ends the initial events with an annotated bookmark', async () => {
    await create(server, 'a')
    const events = await readEvents(await server.call('GET', `${url}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`), 2)
    expect(events.map(event => event.type)).toEqual(['ADDED', 'BOOKMARK'])
    expect(events[1]?.object.metadata).toMatchObject({ resourceVersion: '2', annotations: { 'k8s.io/initial-events-end': 'true' } })
  })

  it('gives bookmarks only when asked, and ends in time', async () => {
    const quiet = await server.call('GET', `${url}?watch=1&timeoutSeconds=130`)
    const marked = await server.call('GET', `${url}?watch=1&timeoutSeconds=130&allowWatchBookmarks=true`)
    await server.env.advance(131_000)
    expect([(await readEvents(quiet, 9)).length, (await readEvents(marked, 9)).map(event => event.type)]).toEqual([0, ['BOOKMARK', 'BOOKMARK', 'BOOKMARK']])
  })

  it('ends a watcher that does not read with 410 and leaves the others alone', async () => {
    const slow = await server.call('GET', `${url}?watch=1`)
    await server.create(url, { metadata: { name: 'a' } })
    const { object } = (await server.store.list('/core/configmaps/')).entries[0] ?? {}
    for (let i = 0; i < 10_050; i++) await server.store.put('/core/configmaps/n/a', { ...object, i } as never, { any: true })
    const events = await readEvents(slow, 5)
    expect(events.map(event => [event.type, event.object.code])).toEqual([['ERROR', 410]])
  })

  it('passes objects, not bytes, to callers in the process', async () => {
    await create(server, 'a')
    const response = await server.server.handle({ method: 'GET', url: `${url}?watch=1`, headers: {}, user: { name: 'u', groups: [] }, answer: 'objects' })
    if (response.body.kind !== 'events') throw new Error(response.body.kind)
    const iterator = response.body.events[Symbol.asyncIterator]()
    const { value } = await iterator.next()
    await iterator.return?.()
    expect(value.object).toBe((await server.store.get('/core/configmaps/n/a'))?.object)
  })
})
