/** The client of the benchmarks: keep-alive HTTP/1.1 over TLS with the admin's certificate, one connection a worker. */
import { Agent, request } from 'node:https'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface BenchClient {
  send(method: string, path: string, body?: unknown, contentType?: string): Promise<{ status: number; bytes: number; text: () => string }>
  /** Reads a watch until `until` says stop; calls back with each event's text as it arrives. */
  watch(path: string, onLine: (line: string) => void): Promise<() => void>
  close(): void
}

export interface Credentials {
  server: string
  ca: Buffer
  cert: Buffer
  key: Buffer
}

export function readKubeconfig(file: string): Credentials {
  const config = parse(readFileSync(file, 'utf8')) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] }
  const cluster = config.clusters[0]?.cluster ?? {}
  const user = config.users[0]?.user ?? {}
  const decode = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64')
  return { server: cluster['server'] ?? '', ca: decode(cluster['certificate-authority-data']), cert: decode(user['client-certificate-data']), key: decode(user['client-key-data']) }
}

export function benchClient(credentials: Credentials, sockets: number): BenchClient {
  const agent = new Agent({ keepAlive: true, maxSockets: sockets, ca: credentials.ca, cert: credentials.cert, key: credentials.key })
  const { hostname, port } = new URL(credentials.server)
  const base = { hostname, port, agent }
  return {
    send(method, path, body, contentType = 'application/json') {
      const payload = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
      return new Promise((resolve, reject) => {
        const headers = { accept: 'application/json', ...(payload ? { 'content-type': contentType, 'content-length': payload.length } : {}) }
        const outgoing = request({ ...base, method, path, headers }, answer => {
          const chunks: Buffer[] = []
          let bytes = 0
          answer.on('data', (chunk: Buffer) => {
            chunks.push(chunk)
            bytes += chunk.length
          })
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, bytes, text: () => Buffer.concat(chunks).toString() })
          })
          answer.on('error', reject)
        })
        outgoing.on('error', reject)
        outgoing.end(payload)
      })
    },
    watch(path, onLine) {
      return new Promise((resolve, reject) => {
        const outgoing = request(
          { ...base, agent: new Agent({ ca: credentials.ca, cert: credentials.cert, key: credentials.key }), method: 'GET', path, headers: { accept: 'application/json' } },
          answer => {
            let rest = ''
            answer.setEncoding('utf8')
            answer.on('data', (chunk: string) => {
              const lines = (rest + chunk).split('\n')
              rest = lines.pop() ?? ''
              for (const line of lines) onLine(line)
            })
            answer.on('error', () => undefined)
            resolve(() => {
              outgoing.destroy()
            })
          },
        )
        outgoing.on('error', reject)
        outgoing.end()
      })
    },
    close() {
      agent.destroy()
    },
  }
}
