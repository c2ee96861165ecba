/**
 * HTTP/1.1 over one kept TLS connection, one request at a time. Written out because Node's own client costs more
 * processor time than the servers that are measured with it; it reads just what API servers answer: a length, chunks,
 * or neither body nor length.
 */
import { connect, type TLSSocket } from 'node:tls'
import type { Answer, Connection, Credentials } from './client.ts'

const endOfHead = Buffer.from('\r\n\r\n')
const endOfLine = Buffer.from('\r\n')

interface Head {
  readonly status: number
  /** Undefined: the body comes in chunks. */
  readonly length: number | undefined
}

function readHead(bytes: Buffer): Head {
  const text = bytes.toString('latin1').toLowerCase()
  const length = /\r\ncontent-length: *(\d+)/.exec(text)?.[1]
  return { status: Number(text.slice(9, 12)), length: length === undefined && text.includes('\r\ntransfer-encoding: chunked') ? undefined : Number(length ?? 0) }
}

/** Takes the bytes of one answer as they come. */
class AnswerReader {
  #head: Head | undefined
  #rest: Buffer = Buffer.alloc(0)
  /** Of the present chunk, or of the whole body. */
  #missing = -1
  #bytes = 0
  readonly #body: Buffer[] = []
  readonly #onBody: ((bytes: Buffer) => void) | undefined

  constructor(onBody?: (bytes: Buffer) => void) {
    this.#onBody = onBody
  }

  get status(): number | undefined {
    return this.#head?.status
  }

  /** The answer once it is whole. */
  take(bytes: Buffer): Answer | undefined {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    if (!this.#head) {
      const end = this.#rest.indexOf(endOfHead)
      if (end < 0) return undefined
      this.#head = readHead(this.#rest.subarray(0, end + 2))
      this.#rest = this.#rest.subarray(end + 4)
      this.#missing = this.#head.length ?? -1
    }
    return (this.#head.length === undefined ? this.#takeChunks() : this.#takeBody()) ? this.#answer(this.#head.status) : undefined
  }

  #answer(status: number): Answer {
    return { status, bytes: this.#bytes, text: () => Buffer.concat(this.#body).toString() }
  }

  #keep(count: number): void {
    const part = this.#rest.subarray(0, count)
    this.#rest = this.#rest.subarray(count)
    this.#bytes += part.length
    this.#missing -= part.length
    if (this.#onBody) this.#onBody(part)
    else this.#body.push(part)
  }

  #takeBody(): boolean {
    this.#keep(Math.min(this.#missing, this.#rest.length))
    return this.#missing === 0
  }

  /** True after the last chunk. */
  #takeChunks(): boolean {
    for (;;) {
      if (this.#missing > 0) this.#keep(Math.min(this.#missing, this.#rest.length))
      if (this.#missing > 0) return false
      if (this.#missing === 0) {
        if (this.#rest.length < 2) return false
        this.#rest = this.#rest.subarray(2)
        this.#missing = -1
      }
      const end = this.#rest.indexOf(endOfLine)
      if (end < 0) return false
      const size = Number.parseInt(this.#rest.toString('latin1', 0, end), 16)
      if (size === 0) return this.#rest.length >= end + 4
      this.#rest = this.#rest.subarray(end + 2)
      this.#missing = size
    }
  }
}

function open(credentials: Credentials): Promise<TLSSocket> {
  const { hostname, port } = new URL(credentials.server)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca: credentials.ca, cert: credentials.cert, key: credentials.key, ALPNProtocols: ['http/1.1'] }, () => {
      socket.off('error', reject)
      socket.setNoDelay(true)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

function headOf(credentials: Credentials, method: string, path: string, contentType: string, length: number | undefined): string {
  const body = length === undefined ? '' : `content-type: ${contentType}\r\ncontent-length: ${length}\r\n`
  return `${method} ${path} HTTP/1.1\r\nhost: ${new URL(credentials.server).host}\r\naccept: application/json\r\nuser-agent: bench/1\r\n${body}\r\n`
}

export async function http1Connection(credentials: Credentials): Promise<Connection> {
  const socket = await open(credentials)
  let reader: AnswerReader | undefined
  let settle: { resolve: (answer: Answer) => void; reject: (fault: Error) => void } | undefined
  const fail = (fault: Error): void => {
    settle?.reject(fault)
    settle = undefined
  }
  socket.on('data', (bytes: Buffer) => {
    const answer = reader?.take(bytes)
    if (!answer) return
    reader = undefined
    const { resolve } = settle ?? {}
    settle = undefined
    resolve?.(answer)
  })
  socket.on('error', fail)
  socket.on('close', () => {
    fail(new Error('the server closed the connection'))
  })
  return {
    send(method, path, body, contentType = 'application/json') {
      return new Promise((resolve, reject) => {
        reader = new AnswerReader()
        settle = { resolve, reject }
        const head = headOf(credentials, method, path, contentType, body?.length)
        socket.write(body ? Buffer.concat([Buffer.from(head), body]) : head)
      })
    },
    close() {
      socket.destroy()
    },
  }
}

/** Begins a watch; resolves when its head has come. `onBytes` gets the bytes of its events as they arrive. */
export async function http1Watch(credentials: Credentials, path: string, onBytes: (bytes: Buffer) => void): Promise<() => void> {
  const socket = await open(credentials)
  const reader = new AnswerReader(onBytes)
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (bytes: Buffer) => {
      reader.take(bytes)
      if (reader.status === 200) resolve()
      else if (reader.status !== undefined) reject(new Error(`watch of ${path}: ${reader.status}`))
    })
    socket.write(headOf(credentials, 'GET', path, '', undefined))
  })
  return () => {
    socket.destroy()
  }
}
