/** The one client of the benchmarks, for every server alike: TLS, the admin's certificate, JSON, kept connections. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { http1Connection } from './http1.ts'
import { http2Connection } from './http2.ts'

export interface Credentials {
  readonly server: string
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

export interface Answer {
  readonly status: number
  /** Of the body. */
  readonly bytes: number
  text(): string
}

export interface Connection {
  send(method: string, path: string, body?: Buffer, contentType?: string): Promise<Answer>
  close(): void
}

export type Protocol = 'HTTP/1.1' | 'HTTP/2'

export function readKubeconfig(file: string): Credentials {
  const config = parse(readFileSync(file, 'utf8')) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] }
  const cluster = config.clusters[0]?.cluster ?? {}
  const user = config.users[0]?.user ?? {}
  const decode = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64')
  return { server: cluster['server'] ?? '', ca: decode(cluster['certificate-authority-data']), cert: decode(user['client-certificate-data']), key: decode(user['client-key-data']) }
}

/** One connection a client with HTTP/1.1; with HTTP/2 all of them share one. */
export async function openConnections(credentials: Credentials, protocol: Protocol, clients: number): Promise<Connection[]> {
  if (protocol === 'HTTP/1.1') return Promise.all(Array.from({ length: clients }, () => http1Connection(credentials)))
  const shared = await http2Connection(credentials)
  return Array.from({ length: clients }, () => shared)
}

/** Throws where the answer is another one than `wanted`. */
export async function expectStatus(connection: Connection, wanted: number, ...args: Parameters<Connection['send']>): Promise<Answer> {
  const answer = await connection.send(...args)
  if (answer.status !== wanted) throw new Error(`${args[0]} ${args[1]}: ${answer.status} ${answer.text().slice(0, 300)}`)
  return answer
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
