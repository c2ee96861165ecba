/** What holds of every stored kind behind the real API server (memory store). */
import { describe, expect, it } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { createApiServer } from '../../../src-main/apiserver/handler.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import { allResources } from '../../../src-main/api/resources.ts'
import { resourceKey, resourcePath } from '../../../src-main/api/resource.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { sampleOf } from './samples.ts'

interface Answer {
  status: number
  object: Record<string, never> & { metadata: Record<string, unknown>; items: unknown[]; kind: string; reason: string; rows: { cells: unknown[] }[]; columnDefinitions: unknown[] }
}

const env = nodeEnv({ level: 'error' })
const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

/** A server of its own for each kind, so that lists hold that kind's objects alone. */
function serve(): (method: string, url: string, object?: unknown, type?: string, accept?: string) => Promise<Answer> {
  const server = createApiServer({ env, store: memoryStore(env), resources: allResources })
  return async (method, url, object, type = 'application/json', accept = 'application/json') => {
    const headers = { 'content-type': type, accept }
    const body = object === undefined ? {} : { body: { bytes: new TextEncoder().encode(JSON.stringify(object)) } }
    const response = await server.handle({ method, url, headers, user, ...body })
    const text =
      response.body.kind === 'bytes'
        ? Buffer.concat(response.body.chunks.map(chunk => Buffer.from(chunk))).toString()
        : response.body.kind === 'object'
          ? JSON.stringify(response.body.object)
          : '{}'
    return { status: response.status, object: JSON.parse(text === '' ? '{}' : text) as Answer['object'] }
  }
}

const namespaceOf = (r: AnyResource): string | undefined => (r.scope === 'Namespaced' ? 'kinds' : undefined)
const stored = allResources.filter(r => r.storage !== 'virtual')

describe.each(stored.map(r => [resourceKey(r), r] as const))('%s', (_key, r) => {
  const call = serve()
  const sample = sampleOf(r, 'a')
  const collection = resourcePath(r, namespaceOf(r))
  const path = resourcePath(r, namespaceOf(r), sample.metadata.name)

  it('can be tried without being made', async () => {
    const tried = await call('POST', `${collection}?dryRun=All`, sample)
    const read = await call('GET', path)
    expect({ tried: tried.status, read: read.status }).toEqual({ tried: 201, read: 404 })
  })

  it('is created once', async () => {
    const first = await call('POST', collection, sample)
    const second = await call('POST', collection, sample)
    expect({ first: first.status, message: first.status === 201 ? '' : JSON.stringify(first.object), second: second.object.reason }).toEqual({
      first: 201,
      message: '',
      second: 'AlreadyExists',
    })
  })

  it('reads back what was created, and lists it', async () => {
    const read = await call('GET', path)
    const list = await call('GET', collection)
    expect({
      kind: read.object.kind,
      name: read.object.metadata['name'],
      uid: typeof read.object.metadata['uid'],
      listed: list.object.kind,
      items: list.object.items.length,
    }).toEqual({ kind: r.kind, name: sample.metadata.name, uid: 'string', listed: r.listKind ?? `${r.kind}List`, items: 1 })
  })

  it('shows a table with a cell for every column', async () => {
    const table = await call('GET', collection, undefined, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
    expect({ columns: table.object.columnDefinitions.length, cells: table.object.rows[0]?.cells.length }).toEqual({
      columns: r.columns.filter(c => c.unlisted !== true).length,
      cells: r.columns.length,
    })
  })

  it('is not changed by writing back what was read', async () => {
    const read = await call('GET', path)
    const written = await call('PUT', path, read.object)
    expect({ status: written.status, object: written.object }).toEqual({ status: 200, object: read.object })
  })

  it('refuses an update of an older version', async () => {
    const read = await call('GET', path)
    await call('PATCH', path, { metadata: { labels: { touched: 'yes' } } }, 'application/merge-patch+json')
    const stale = await call('PUT', path, { ...read.object, metadata: { ...read.object.metadata, labels: { stale: 'yes' } } })
    expect(stale.status).toBe(409)
  })

  it.each([
    ['application/merge-patch+json', { metadata: { labels: { patched: 'merge' } } }],
    ['application/strategic-merge-patch+json', { metadata: { labels: { patched: 'strategic' } } }],
    ['application/json-patch+json', [{ op: 'add', path: '/metadata/labels/patched', value: 'json' }]],
  ] as const)('is patched by %s', async (type, patch) => {
    const answer = await call('PATCH', path, patch, type)
    // Kinds with a schema of their own have no strategic merge, as custom resources have none.
    if (typeof r.schema !== 'string' && type.includes('strategic')) expect(answer.status).toBe(415)
    else
      expect({ status: answer.status, patched: (answer.object.metadata['labels'] as Record<string, string>)['patched'] }).toEqual({ status: 200, patched: type.split(/[/-]/)[1] })
  })

  it('is applied by a manager that is then named', async () => {
    const metadata = { name: sample.metadata.name, labels: { applied: 'yes' } }
    const answer = await call('PATCH', `${path}?fieldManager=tester`, { apiVersion: sample.apiVersion, kind: sample.kind, metadata }, 'application/apply-patch+yaml')
    const managers = (answer.object.metadata?.['managedFields'] ?? []) as { manager: string; operation: string }[]
    expect({ status: answer.status, applied: managers.some(m => m.manager === 'tester' && m.operation === 'Apply') }).toEqual({ status: 200, applied: true })
  })

  it('leaves status alone when the object itself is written, where status is a subresource', async () => {
    if (r.subresources?.status !== true) return expect(r.subresources?.status ?? false).toBe(false)
    const before = await call('GET', path)
    const after = await call('PATCH', path, { status: { phase: 'Made-up', replicas: 77 } }, 'application/merge-patch+json')
    expect((after.object as unknown as { status: unknown }).status).toEqual((before.object as unknown as { status: unknown }).status)
  })

  it('waits for finalizers and then is gone', async () => {
    await call('PATCH', path, { metadata: { finalizers: ['example.com/wait'] } }, 'application/merge-patch+json')
    await call('DELETE', `${path}?gracePeriodSeconds=0&propagationPolicy=Background`)
    const waiting = await call('GET', path)
    await call('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json')
    if (r.kind === 'Namespace') await call('PUT', `${path}/finalize`, { ...(await call('GET', path)).object, spec: { finalizers: [] } })
    const gone = await call('GET', path)
    expect({ deleting: typeof waiting.object.metadata['deletionTimestamp'], gone: gone.status }).toEqual({ deleting: 'string', gone: 404 })
  })

  it('deletes a collection', async () => {
    if (r.verbs !== undefined && !r.verbs.includes('deletecollection')) return expect((await call('DELETE', collection)).status).toBe(405)
    for (const name of ['b', 'c']) await call('POST', collection, sampleOf(r, name))
    await call('DELETE', `${collection}?gracePeriodSeconds=0&propagationPolicy=Background`)
    // What a controller has to release first is marked, and goes when it is released.
    const held = (await call('GET', collection)).object.items as { metadata: { name: string; deletionTimestamp?: string } }[]
    for (const { metadata } of held) {
      expect(metadata.deletionTimestamp).toBeTypeOf('string')
      await call('PATCH', `${collection}/${metadata.name}`, { metadata: { finalizers: null } }, 'application/merge-patch+json')
    }
    const list = await call('GET', collection)
    expect(list.object.items).toEqual([])
  })
})
