/** HTTP/2 with Node's client: all callers share one connection, as those of a client-go program do. */
import { connect, type ClientHttp2Session } from 'node:http2'
import type { Connection, Credentials } from './client.ts'

/** As client-go's: a list of 39 MB must not wait for windows of 64 kB. */
const WINDOW_BYTES = 4 * 1024 * 1024

export async function http2Connection(credentials: Credentials): Promise<Connection> {
  const session = await new Promise<ClientHttp2Session>((resolve, reject) => {
    const opened = connect(credentials.server, { ca: credentials.ca, cert: credentials.cert, key: credentials.key, settings: { initialWindowSize: WINDOW_BYTES } }, () => {
      opened.setLocalWindowSize(4 * WINDOW_BYTES)
      resolve(opened)
    })
    opened.once('error', reject)
  })
  return {
    send(method, path, body, contentType = 'application/json') {
      return new Promise((resolve, reject) => {
        const stream = session.request(
          {
            ':method': method,
            ':path': path,
            accept: 'application/json',
            'user-agent': 'bench/1',
            ...(body ? { 'content-type': contentType, 'content-length': body.length } : {}),
          },
          { endStream: body === undefined },
        )
        let status = 0
        let bytes = 0
        const chunks: Buffer[] = []
        stream.on('response', headers => {
          status = Number(headers[':status'])
        })
        stream.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          chunks.push(chunk)
        })
        stream.on('end', () => {
          resolve({ status, bytes, text: () => Buffer.concat(chunks).toString() })
        })
        stream.on('error', reject)
        if (body) stream.end(body)
      })
    },
    close() {
      session.destroy()
    },
  }
}
