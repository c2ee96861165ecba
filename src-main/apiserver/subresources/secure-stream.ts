/** TLS over a byte stream that leads to a service or a webhook. */
import { isIP } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'

export interface SecureOptions {
  /** The name that the certificate must be made out to. */
  readonly serverName: string
  /** Base64 of PEM; absent: the authorities that the machine trusts. */
  readonly caBundle?: string
  /** Any certificate will do. */
  readonly insecure?: boolean
  /** PEM; what we show. */
  readonly client?: { readonly certificate: string; readonly privateKey: string }
  readonly signal?: AbortSignal
}

/** Rejects with the fault of the handshake, and with the signal's reason when aborted. Later errors only end the stream. */
export function secureStream(stream: Duplex, options: SecureOptions): Promise<TLSSocket> {
  const { serverName, caBundle, signal, client } = options
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      socket: stream,
      host: serverName,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      ...(caBundle ? { ca: Buffer.from(caBundle, 'base64').toString('utf8') } : {}),
      ...(options.insecure ? { rejectUnauthorized: false } : {}),
      ...(client ? { cert: client.certificate, key: client.privateKey } : {}),
    })
    const fail = (fault: Error): void => {
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
      stream.destroy()
      reject(fault)
    }
    const onAbort = (): void => {
      fail(signal?.reason instanceof Error ? signal.reason : new Error('context canceled'))
    }
    const onClose = (): void => {
      fail(new Error('EOF'))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('error', fail)
    socket.once('close', onClose)
    socket.once('secureConnect', () => {
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', fail)
      socket.off('close', onClose)
      socket.on('error', () => {
        socket.destroy()
      })
      resolve(socket)
    })
    if (signal?.aborted) onAbort()
  })
}
