/** GET /containerLogs: a container's output from the runtime's log, cut and stamped as kubectl asks. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OutputChunk } from '../container-runtime/runtime.ts'
import { findContainer, HttpFault } from './request-scope.ts'
import type { RequestScope } from './request-scope.ts'

export interface LogQuery {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly sinceMs?: number
  readonly tail?: number
  readonly limitBytes?: number
  readonly stream: 'All' | 'Stdout' | 'Stderr'
}

/** Throws HttpFault for numbers that are none. */
export function logQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const flag = (name: string): boolean => query.get(name) === 'true' || query.get(name) === '1'
  const count = (name: string, least: number): number | undefined => {
    const text = query.get(name)
    if (text === null || text === '') return undefined
    const value = Number(text)
    if (!Number.isInteger(value) || value < least) throw new HttpFault(422, `invalid ${name}: ${text}`)
    return value
  }
  const sinceSeconds = count('sinceSeconds', 1)
  const sinceTime = query.get('sinceTime')
  const sinceMs = sinceSeconds !== undefined ? nowMs - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined
  if (sinceMs !== undefined && Number.isNaN(sinceMs)) throw new HttpFault(422, `invalid sinceTime: ${sinceTime ?? ''}`)
  const tail = count('tailLines', 0)
  const limitBytes = count('limitBytes', 1)
  const stream = query.get('stream')
  return {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    stream: stream === 'Stdout' || stream === 'Stderr' ? stream : 'All',
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(tail === undefined ? {} : { tail }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

export async function containerLogs(scope: RequestScope, parts: readonly string[], params: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [namespace = '', pod = '', name = ''] = parts
  const query = logQuery(params, scope.env.clock.now())
  const container = await findContainer(scope, namespace, pod, name, query.previous)
  const gone = new AbortController()
  response.on('close', () => {
    gone.abort()
  })
  void request
  let output: AsyncIterable<OutputChunk>
  try {
    output = await scope.runtime.logs(
      container.id,
      {
        follow: query.follow && container.phase === 'running',
        timestamps: query.timestamps,
        ...(query.sinceMs === undefined ? {} : { sinceMs: query.sinceMs }),
        ...(query.tail === undefined ? {} : { tail: query.tail }),
      },
      gone.signal,
    )
  } catch (fault) {
    throw new HttpFault(500, fault instanceof Error ? fault.message : String(fault))
  }
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' })
  response.flushHeaders()
  let left = query.limitBytes ?? Infinity
  try {
    for await (const chunk of output) {
      if (query.stream !== 'All' && chunk.stream !== query.stream.toLowerCase()) continue
      const bytes = chunk.bytes.length > left ? chunk.bytes.subarray(0, left) : chunk.bytes
      left -= bytes.length
      // A reader that is slower than the log holds the log back, not the agent's memory.
      if (!response.write(bytes)) await drained(response, gone.signal)
      if (left <= 0 || gone.signal.aborted) break
    }
  } catch (fault) {
    if (!gone.signal.aborted) scope.env.log.log('debug', 'log stream ended', { pod, fault: String(fault) })
  }
  gone.abort()
  response.end()
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const done = (): void => {
      response.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}
