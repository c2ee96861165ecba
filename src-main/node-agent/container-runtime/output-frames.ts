/** Splits Docker's multiplexed output (8-byte header: stream, 0, 0, 0, length) into chunks; a TTY's output is one raw stream. */
import type { Readable } from 'node:stream'
import type { OutputChunk } from './runtime.ts'

/** A part of a frame; `begins` with its first bytes. */
export interface FramePiece extends OutputChunk {
  readonly begins: boolean
}

/** Pure: feed bytes in any cut, get whole pieces; a frame is handed on as its bytes come, so memory stays flat. */
export class FrameSplitter {
  #header = Buffer.alloc(0)
  #left = 0
  #begins = false
  #stream: OutputChunk['stream'] = 'stdout'

  push(input: Buffer): FramePiece[] {
    const out: FramePiece[] = []
    let bytes = input
    while (bytes.length > 0) {
      if (this.#left > 0) {
        const part = bytes.subarray(0, this.#left)
        out.push({ stream: this.#stream, bytes: part, begins: this.#begins })
        this.#begins = false
        this.#left -= part.length
        bytes = bytes.subarray(part.length)
        continue
      }
      const missing = 8 - this.#header.length
      this.#header = Buffer.concat([this.#header, bytes.subarray(0, missing)])
      bytes = bytes.subarray(missing)
      if (this.#header.length === 8) {
        this.#stream = this.#header[0] === 2 ? 'stderr' : 'stdout'
        this.#left = this.#header.readUInt32BE(4)
        this.#begins = true
        this.#header = Buffer.alloc(0)
      }
    }
    return out
  }
}

export async function* outputChunks(source: Readable, raw: boolean): AsyncIterable<OutputChunk> {
  const splitter = new FrameSplitter()
  for await (const chunk of source) {
    const bytes = chunk as Buffer
    if (raw) yield { stream: 'stdout', bytes }
    else yield* splitter.push(bytes)
  }
}

/** A followed log whose entries begin with their times, and then what `rest` still finds; see log-replays.ts. */
export async function* followedLog(
  source: Readable,
  filter: { push(piece: FramePiece): OutputChunk | undefined },
  rest: () => Promise<Readable | undefined>,
): AsyncIterable<OutputChunk> {
  for (let next: Readable | undefined = source, isRest = false; next; next = isRest ? undefined : await rest(), isRest = true) {
    const splitter = new FrameSplitter()
    for await (const chunk of next) {
      for (const piece of splitter.push(chunk as Buffer)) {
        const told = filter.push(piece)
        if (told) yield told
      }
    }
  }
}
