/** The typed client's transport over the bridge: plain requests by kubernetes.request, watches by kubernetes.stream. */
import type { WatchEvent } from '../../src-main/api/meta.ts'
import type { ApiRequest, ApiResponse } from '../../src-main/api/request.ts'
import type { BridgeClient } from '../../src-main/api/bridge.ts'
import type { Transport } from '../../src-main/client/client.ts'

export function bridgeTransport(bridge: BridgeClient): Transport {
  return request => (/[?&]watch=(true|1)/.test(request.url) ? watch(bridge, request) : ask(bridge, request))
}

async function ask(bridge: BridgeClient, request: ApiRequest): Promise<ApiResponse> {
  const headers: Record<string, string> = {}
  for (const name of ['accept', 'content-type']) {
    const value = request.headers[name]
    if (value !== undefined) headers[name] = value
  }
  const body = request.body === undefined ? undefined : 'object' in request.body ? request.body.object : new TextDecoder().decode(request.body.bytes)
  const answer = await bridge.call('kubernetes.request', { method: request.method, path: request.url, headers, ...(body === undefined ? {} : { body }) }, request.signal)
  return {
    status: answer.status,
    headers: { 'content-type': answer.contentType, ...(answer.warnings.length > 0 ? { warning: answer.warnings } : {}) },
    body: typeof answer.body === 'string' ? { kind: 'bytes', chunks: [new TextEncoder().encode(answer.body)] } : { kind: 'object', object: answer.body },
  }
}

async function watch(bridge: BridgeClient, request: ApiRequest): Promise<ApiResponse> {
  const stream = bridge.stream('kubernetes.stream', { path: request.url }, request.signal)
  const items = stream[Symbol.asyncIterator]()
  const first = await items.next()
  if (first.done || !('status' in first.value)) throw new Error('the watch ended before it began')
  const { status, contentType } = first.value
  const text = textOf(items)
  if (status >= 400) {
    let whole = ''
    for await (const piece of text) whole += piece
    return { status, headers: { 'content-type': contentType }, body: { kind: 'bytes', chunks: [new TextEncoder().encode(whole)] } }
  }
  return {
    status,
    headers: { 'content-type': contentType },
    body: {
      kind: 'events',
      events: eventsOf(text, () => {
        stream.cancel()
      }),
    },
  }
}

async function* textOf(items: AsyncIterator<{ status: number; contentType: string } | { text: string }>): AsyncGenerator<string> {
  for (;;) {
    const next = await items.next()
    if (next.done) return
    if ('text' in next.value) yield next.value.text
  }
}

async function* eventsOf(text: AsyncIterable<string>, close: () => void): AsyncGenerator<WatchEvent<unknown>> {
  try {
    for await (const line of splitLines(text)) yield JSON.parse(line) as WatchEvent<unknown>
  } finally {
    close()
  }
}

/** Whole lines of a text that comes in pieces; what is behind the last line feed comes at the end. */
export async function* splitLines(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}
