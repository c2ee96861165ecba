/** Keeps a request's seats until a large answer is written: sending it is most of its work. */
import type { ApiRequest, ApiResponse } from '../../api/request.ts'
import type { Clock } from '../../base/env.ts'
import type { Ticket } from './flow-control.ts'

/** Smaller answers leave with one write. */
const LARGE_BYTES = 256 * 1024

/** A reader that stalls keeps its connection, and no seat that others wait for. */
const MAX_HELD_MS = 60_000

/** The response with the ticket's headers; the seats are given back now, or when the body is written, nobody wants it any more or a minute has passed. */
export function holdUntilSent(ticket: Ticket, request: ApiRequest, response: ApiResponse, isWatch: boolean, clock: Clock): ApiResponse {
  const headers = { ...response.headers, ...ticket.headers }
  const { body } = response
  const isLarge = (body.kind === 'stream' && !isWatch) || (body.kind === 'bytes' && sizeOf(body.chunks) >= LARGE_BYTES)
  if (!isLarge) {
    ticket.release()
    return { ...response, headers }
  }
  let isHeld = true
  const release = (): void => {
    if (!isHeld) return
    isHeld = false
    cancel()
    request.signal?.removeEventListener('abort', release)
    ticket.release()
  }
  const cancel = clock.after(MAX_HELD_MS, release)
  // A body that is never read has no end of its own.
  request.signal?.addEventListener('abort', release, { once: true })
  const length = body.kind === 'stream' ? body.length : sizeOf(body.chunks)
  return { ...response, headers, body: { kind: 'stream', chunks: until(body.chunks, release), ...(length === undefined ? {} : { length }) } }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}

async function* until(chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[], release: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } finally {
    release()
  }
}
