/** SPDY/3.1 frames: what kubectl's exec, attach and port-forward need of it. Pure. */

export const frameTypes = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const
export const flagFin = 1

/** A frame is at most this long here: kubectl sends 32 KiB; the format's own limit is 16 MiB. */
const maxFrameBytes = 1 << 20

export type Frame =
  | { readonly kind: 'data'; readonly stream: number; readonly fin: boolean; readonly bytes: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer }

/** Feed bytes in any cut, get whole frames. Throws on a frame that is too long or of another version. */
export class FrameParser {
  #buffer: Buffer = Buffer.alloc(0)

  push(input: Buffer): Frame[] {
    this.#buffer = this.#buffer.length === 0 ? input : Buffer.concat([this.#buffer, input])
    const frames: Frame[] = []
    while (this.#buffer.length >= 8) {
      const first = this.#buffer.readUInt32BE(0)
      const flags = this.#buffer[4] ?? 0
      const length = this.#buffer.readUIntBE(5, 3)
      if (length > maxFrameBytes) throw new Error('SPDY frame too long')
      if (this.#buffer.length < 8 + length) break
      const payload = this.#buffer.subarray(8, 8 + length)
      this.#buffer = this.#buffer.subarray(8 + length)
      if (first >>> 31 === 0) frames.push({ kind: 'data', stream: first, fin: (flags & flagFin) !== 0, bytes: payload })
      else if (((first >>> 16) & 0x7fff) !== 3) throw new Error('SPDY version is not 3')
      else frames.push({ kind: 'control', type: first & 0xffff, flags, payload })
    }
    return frames
  }
}

export function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE((0x80030000 | type) >>> 0, 0)
  head[4] = flags
  head.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([head, payload])
}

export function dataFrame(stream: number, fin: boolean, bytes: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(stream, 0)
  head[4] = fin ? flagFin : 0
  head.writeUIntBE(bytes.length, 5, 3)
  return Buffer.concat([head, bytes])
}

/** Name/value block before compression. */
export function encodeHeaders(headers: ReadonlyMap<string, string>): Buffer {
  const parts: Buffer[] = [u32(headers.size)]
  for (const [name, value] of headers) {
    const key = Buffer.from(name.toLowerCase())
    const text = Buffer.from(value)
    parts.push(u32(key.length), key, u32(text.length), text)
  }
  return Buffer.concat(parts)
}

/** Several values of a name are separated by NUL in the block; the first is kept. Throws on a broken block. */
export function decodeHeaders(block: Buffer): Map<string, string> {
  const headers = new Map<string, string>()
  let at = 0
  const take = (count: number): Buffer => {
    if (at + count > block.length) throw new Error('SPDY header block is cut short')
    at += count
    return block.subarray(at - count, at)
  }
  const count = take(4).readUInt32BE(0)
  if (count > 256) throw new Error('too many SPDY headers')
  for (let i = 0; i < count; i++) {
    const name = take(take(4).readUInt32BE(0)).toString('utf8').toLowerCase()
    const value = take(take(4).readUInt32BE(0)).toString('utf8')
    headers.set(name, value.split('\0')[0] ?? '')
  }
  return headers
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
