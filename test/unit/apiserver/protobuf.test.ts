/** Requests and answers in protobuf: objects, lists, watches, errors, and what has no such form. */
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { decodeProtobuf, encodeProtobuf, protobufMediaType } from '../../../src-main/apiserver/protobuf/protobuf.ts'
import { loadTables } from '../../../src-main/apiserver/protobuf/tables.ts'
import { Reader } from '../../../src-main/apiserver/protobuf/read.ts'
import type { ApiResponse } from '../../../src-main/api/request.ts'
import { testServer, type TestServer } from './cluster.ts'

let server: TestServer
const user = { name: 'admin', groups: ['system:masters'] }
const url = '/api/v1/namespaces/default/configmaps'

beforeAll(() => loadTables())
beforeEach(async () => {
  server = testServer()
  await server.create('/api/v1/namespaces', { metadata: { name: 'default' } })
})

function ask(method: string, path: string, body?: unknown, accept = protobufMediaType): Promise<ApiResponse> {
  const bytes = body instanceof Uint8Array ? body : body === undefined ? undefined : encodeProtobuf(body)
  return server.server.handle({ method, url: path, user, headers: { accept, ...(bytes ? { 'content-type': protobufMediaType } : {}) }, ...(bytes ? { body: { bytes } } : {}) })
}

function bytesOf(response: ApiResponse): Buffer {
  return response.body.kind === 'bytes' ? Buffer.concat(response.body.chunks) : Buffer.alloc(0)
}
const read = (response: ApiResponse): Record<string, unknown> => decodeProtobuf(bytesOf(response))

const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { a: 'b' } }, data: { k: 'ü' } })

test('an object is made, read, replaced and deleted', async () => {
  const made = await ask('POST', url, configMap('one'))
  const object = read(made) as { metadata: { uid: string; resourceVersion: string } }
  expect({ status: made.status, type: made.headers['content-type'], object }).toMatchObject({
    status: 201,
    type: protobufMediaType,
    object: { kind: 'ConfigMap', data: { k: 'ü' } },
  })
  const json = await server.call('GET', `${url}/one`)
  expect(read(await ask('GET', `${url}/one`))).toEqual(json.body)
  const replaced = await ask('PUT', `${url}/one`, { ...object, data: { k: 'new' } })
  expect({ status: replaced.status, data: read(replaced)['data'] }).toEqual({ status: 200, data: { k: 'new' } })
  const deleted = await ask('DELETE', `${url}/one`, { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: object.metadata.uid } })
  expect(read(deleted)).toMatchObject({ kind: 'Status', status: 'Success' })
})

test('a list is the same as in JSON, whatever its size', async () => {
  for (let i = 0; i < 30; i++) await server.create(url, { metadata: { name: `big${i}` }, data: { k: `${i}`.repeat(6_000) } })
  const { items, ...head } = (await server.call('GET', url)).body as { items: { metadata: object }[] }
  expect(read(await ask('GET', url))).toEqual({ ...head, items })
  expect(read(await ask('GET', `${url}?limit=2`))).toMatchObject({ metadata: { continue: expect.any(String), remainingItemCount: 28 }, items: items.slice(0, 2) })
})

/** Type and object of a frame: length, then an event without envelope. */
function readFrame(frame: Uint8Array): { type: string; object: unknown } {
  const buffer = Buffer.from(frame)
  expect(buffer.readUInt32BE(0)).toBe(buffer.length - 4)
  const event = new Reader(buffer, 4)
  let type = ''
  let object: unknown
  while (!event.isDone) {
    if (event.tag() === 10) type = event.nested().restAsText()
    else {
      const raw = event.nested()
      raw.tag()
      object = decodeProtobuf(raw.nested().rest())
    }
  }
  return { type, object }
}

test('a watch sends frames of their length', async () => {
  await ask('POST', url, configMap('one'))
  const answer = await ask('GET', `${url}?watch=true&resourceVersion=0`)
  await server.merge(`${url}/one`, { data: { k: 'new' } })
  const events = []
  if (answer.body.kind === 'stream')
    for await (const chunk of answer.body.chunks) {
      events.push(readFrame(chunk))
      if (events.length === 2) break
    }
  expect({ type: answer.headers['content-type'], events }).toMatchObject({
    type: `${protobufMediaType};stream=watch`,
    events: [
      { type: 'ADDED', object: { kind: 'ConfigMap', data: { k: 'ü' } } },
      { type: 'MODIFIED', object: { kind: 'ConfigMap', data: { k: 'new' } } },
    ],
  })
})

test('errors and subresources have their form', async () => {
  expect(read(await ask('GET', `${url}/none`))).toMatchObject({ kind: 'Status', code: 404, details: { kind: 'configmaps', name: 'none' } })
  await server.create('/apis/apps/v1/namespaces/default/replicasets', {
    metadata: { name: 'r' },
    spec: { replicas: 3, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
  })
  expect(read(await ask('GET', '/apis/apps/v1/namespaces/default/replicasets/r/scale'))).toMatchObject({ kind: 'Scale', spec: { replicas: 3 }, status: { selector: 'a=b' } })
  expect(read(await ask('GET', url, undefined, `${protobufMediaType};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`))).toMatchObject({ kind: 'PartialObjectMetadataList' })
})

test('tables and kinds of others come in the next form that is accepted', async () => {
  const table = await ask('GET', url, undefined, `${protobufMediaType};as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io`)
  const machines = '/apis/infra.quarterdeck.app/v1alpha1/machines'
  const other = await ask('GET', machines, undefined, `${protobufMediaType},application/json`)
  expect([table.headers['content-type'], other.headers['content-type'], (await ask('GET', machines)).status]).toEqual(['application/json', 'application/json', 406])
})

test('bodies that are none are refused', async () => {
  const cut = encodeProtobuf(configMap('one')) ?? new Uint8Array()
  const nested = Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, 0x02, 0x0a, 0xff])])
  const bodies = [Buffer.from('{"kind":"ConfigMap"}'), cut.subarray(0, cut.length - 3), Buffer.from('k8s\0\xff\xff\xff\xff', 'latin1'), nested]
  const answers = await Promise.all(bodies.map(body => ask('POST', url, body, 'application/json')))
  expect(answers.map(answer => answer.status)).toEqual([400, 400, 400, 400])
  expect(JSON.parse(bytesOf(answers[0] as ApiResponse).toString())).toMatchObject({
    message:
      'the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] ({"kind":"ConfigMap"})',
  })
})
