/** An HTTPS server on loopback with a certificate of its own authority, for tests of webhooks and aggregated API servers. */
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAuthority, issueLeaf } from '../../src-main/control-plane/pki/x509.ts'

export interface HttpsServer {
  readonly port: number
  /** Base64 of PEM, as configurations carry it. */
  readonly caBundle: string
  stop(): Promise<void>
}

export interface HttpsServerOptions {
  readonly dnsNames: readonly string[]
  /** PEM: clients must show a certificate of this authority. */
  readonly clientAuthority?: string
  readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void
}

/** `answer` gets the body as text. */
export async function startHttpsServer(answer: (request: IncomingMessage, body: string, response: ServerResponse) => void, options: HttpsServerOptions): Promise<HttpsServer> {
  const now = Date.now()
  const authority = await createAuthority('webhook-ca', now - 60_000, now + 3_600_000)
  const leaf = await issueLeaf(authority, {
    commonName: 'webhook',
    dnsNames: [...options.dnsNames],
    ipAddresses: ['127.0.0.1'],
    usages: ['serverAuth'],
    notBeforeMs: now - 60_000,
    notAfterMs: now + 3_600_000,
  })
  const server = createServer({
    cert: leaf.certificate,
    key: leaf.privateKey,
    ...(options.clientAuthority ? { ca: options.clientAuthority, requestCert: true, rejectUnauthorized: true } : {}),
  })
  const sockets = new Set<Duplex>()
  server.on('secureConnection', socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk as Buffer))
    request.on('end', () => {
      answer(request, Buffer.concat(chunks).toString(), response)
    })
  })
  if (options.upgrade) server.on('upgrade', options.upgrade)
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
    stop: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy()
        server.close(() => {
          resolve()
        })
      }),
  }
}
