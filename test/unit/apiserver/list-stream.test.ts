import { expect, it } from 'vitest'
import type { ApiResponse } from '../../../src-main/api/request.ts'
import { testServer } from './cluster.ts'
import type { TestServer } from './cluster.ts'

const url = '/api/v1/namespaces/n/configmaps'
const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

async function listed(server: TestServer, query: string, reusesChunks: boolean): Promise<{ text: string; response: ApiResponse; pieces: number }> {
  const response = await server.server.handle({ method: 'GET', url: `${url}${query}`, headers: {}, user, reusesChunks })
  const parts: Buffer[] = []
  // Copied at once: the next piece may come in the same memory.
  if (response.body.kind === 'stream' || response.body.kind === 'bytes') for await (const chunk of response.body.chunks) parts.push(Buffer.from(chunk))
  return { text: Buffer.concat(parts).toString(), response, pieces: parts.length }
}

it('a long list that is streamed has the very bytes of one that is made whole, and the length that it announces', async () => {
  const server = testServer()
  // Sizes below, around and above the buffer.
  for (const [index, size] of [10, 100_000, 262_000, 262_144, 300_000, 1, 200_000, 61_000].entries())
    await server.create(url, { metadata: { name: `c-${index}` }, data: { a: 'é'.repeat(size / 2) } })
  const whole = await listed(server, '', false)
  const streamed = await listed(server, '', true)
  expect({
    same: streamed.text === whole.text,
    kind: streamed.response.body.kind,
    length: (streamed.response.body as { length?: number }).length,
    parts: streamed.pieces > 3,
  }).toEqual({
    same: true,
    kind: 'stream',
    length: Buffer.byteLength(whole.text),
    parts: true,
  })
})

it('a short list, a page of few and an empty list are made at once', async () => {
  const server = testServer()
  for (let index = 0; index < 3; index++) await server.create(url, { metadata: { name: `c-${index}` }, data: { a: 'x'.repeat(300_000) } })
  const kinds = await Promise.all(['?limit=1', '?fieldSelector=metadata.name%3Dnobody'].map(async query => (await listed(server, query, true)).response.body.kind))
  expect(kinds).toEqual(['bytes', 'bytes'])
})
