/**
 * One HTTPS request to a node agent through a byte stream that a dialer opened. The agent must show a certificate of our
 * authority made out to `system:node:<name>`: a node cannot answer for another one. Raw HTTP/1.1 over Node's client, so
 * that bodies stream and upgrades hand over the bare connection.
 */
import { request as httpsRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect as tlsConnect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import { agentPorts } from '../../api/agent.ts'
import { serviceUnavailable } from '../../api/status-error.ts'
import type { NodeDialer } from '../../base/node/dialer.ts'

export interface AgentAccess {
  readonly dialer: NodeDialer
  /** PEM of the authority that signs agents' serving certificates. */
  readonly authority: string
  /** PEM; what the API server shows. */
  readonly client: { readonly certificate: string; readonly privateKey: string }
}

export interface AgentRequest {
  readonly node: string
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** An array is a field that is sent several times. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

export type AgentAnswer =
  | { readonly kind: 'response'; readonly message: IncomingMessage }
  /** The agent switched protocols: `head` is what came after its headers. */
  | { readonly kind: 'upgrade'; readonly message: IncomingMessage; readonly stream: Duplex; readonly head: Uint8Array }

/** Sends one request. Throws 503 when the node cannot be reached. */
export async function askAgent(access: AgentAccess, asked: AgentRequest): Promise<AgentAnswer> {
  const secure = await openAgent(access, asked.node, asked.signal)
  return sendOver(secure, asked)
}

/** A TLS connection to the agent of a node. */
async function openAgent(access: AgentAccess, node: string, signal: AbortSignal | undefined): Promise<TLSSocket> {
  let stream: Duplex
  try {
    stream = await access.dialer(node, agentPorts.server, signal)
  } catch (fault) {
    throw serviceUnavailable(`error trying to reach service: ${fault instanceof Error ? fault.message : String(fault)}`)
  }
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      socket: stream,
      ca: access.authority,
      cert: access.client.certificate,
      key: access.client.privateKey,
      minVersion: 'TLSv1.2',
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkIdentity(node, certificate),
    })
    // Stays for good: an error that comes after the end has nobody else who listens.
    secure.on('error', fault => {
      fail(fault.message)
    })
    const fail = (message: string): void => {
      signal?.removeEventListener('abort', onAbort)
      secure.destroy()
      stream.destroy()
      reject(serviceUnavailable(`error trying to reach service: ${message}`))
    }
    const onAbort = (): void => {
      fail('the client went away')
    }
    const onClose = (): void => {
      fail('EOF')
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    secure.once('close', onClose)
    secure.once('secureConnect', () => {
      signal?.removeEventListener('abort', onAbort)
      secure.off('close', onClose)
      resolve(secure)
    })
    if (signal?.aborted) onAbort()
  })
}

function checkIdentity(node: string, certificate: PeerCertificate): Error | undefined {
  const name = [certificate.subject.CN].flat().at(-1)
  return name === `system:node:${node}` ? undefined : new Error(`the agent's certificate is made out to ${JSON.stringify(name)}, not to node ${JSON.stringify(node)}`)
}

/** One HTTP/1.1 exchange over an open stream, which ends with it. */
export function sendOver(stream: Duplex, asked: Omit<AgentRequest, 'node'>): Promise<AgentAnswer> {
  return new Promise((resolve, reject) => {
    // Before there is a request: one whose stream has ended tells so by an error.
    if (asked.signal?.aborted) {
      stream.destroy()
      reject(serviceUnavailable('the client went away'))
      return
    }
    const outgoing: ClientRequest = httpsRequest({
      method: asked.method,
      path: asked.path,
      host: 'localhost',
      headers: { ...asked.headers, ...(asked.body ? { 'content-length': String(asked.body.length) } : {}) },
      setHost: false,
      // An agent, even `false`, would make its own connection.
      createConnection: () => stream,
    })
    const onAbort = (): void => {
      stream.destroy()
      reject(serviceUnavailable('the client went away'))
    }
    asked.signal?.addEventListener('abort', onAbort, { once: true })
    outgoing.on('error', fault => {
      asked.signal?.removeEventListener('abort', onAbort)
      stream.destroy()
      reject(serviceUnavailable(`error trying to reach service: ${fault.message}`))
    })
    outgoing.on('response', message => {
      message.once('close', () => {
        asked.signal?.removeEventListener('abort', onAbort)
        stream.destroy()
      })
      resolve({ kind: 'response', message })
    })
    outgoing.on('upgrade', (message, upgraded: Duplex, head: Uint8Array) => {
      asked.signal?.removeEventListener('abort', onAbort)
      resolve({ kind: 'upgrade', message, stream: upgraded, head })
    })
    outgoing.end(asked.body)
  })
}
