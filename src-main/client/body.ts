/** Reading the bodies of answers: whole, or line by line. */
import { encodeJson } from '../api/json.ts'
import type { ApiBody } from '../api/request.ts'

/** All bytes of a body. Throws once there are more than `maxBytes`, so that a broken server cannot fill the memory. */
export async function bodyBytes(body: ApiBody, maxBytes: number): Promise<Uint8Array> {
  if (body.kind === 'none') return new Uint8Array()
  if (body.kind === 'object') return encodeJson(body.object)
  if (body.kind === 'events') throw new Error('a watch cannot be read as a whole')
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.chunks) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
    parts.push(chunk)
  }
  return join(parts, size)
}

/** One watch event has at most this many bytes: the largest object (3 MiB) with room for escapes. */
const maxLineBytes = 16 * 1024 * 1024

/** The lines of a body, without their line feed; empty ones are left out. */
export async function* linesOf(body: ApiBody): AsyncGenerator<Uint8Array> {
  if (body.kind !== 'stream' && body.kind !== 'bytes') return
  let pending: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = join([...pending, chunk.subarray(start, end)], size + end - start)
      pending = []
      size = 0
      start = end + 1
      if (line.length > 0) yield line
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start))
      size += chunk.length - start
    }
    if (size > maxLineBytes) throw new Error(`a line of the answer has more than ${maxLineBytes} bytes`)
  }
  if (size > 0) yield join(pending, size)
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const only = parts[0]
  if (parts.length === 1 && only) return only
  const all = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
