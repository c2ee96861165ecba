/** A peer of the TLS port that may be hostile: any path, header, body and byte; and the questions whether it did harm. */
import { Agent, request as httpsRequest } from 'node:https'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { expect } from 'vitest'
import { parseJson } from '../../src-main/api/json.ts'
import type { ControlPlane } from '../../src-main/control-plane/control-plane.ts'
import type { RunningControlPlane } from './running-control-plane.ts'

export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Record<string, string | string[] | undefined>
  /** Of the Status, or ''. */ readonly reason: string
  readonly message: string
}
export interface Question {
  readonly method?: string
  readonly headers?: Record<string, string | number | string[]>
  readonly type?: string
  readonly body?: string | Uint8Array | object
}

export interface Credentials {
  readonly cert?: string
  readonly key?: string
  readonly token?: string
}

export interface ApiPeer {
  /** Text and bytes are sent as they are, objects as JSON. */
  ask(path: string, question?: Question): Promise<Answer>
  /** Opens a connection for bytes of one's own. */
  connect(): Promise<TLSSocket>
  /** Sends bytes, gives all that comes back until the server closes or `waitMs` passed. */
  raw(bytes: string | Uint8Array, waitMs?: number): Promise<string>
  close(): void
}

/** Undefined credentials: the administrator. */
export function apiPeer(controlPlane: ControlPlane, credentials?: Credentials): ApiPeer {
  const { admin, authority } = controlPlane.keys
  const { cert, key, token } = credentials ?? { cert: admin.certificate, key: admin.privateKey }
  const secure = { host: '127.0.0.1', port: controlPlane.port, ca: authority.certificate, ...(cert === undefined ? {} : { cert, key }) }
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  const sockets = new Set<TLSSocket>()
  const connect = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ ...secure, ALPNProtocols: ['http/1.1'] }, () => {
        socket.off('error', reject)
        socket.on('error', () => {})
        resolve(socket)
      })
      socket.once('error', reject)
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
      })
    })
  return {
    connect,
    ask(path, question = {}) {
      const { body } = question
      const bytes = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
      const headers = {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(bytes === undefined ? {} : { 'content-type': question.type ?? 'application/json', 'content-length': Buffer.byteLength(bytes) }),
        ...question.headers,
      }
      return new Promise((resolve, reject) => {
        const outgoing = httpsRequest({ ...secure, agent, path, method: question.method ?? (bytes === undefined ? 'GET' : 'POST'), headers }, incoming => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => {
            chunks.push(chunk)
          })
          incoming.on('error', reject)
          incoming.on('end', () => {
            resolve(answerOf(incoming.statusCode ?? 0, Buffer.concat(chunks).toString(), incoming.headers))
          })
        })
        outgoing.on('error', reject)
        outgoing.end(bytes)
      })
    },
    async raw(bytes, waitMs = 2_000) {
      const socket = await connect()
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
      })
      socket.write(bytes)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, waitMs)
        socket.once('close', () => {
          clearTimeout(timer)
          resolve()
        })
      })
      socket.destroy()
      return text
    },
    close() {
      agent.destroy()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function answerOf(status: number, text: string, headers: Answer['headers']): Answer {
  let reason = ''
  let message = ''
  try {
    const value = parseJson(text) as { kind?: string; reason?: string; message?: string } | null
    if (value?.kind === 'Status') {
      reason = value.reason ?? ''
      message = value.message ?? ''
    }
  } catch {
    /* no Status */
  }
  return { status, text, headers, reason, message }
}

const prototypes: readonly object[] = [Object.prototype, Array.prototype, String.prototype, Function.prototype, Map.prototype]
const innate = prototypes.map(one => Reflect.ownKeys(one))

/** Call at the end of a test: the server lives, met nothing that it did not expect, and nothing leaked into the prototypes. */
export async function expectUnharmed(running: RunningControlPlane): Promise<void> {
  const admin = apiPeer(running.controlPlane)
  expect((await admin.ask('/livez')).text).toBe('ok')
  admin.close()
  expect(running.warnings.filter(line => line.includes('"level":"error"') || /^error\b/.test(line))).toEqual([])
  expect(prototypes.map(one => Reflect.ownKeys(one))).toEqual(innate)
}

/** Runs `work`, and fails when the process holds more than 50 MB more afterwards, or it took more of the processor than `withinMs`. */
export async function expectBounded<T>(work: () => Promise<T>, withinMs = 5_000): Promise<T> {
  const before = held()
  const began = process.cpuUsage()
  const result = await work()
  expect(process.cpuUsage(began).user / 1_000).toBeLessThan(withinMs)
  if (held() - before > 50 * 2 ** 20) await new Promise(resolve => setTimeout(resolve, 300))
  expect(held() - before).toBeLessThan(50 * 2 ** 20)
  return result
}

/** What lives: garbage is collected where the test run allows it. */
function held(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Makes sure that `globalThis.gc` is there, whatever flags the run has. */
export async function enableCollection(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  ;(globalThis as { gc?: () => void }).gc = runInNewContext('gc') as () => void
}
