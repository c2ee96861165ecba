/** An API server in process over the memory store, with everything allowed, for tests of the request path. */
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import type { VirtualEnv } from '../../../src-main/base/virtual-env.ts'
import { allResources } from '../../../src-main/api/resources.ts'
import type { Status } from '../../../src-main/api/status-error.ts'
import { createApiServer } from '../../../src-main/apiserver/handler.ts'
import type { ApiServer, ApiServerOptions } from '../../../src-main/apiserver/handler.ts'
import type { ApiResponse } from '../../../src-main/api/request.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import type { Store } from '../../../src-main/store/store.ts'

export interface Answer {
  readonly status: number
  readonly headers: ApiResponse['headers']
  /** Decoded JSON, or the text of other media types. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into answers of every kind
  readonly body: any
  readonly response: ApiResponse
}

export interface TestServer {
  readonly env: VirtualEnv
  readonly store: Store
  readonly server: ApiServer
  call(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  create(url: string, body: object): Promise<Answer>
  merge(url: string, body: object): Promise<Answer>
}

const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

export function testServer(options: Partial<ApiServerOptions> = {}): TestServer {
  const env = virtualEnv()
  const store = memoryStore(env)
  const server = createApiServer({ env, store, resources: allResources, ...options })
  async function call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const bytes = body === undefined ? undefined : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
    const response = await server.handle({
      method,
      url,
      user,
      headers: { 'content-type': 'application/json', 'user-agent': 'test/1', ...headers },
      ...(bytes ? { body: { bytes } } : {}),
    })
    const text = response.body.kind === 'bytes' ? Buffer.concat(response.body.chunks).toString('utf8') : ''
    return { status: response.status, headers: response.headers, body: response.headers['content-type'] === 'application/json' && text !== '' ? JSON.parse(text) : text, response }
  }
  return {
    env,
    store,
    server,
    call,
    create: (url, body) => call('POST', url, body),
    merge: (url, body) => call('PATCH', url, body, { 'content-type': 'application/merge-patch+json' }),
  }
}

/** Reads `count` events of a watch. */
export async function readEvents(
  answer: Answer,
  count: number,
): Promise<{ type: string; object: { metadata: { name?: string; resourceVersion?: string }; kind: string } & Partial<Status> }[]> {
  if (answer.response.body.kind !== 'stream') throw new Error(`no stream but ${answer.response.body.kind}`)
  const events = []
  for await (const chunk of answer.response.body.chunks) {
    events.push(JSON.parse(new TextDecoder().decode(chunk)))
    if (events.length === count) break
  }
  return events
}
