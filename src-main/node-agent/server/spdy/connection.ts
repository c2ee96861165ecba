/**
 * A SPDY/3.1 server connection over any byte stream: the client opens streams, each with its headers, and both sides send
 * and half-close. Windows are renewed on what we receive;
 * what we send is held back by the connection itself, as the one client there is (moby/spdystream) has no windows.
 */
import { Duplex } from 'node:stream'
import { createDeflate, createInflate, constants } from 'node:zlib'
import { headerDictionary } from './dictionary.ts'
import { FrameParser, controlFrame, dataFrame, decodeHeaders, encodeHeaders, flagFin, frameTypes, u32 } from './frames.ts'
import type { Frame } from './frames.ts'

const maxStreams = 1_000
const maxDataBytes = 32 * 1024
const maxHeaderBytes = 64 * 1024

export interface SpdyStream {
  readonly id: number
  readonly headers: ReadonlyMap<string, string>
  readonly duplex: Duplex
  reset(): void
}

interface OpenStream extends SpdyStream {
  remoteEnded: boolean
  localEnded: boolean
}

export class SpdyConnection {
  readonly #socket: Duplex
  readonly #streams = new Map<number, OpenStream>()
  readonly #onStream: (stream: SpdyStream) => void
  readonly #inflate = createInflate({ dictionary: headerDictionary })
  readonly #deflate = createDeflate({ dictionary: headerDictionary })
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(socket: Duplex, onStream: (stream: SpdyStream) => void, onClose: () => void) {
    this.#socket = socket
    this.#onStream = onStream
    const parser = new FrameParser()
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of parser.push(chunk))
          this.#work = this.#work
            .then(() => this.#onFrame(frame))
            .catch(() => {
              this.close()
            })
      } catch {
        this.close()
      }
    })
    const end = (): void => {
      if (this.#closed) return
      this.#closed = true
      for (const stream of this.#streams.values()) stream.duplex.destroy()
      this.#streams.clear()
      this.#inflate.close()
      this.#deflate.close()
      onClose()
    }
    socket.on('close', end)
    socket.on('end', end)
    socket.on('error', () => {
      socket.destroy()
    })
    // A broken header block ends the connection, as its compression state is lost.
    this.#inflate.on('error', () => {
      this.close()
    })
    this.#deflate.on('error', () => {
      this.close()
    })
  }

  /** Resolves once all that was written is on its way; says goodbye first. */
  close(): void {
    if (this.#closed) {
      this.#socket.destroy()
      return
    }
    this.#socket.write(controlFrame(frameTypes.goAway, 0, Buffer.concat([u32(0), u32(0)])))
    this.#socket.end()
  }

  async #onFrame(frame: Frame): Promise<void> {
    if (frame.kind === 'data') {
      this.#onData(frame.stream, frame.fin, frame.bytes)
      return
    }
    switch (frame.type) {
      case frameTypes.synStream:
        await this.#onSynStream(frame.flags, frame.payload)
        return
      case frameTypes.headers:
        await this.#inflateBlock(frame.payload.subarray(4))
        return
      case frameTypes.synReply:
        await this.#inflateBlock(frame.payload.subarray(4))
        return
      case frameTypes.rstStream: {
        this.#drop(frame.payload.readUInt32BE(0))
        return
      }
      case frameTypes.ping:
        this.#socket.write(controlFrame(frameTypes.ping, 0, frame.payload))
        return
      case frameTypes.goAway:
        return
      default:
        return
    }
  }

  async #onSynStream(flags: number, payload: Buffer): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff
    const headers = decodeHeaders(await this.#inflateBlock(payload.subarray(10)))
    if (this.#closed) return
    if (this.#streams.size >= maxStreams || this.#streams.has(id)) {
      this.#socket.write(controlFrame(frameTypes.rstStream, 0, Buffer.concat([u32(id), u32(3)])))
      return
    }
    const duplex = new Duplex({
      allowHalfOpen: true,
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(id, chunk, done)
      },
      final: done => {
        this.#endLocal(id)
        done()
      },
      destroy: (fault, done) => {
        done(fault)
      },
    })
    duplex.on('error', () => {})
    const stream: OpenStream = {
      id,
      headers,
      duplex,
      remoteEnded: false,
      localEnded: false,
      reset: () => {
        this.#socket.write(controlFrame(frameTypes.rstStream, 0, Buffer.concat([u32(id), u32(5)])))
        this.#drop(id)
      },
    }
    this.#streams.set(id, stream)
    const block = await this.#deflateBlock(encodeHeaders(new Map()))
    this.#socket.write(controlFrame(frameTypes.synReply, 0, Buffer.concat([u32(id), block])))
    if ((flags & flagFin) !== 0) {
      stream.remoteEnded = true
      duplex.push(null)
    }
    this.#onStream(stream)
  }

  #onData(id: number, fin: boolean, bytes: Buffer): void {
    const stream = this.#streams.get(id)
    if (!stream) return
    if (bytes.length > 0) {
      stream.duplex.push(bytes)
      this.#socket.write(controlFrame(frameTypes.windowUpdate, 0, Buffer.concat([u32(id), u32(bytes.length)])))
    }
    if (fin) {
      stream.remoteEnded = true
      stream.duplex.push(null)
      this.#forgetEnded(stream)
    }
  }

  #send(id: number, chunk: Buffer, done: (fault?: Error | null) => void): void {
    if (this.#closed || !this.#streams.has(id)) {
      done(new Error('stream is closed'))
      return
    }
    let more = true
    for (let at = 0; at < chunk.length; at += maxDataBytes) more = this.#socket.write(dataFrame(id, false, chunk.subarray(at, at + maxDataBytes)))
    // The socket's own backpressure is the only brake: the peer (moby/spdystream) reads without windows.
    if (more) done()
    else {
      const resume = (): void => {
        this.#socket.off('drain', resume)
        this.#socket.off('close', resume)
        done()
      }
      this.#socket.on('drain', resume)
      this.#socket.on('close', resume)
    }
  }

  #endLocal(id: number): void {
    const stream = this.#streams.get(id)
    if (!stream || stream.localEnded || this.#closed) return
    stream.localEnded = true
    this.#socket.write(dataFrame(id, true, Buffer.alloc(0)))
    this.#forgetEnded(stream)
  }

  #forgetEnded(stream: OpenStream): void {
    if (stream.remoteEnded && stream.localEnded) this.#streams.delete(stream.id)
  }

  #drop(id: number): void {
    const stream = this.#streams.get(id)
    this.#streams.delete(id)
    stream?.duplex.push(null)
    stream?.duplex.destroy()
  }

  /** All blocks of a connection share one compression state, so they are handled strictly one after the other. */
  #inflateBlock(block: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = []
      let size = 0
      const onData = (part: Buffer): void => {
        size += part.length
        if (size <= maxHeaderBytes) parts.push(part)
      }
      this.#inflate.on('data', onData)
      this.#inflate.write(block, fault => {
        // The last piece comes in the same turn as the callback.
        setImmediate(() => {
          this.#inflate.off('data', onData)
          if (fault || size > maxHeaderBytes) reject(fault ?? new Error('SPDY headers too long'))
          else resolve(Buffer.concat(parts))
        })
      })
    })
  }

  #deflateBlock(block: Buffer): Promise<Buffer> {
    return new Promise(resolve => {
      const parts: Buffer[] = []
      const onData = (part: Buffer): void => {
        parts.push(part)
      }
      this.#deflate.on('data', onData)
      this.#deflate.write(block)
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        setImmediate(() => {
          this.#deflate.off('data', onData)
          resolve(Buffer.concat(parts))
        })
      })
    })
  }
}
