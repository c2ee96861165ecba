/** A zip archive of a few files (APPNOTE 6.3): deflated by the browser, no more of the format than that needs. */
export interface ZipFile {
  name: string
  content: Blob
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

interface Entry {
  name: Uint8Array<ArrayBuffer>
  crc: number
  packed: Blob
  size: number
  at: number
}

/** Files of equal names are kept apart by a number. */
export async function zipOf(files: readonly ZipFile[], now: Date): Promise<Blob> {
  const stamp = [
    ((now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1)) >>> 0,
    (((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate()) >>> 0,
  ]
  const parts: BlobPart[] = []
  const entries: Entry[] = []
  const names = new Map<string, number>()
  let at = 0
  for (const file of files) {
    const times = names.get(file.name) ?? 0
    names.set(file.name, times + 1)
    const bytes = new Uint8Array(await file.content.arrayBuffer())
    const packed = await new Response(file.content.stream().pipeThrough(new CompressionStream('deflate-raw'))).blob()
    const entry = {
      name: new TextEncoder().encode(times === 0 ? file.name : file.name.replace(/(\.[^.]*)?$/, `-${times + 1}$1`)),
      crc: crc32(bytes),
      packed,
      size: bytes.length,
      at,
    }
    const head = header(0x04034b50, [[2, 20], ...common(entry, stamp)])
    parts.push(head, entry.name, packed)
    entries.push(entry)
    at += head.length + entry.name.length + packed.size
  }
  const start = at
  for (const entry of entries) {
    const head = header(0x02014b50, [[2, 20], [2, 20], ...common(entry, stamp), [2, 0], [2, 0], [2, 0], [4, 0], [4, entry.at]])
    parts.push(head, entry.name)
    at += head.length + entry.name.length
  }
  parts.push(
    header(0x06054b50, [
      [2, 0],
      [2, 0],
      [2, entries.length],
      [2, entries.length],
      [4, at - start],
      [4, start],
      [2, 0],
    ]),
  )
  return new Blob(parts, { type: 'application/zip' })
}

type Field = readonly [2 | 4, number]
/** Names are UTF-8 (bit 11), contents deflated (8). */
function common(entry: Entry, stamp: readonly number[]): Field[] {
  return [
    [2, 0x0800],
    [2, 8],
    [2, stamp[0] ?? 0],
    [2, stamp[1] ?? 0],
    [4, entry.crc],
    [4, entry.packed.size],
    [4, entry.size],
    [2, entry.name.length],
    [2, 0],
  ]
}

function header(signature: number, fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 + fields.reduce((sum, [width]) => sum + width, 0)))
  view.setUint32(0, signature, true)
  let at = 4
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += width
  }
  return new Uint8Array(view.buffer)
}
