/**
 * Speaks HTTP to the Docker Engine over its unix socket: plain calls, streamed answers and hijacked connections
 * (exec, attach). Written here rather than taken from dockerode because that drags in an SSH client and gRPC, which
 * would take half of the agent's memory budget.
 */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { RuntimeError } from './runtime.ts'

/** The oldest API that we speak (Docker 20.10). Newer engines (29 needs at least 1.44) are asked with their own minimum. */
const baseApiVersion = '1.41'
/** A wedged engine must not hold a pod's worker for ever. Streams and stops have their own limits. */
const callTimeoutMs = 120_000
/** An inspect or a list is never near this; protects the agent's memory. */
const maxAnswerBytes = 64 << 20

export interface CallOptions {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export class EngineConnection {
  readonly #socketPath: string
  #prefix: string | undefined

  constructor(socketPath: string) { this.#socketPath = socketPath }

  /** JSON answer of a call; throws RuntimeError on any status from 400. 304 counts as done. */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const answer = await this.open(method, path, options)
    const bytes = await readAll(answer)
    return (bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'))) as T
  }

  /** The answer's body as it comes; throws RuntimeError on any status from 400. */
  async open(method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const prefix = await this.#version()
    return this.#send(method, prefix + path, options)
  }

  /** Upgrades the connection to a raw byte stream. */
  async hijack(path: string, options: CallOptions = {}): Promise<Duplex> {
    const prefix = await this.#version()
    return new Promise((resolve, reject) => {
      const { headers, payload } = this.#encode(options)
      const request = httpRequest({ socketPath: this.#socketPath, method: 'POST', path: prefix + path + queryText(options.query), headers: { ...headers, Connection: 'Upgrade', Upgrade: 'tcp' } })
      request.on('upgrade', (_answer, socket, head) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      request.on('response', answer => { void failure(answer).then(reject, reject) })
      request.on('error', fault => { reject(new RuntimeError(0, `container runtime: ${fault.message}`)) })
      request.end(payload)
    })
  }

  async #version(): Promise<string> {
    if (this.#prefix !== undefined) return this.#prefix
    const answer = await this.#send('GET', '/version', { timeoutMs: 10_000 })
    const version = JSON.parse((await readAll(answer)).toString('utf8')) as { MinAPIVersion?: string }
    this.#prefix = `/v${laterVersion(version.MinAPIVersion ?? '0', baseApiVersion)}`
    return this.#prefix
  }

  #encode(options: CallOptions): { headers: Record<string, string>; payload: Uint8Array | undefined } {
    const headers: Record<string, string> = { Host: 'docker', ...options.headers }
    if (options.bytes) return { headers: { 'Content-Type': 'application/x-tar', 'Content-Length': String(options.bytes.length), ...headers }, payload: options.bytes }
    if (options.body === undefined) return { headers, payload: undefined }
    const payload = Buffer.from(JSON.stringify(options.body))
    return { headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': String(payload.length) }, payload }
  }

  #send(method: string, path: string, options: CallOptions): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { headers, payload } = this.#encode(options)
      const request = httpRequest({ socketPath: this.#socketPath, method, path: path + queryText(options.query), headers, ...(options.signal ? { signal: options.signal } : {}) })
      const timeoutMs = options.timeoutMs ?? callTimeoutMs
      if (timeoutMs > 0) request.setTimeout(timeoutMs, () => { request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)) })
      request.on('response', answer => {
        if ((answer.statusCode ?? 500) < 400) resolve(answer)
        else failure(answer).then(reject, reject)
      })
      request.on('error', fault => { reject(new RuntimeError(0, `container runtime: ${fault.message}`)) })
      request.end(payload)
    })
  }
}

export function laterVersion(a: string, b: string): string {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor > bMajor || (aMajor === bMajor && aMinor > bMinor) ? a : b
}

function queryText(query: Readonly<Record<string, string>> | undefined): string {
  return query ? `?${new URLSearchParams(query).toString()}` : ''
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    size += (chunk as Buffer).length
    if (size > maxAnswerBytes) { answer.destroy(); throw new RuntimeError(0, 'container runtime: answer too large') }
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

async function failure(answer: IncomingMessage): Promise<RuntimeError> {
  const text = (await readAll(answer)).toString('utf8')
  let message = text.trim()
  try { message = (JSON.parse(text) as { message?: string }).message ?? message } catch { /* not JSON: the text itself says why */ }
  return new RuntimeError(answer.statusCode ?? 500, message)
}
