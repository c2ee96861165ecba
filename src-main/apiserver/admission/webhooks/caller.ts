/**
 * HTTPS calls to webhooks of every sort (admission, conversion): to a URL or a Service, with the CA bundle of their
 * configuration. One POST, one answer: redirects are not followed (they would let a webhook choose whom the API server
 * calls), answers are bounded, and the connection ends with the call.
 */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import { encodeJson, JsonError, parseJson } from '../../../api/json.ts'
import type { Clock } from '../../../base/env.ts'
import { secureStream } from '../../subresources/secure-stream.ts'
import { openAddress, type ServiceConnector } from '../../subresources/service-connection.ts'

/** Where a webhook is: exactly one of url and service. */
export interface HookClientConfig {
  readonly url?: string
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string; readonly port?: number }
  /** Base64 of PEM; absent: the authorities that the machine trusts. */
  readonly caBundle?: string
}

/** A call that gave no answer, in the words of Go's client. */
export class HookError extends Error {
  /** The status that the webhook answered with, where it answered. */
  readonly status: number | undefined
  constructor(message: string, status?: number) {
    super(message)
    this.name = 'HookError'
    this.status = status
  }
}

export interface HookCaller {
  /** The answer's JSON. Throws HookError. */
  post(config: HookClientConfig, body: unknown, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<unknown>
}

/** Of an answer; an object of the largest size and a patch of it fit many times. */
const maxAnswerBytes = 16 * 1024 * 1024

interface Destination {
  readonly host: string
  readonly serverName: string
  readonly port: number
  readonly path: string
  open(signal: AbortSignal): Promise<Duplex>
}

function destinationOf(config: HookClientConfig, services: ServiceConnector): Destination {
  const { service, url } = config
  if (service) {
    const port = service.port ?? 443
    const host = `${service.name}.${service.namespace}.svc`
    return { host: `${host}:${port}`, serverName: host, port, path: service.path || '/', open: signal => services.open({ ...service, port }, signal) }
  }
  const parsed = new URL(url ?? '')
  if (parsed.protocol !== 'https:') throw new HookError("'https' is the only allowed URL scheme")
  const name = parsed.hostname.replace(/^\[|\]$/g, '')
  const port = parsed.port === '' ? 443 : Number(parsed.port)
  return { host: parsed.host, serverName: name, port, path: parsed.pathname, open: signal => openAddress(name, port, signal) }
}

export function createHookCaller(options: { readonly clock: Clock; readonly services: ServiceConnector }): HookCaller {
  return {
    async post(config, body, { timeoutMs, signal }) {
      const controller = new AbortController()
      const cancel = options.clock.after(timeoutMs, () => {
        controller.abort(new Error('context deadline exceeded'))
      })
      const onAbort = (): void => {
        controller.abort(new Error('context canceled'))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted) onAbort()
      let where: Destination | undefined
      const seconds = Math.ceil(timeoutMs / 1_000)
      try {
        where = destinationOf(config, options.services)
        return await call(where, `${where.path}?timeout=${seconds}s`, config.caBundle, encodeJson(body), controller.signal)
      } catch (fault) {
        if (fault instanceof HookError) throw fault
        const text = controller.signal.aborted ? errorText(controller.signal.reason) : goText(fault, where)
        throw new HookError(where ? `Post "https://${where.host}${where.path}?timeout=${seconds}s": ${text}` : text)
      } finally {
        cancel()
        signal?.removeEventListener('abort', onAbort)
        controller.abort()
      }
    },
  }
}

function errorText(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}

/** A connection's fault as Go's client says it. */
function goText(fault: unknown, where: Destination | undefined): string {
  const code = fault instanceof Error && 'code' in fault ? String(fault.code) : ''
  const address = where ? `${where.serverName}:${where.port}` : ''
  if (code === 'ECONNREFUSED') return `dial tcp ${address}: connect: connection refused`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${where?.serverName ?? ''}: no such host`
  if (code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE') return 'EOF'
  if (code.startsWith('ERR_TLS') || /CERT|UNABLE_TO|SELF_SIGNED/.test(code)) return `tls: failed to verify certificate: x509: ${errorText(fault)}`
  return errorText(fault)
}

async function call(where: Destination, path: string, caBundle: string | undefined, body: Uint8Array, signal: AbortSignal): Promise<unknown> {
  const socket = await secureStream(await where.open(signal), { serverName: where.serverName, ...(caBundle ? { caBundle } : {}), signal })
  try {
    const answer = await exchange(socket, where, path, body, signal)
    const bytes = await readAll(answer, signal)
    const status = answer.statusCode ?? 0
    if (status < 200 || status > 299) throw new HookError(statusText(status, bytes), status)
    return parseJson(bytes)
  } catch (fault) {
    throw fault instanceof JsonError ? new HookError(`couldn't get version/kind; json parse error: ${fault.message}`) : fault
  } finally {
    socket.destroy()
  }
}

/** What client-go says of an answer that is no success. */
function statusText(status: number, bytes: Uint8Array): string {
  const body = new TextDecoder().decode(bytes.subarray(0, 2_048)).trim()
  if (status === 404) return 'the server could not find the requested resource'
  if (status === 401) return 'the server has asked for the client to provide credentials'
  if (status === 403) return 'forbidden: the server does not allow this'
  if (status >= 300 && status < 400) return `an error on the server (${JSON.stringify(body || 'unknown')}) has prevented the request from succeeding: redirects are not followed`
  if (status === 503) return 'the server is currently unable to handle the request'
  if (status >= 500) return `an error on the server (${JSON.stringify(body || 'unknown')}) has prevented the request from succeeding`
  return `the server responded with the status code ${status} but did not return more information`
}

function exchange(socket: TLSSocket, where: Destination, path: string, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: 'POST',
      path,
      host: where.serverName,
      setHost: false,
      headers: {
        host: where.host,
        accept: 'application/json, */*',
        'content-type': 'application/json',
        'content-length': String(body.length),
        'user-agent': 'kube-apiserver-admission',
        connection: 'close',
      },
      createConnection: () => socket,
    })
    signal.addEventListener('abort', () => {
      outgoing.destroy(signal.reason instanceof Error ? signal.reason : new Error('context canceled'))
    })
    outgoing.once('error', reject)
    outgoing.once('response', resolve)
    outgoing.end(body)
  })
}

async function readAll(answer: IncomingMessage, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  const onAbort = (): void => {
    answer.destroy(signal.reason instanceof Error ? signal.reason : new Error('context canceled'))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  for await (const chunk of answer) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > maxAnswerBytes) throw new HookError(`the answer is larger than ${maxAnswerBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
