/** Bodies and headers by size, encoding and length: refused with the right status, nothing stored, no memory kept. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiPeer, enableCollection, expectBounded, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
const configMaps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, data: Record<string, unknown> = {}): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })
const names = async (): Promise<string[]> => (JSON.parse((await admin.ask(configMaps)).text) as { items: { metadata: { name: string } }[] }).items.map(one => one.metadata.name)

beforeAll(async () => {
  await enableCollection()
  running = await startControlPlane({ runControllers: false, durable: true })
  admin = apiPeer(running.controlPlane)
})
afterAll(async () => {
  expect(await names()).toEqual(['kept'])
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})

describe('too large', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('a body over 3 MiB by %s', async method => {
    const answer = await expectBounded(() =>
      admin.ask(method === 'POST' ? configMaps : `${configMaps}/kept`, {
        method,
        type: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        body: JSON.stringify(configMap('big', { a: 'x'.repeat(3 * 2 ** 20) })),
      }),
    )
    expect([answer.status, answer.reason]).toEqual([413, 'RequestEntityTooLarge'])
  })
  test('a body over 3 MiB in chunks, which names no length', async () => {
    const socket = await admin.connect()
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.write(`POST ${configMaps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`)
    const chunk = `${(2 ** 16).toString(16)}\r\n${' '.repeat(2 ** 16)}\r\n`
    for (let i = 0; i < 64 && !socket.destroyed; i++) socket.write(chunk)
    await new Promise(resolve => {
      socket.once('close', resolve)
    })
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
  })
  test('an object over 1.5 MB, whether made, replaced or patched', async () => {
    expect((await admin.ask(configMaps, { body: configMap('kept', { a: 'a'.repeat(1_000_000) }) })).status).toBe(201)
    const { text } = await admin.ask(`${configMaps}/kept`)
    const big = 'b'.repeat(1_048_000)
    const tries = [
      admin.ask(configMaps, {
        body: {
          ...configMap('big', { a: 'x'.repeat(900_000) }),
          metadata: { name: 'big', managedFields: [], annotations: { a: 'y'.repeat(200_000) } },
          binaryData: { b: Buffer.alloc(400_000).toString('base64') },
        },
      }),
      admin.ask('/api/v1/namespaces/default/events', {
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: 'big' },
          involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
          source: { component: 'z'.repeat(1_600_000) },
        },
      }),
      admin.ask('/api/v1/namespaces/default/podtemplates', {
        body: { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 'big' }, template: { spec: { containers: [{ name: 'c', image: 'i', args: [big, big] }] } } },
      }),
    ]
    for (const answer of await Promise.all(tries)) expect([413, 422]).toContain(answer.status)
    expect((await tries[2])?.reason).toBe('RequestEntityTooLarge')
    const templates = '/api/v1/namespaces/default/podtemplates'
    expect(
      (await admin.ask(templates, { body: { metadata: { name: 'l' }, template: { spec: { containers: [{ name: 'c', image: 'i', args: ['h'.repeat(1_000_000)] }] } } } })).status,
    ).toBe(201)
    const before = (await admin.ask(`${templates}/l`)).text
    const more = { template: { spec: { schedulerName: 's'.repeat(700_000) } } }
    for (const [type, body] of [
      ['application/merge-patch+json', more],
      ['application/strategic-merge-patch+json', more],
      ['application/json-patch+json', [{ op: 'replace', path: '/template/spec/schedulerName', value: 's'.repeat(700_000) }]],
      ['application/apply-patch+yaml', { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 'l' }, ...more }],
    ] as const) {
      const answer = await admin.ask(`${templates}/l?fieldManager=m&${type.includes('apply') ? 'force=true' : ''}`, { method: 'PATCH', type, body })
      expect([type, answer.status, answer.reason]).toEqual([type, 413, 'RequestEntityTooLarge'])
    }
    expect((await admin.ask(`${templates}/l`)).text).toBe(before)
    expect((await admin.ask(`${configMaps}/kept`)).text).toBe(text)
    expect((await admin.ask(`${configMaps}?dryRun=All`, { body: configMap('small') })).status).toBe(201)
  })
  test('headers over 64 KiB', async () => {
    const text = await admin.raw(`GET /api HTTP/1.1\r\nHost: x\r\nX-Large: ${'a'.repeat(80_000)}\r\n\r\n`)
    expect(text === '' || text.startsWith('HTTP/1.1 431')).toBe(true)
    const many = await admin.raw(`GET /api HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 5_000 }, (_, i) => `X-${i}: ${'b'.repeat(20)}\r\n`).join('')}\r\n`)
    expect(many === '' || many.startsWith('HTTP/1.1 431')).toBe(true)
  })
  test('a path over 64 KiB', async () => {
    const text = await admin.raw(`GET /api/${'a'.repeat(80_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect(text === '' || /^HTTP\/1\.1 4(31|14)/.test(text)).toBe(true)
  })
})

describe('encodings', () => {
  test.each(['gzip', 'deflate', 'br', 'x-gzip', 'gzip, gzip'])('a body with content-encoding %s is not unpacked', async encoding => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20, 0x20))
    const answer = await expectBounded(() => admin.ask(configMaps, { headers: { 'content-encoding': encoding }, body: bomb }))
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
  })
  test.each(['text/html', 'application/xml', 'multipart/form-data', 'application/json-patch+json', '', 'application/', '/', ';;;', `a/${'b'.repeat(10_000)}`])(
    'content type %j of a new object is 415',
    async type => {
      const answer = await admin.ask(configMaps, { type, body: '<x/>' })
      expect(type === '' || type === ';;;' ? [400, 415] : [415]).toContain(answer.status)
    },
  )
  test.each([
    '',
    '[]',
    '0',
    '"x"',
    'null',
    '{',
    '{}}',
    '\u0000',
    'apiVersion: v1',
    '{"kind":1}',
    '{"kind":"ConfigMap","apiVersion":[]}',
    '{"metadata":[]}',
    '{"metadata":{"name":{}}}',
    '{"apiVersion":"v2","kind":"ConfigMap"}',
    '{"apiVersion":"v1","kind":"Secret"}',
  ])('body %j is refused', async body => {
    expect([400, 422]).toContain((await admin.ask(configMaps, { body })).status)
  })
})

describe('lengths that lie', () => {
  const head = `POST ${configMaps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
  const body = JSON.stringify(configMap('smuggled'))
  test.each<[string, string]>([
    ['negative', 'Content-Length: -1\r\n'],
    ['not a number', 'Content-Length: abc\r\n'],
    ['hexadecimal', 'Content-Length: 0x10\r\n'],
    ['huge', `Content-Length: ${'9'.repeat(40)}\r\n`],
    ['beyond 2^53', 'Content-Length: 9007199254740993\r\n'],
    ['two different', `Content-Length: ${body.length}\r\nContent-Length: 3\r\n`],
    ['a list', `Content-Length: ${body.length}, ${body.length}\r\n`],
    ['with a sign', `Content-Length: +${body.length}\r\n`],
    ['with chunks, too', `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n`],
    ['an unknown transfer coding', 'Transfer-Encoding: xchunked\r\n'],
    ['chunked not last', 'Transfer-Encoding: chunked, identity\r\n'],
    ['a space before the colon', `Content-Length : ${body.length}\r\n`],
    ['a folded line', `Transfer-Encoding:\r\n chunked\r\nContent-Length: ${body.length}\r\n`],
  ])('%s: refused, and what follows is no request', async (_name, lines) => {
    const text = await admin.raw(`${head}${lines}\r\n${body}GET /version HTTP/1.1\r\nHost: x\r\n\r\n`, 1_000)
    expect(text).not.toContain('201 Created')
    expect(text).not.toContain('gitVersion')
    if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 4\d\d /)
  })
  test('a chunk size that is none, or lies', async () => {
    for (const chunks of [`zz\r\n${body}\r\n0\r\n\r\n`, `-5\r\n${body}\r\n0\r\n\r\n`, `5\r\n${body}\r\n0\r\n\r\n`, `${'f'.repeat(20)}\r\n${body}`]) {
      const text = await admin.raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`, 300)
      expect(text).not.toContain('201 Created')
    }
  })
  test('a body that ends before its length makes nothing', async () => {
    const socket = await admin.connect()
    socket.end(`${head}Content-Length: ${body.length + 100}\r\n\r\n${body}`)
    await new Promise(resolve => {
      socket.once('close', resolve)
      socket.resume()
    })
    expect(await names()).not.toContain('smuggled')
  })
})
