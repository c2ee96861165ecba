/**
 * Bytes of the log and of snapshots. Both are sequences of frames; a frame is what one sync made durable (log) or a
 * piece of the state (snapshot), so a frame is whole or it never was:
 *
 *   magic 8 · kind u32 · payload length u32 · payload crc32 u32 · first revision u64 · entries u32 · header crc32 u32 · payload
 *
 * The magic holds bytes that no UTF-8 text has, so no object's JSON can imitate a frame. An entry of a payload is:
 *
 *   type u8 · revision u64 · create revision u64 · key length u32 · value length u32 · key · value
 */
import { crc32 } from 'node:zlib'

export const FORMAT_VERSION = 1
export const HEADER_BYTES = 40
const ENTRY_HEADER_BYTES = 25

const magic = Buffer.from([0xff, 0x51, 0x44, 0x4b, 0xfe, 0x0d, 0x0a, 0x1a])

/** 'head' begins every file and carries the format version; 'seal' ends a file that was closed cleanly. */
export type FrameKind = 'head' | 'entries' | 'seal'
const kinds: readonly FrameKind[] = ['head', 'entries', 'seal']

export interface DiskRecord {
  readonly type: 'put' | 'delete'
  readonly revision: number
  readonly createRevision: number
  readonly key: string
  /** JSON of the object; of a deletion too, because watchers are told the last state. */
  readonly value: Uint8Array
}

export interface Frame {
  readonly kind: FrameKind
  readonly firstRevision: number
  readonly entries: number
  readonly payload: Uint8Array
}

/** One frame as bytes. */
export function encodeFrame(kind: FrameKind, firstRevision: number, records: readonly DiskRecord[], extra?: Uint8Array): Uint8Array {
  const keys = records.map(record => Buffer.from(record.key, 'utf8'))
  const size = extra ? extra.length : records.reduce((sum, record, i) => sum + ENTRY_HEADER_BYTES + (keys[i]?.length ?? 0) + record.value.length, 0)
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + size)
  let at = HEADER_BYTES
  if (extra) bytes.set(extra, at)
  records.forEach((record, i) => {
    const key = keys[i] ?? Buffer.alloc(0)
    bytes.writeUInt8(record.type === 'put' ? 1 : 2, at)
    bytes.writeBigUInt64LE(BigInt(record.revision), at + 1)
    bytes.writeBigUInt64LE(BigInt(record.createRevision), at + 9)
    bytes.writeUInt32LE(key.length, at + 17)
    bytes.writeUInt32LE(record.value.length, at + 21)
    bytes.set(key, at + ENTRY_HEADER_BYTES)
    bytes.set(record.value, at + ENTRY_HEADER_BYTES + key.length)
    at += ENTRY_HEADER_BYTES + key.length + record.value.length
  })
  bytes.set(magic, 0)
  bytes.writeUInt32LE(kinds.indexOf(kind), 8)
  bytes.writeUInt32LE(size, 12)
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 16)
  bytes.writeBigUInt64LE(BigInt(firstRevision), 20)
  bytes.writeUInt32LE(records.length, 28)
  bytes.writeUInt32LE(0, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 36)), 36)
  return bytes
}

export interface Header {
  readonly kind: FrameKind
  readonly length: number
  readonly crc: number
  readonly firstRevision: number
  readonly entries: number
}

/** The header at `at`; undefined when there is none that is whole. */
export function readHeader(bytes: Buffer, at: number): Header | undefined {
  if (at + HEADER_BYTES > bytes.length || !magic.equals(bytes.subarray(at, at + 8))) return undefined
  if (crc32(bytes.subarray(at, at + 36)) !== bytes.readUInt32LE(at + 36)) return undefined
  const kind = kinds[bytes.readUInt32LE(at + 8)]
  if (!kind) return undefined
  return {
    kind,
    length: bytes.readUInt32LE(at + 12),
    crc: bytes.readUInt32LE(at + 16),
    firstRevision: Number(bytes.readBigUInt64LE(at + 20)),
    entries: bytes.readUInt32LE(at + 28),
  }
}

/** The whole frame at `at` and where the next one begins; undefined when it is torn or damaged. */
export function readFrame(bytes: Buffer, at: number): { frame: Frame; next: number } | undefined {
  const header = readHeader(bytes, at)
  if (!header) return undefined
  const end = at + HEADER_BYTES + header.length
  if (end > bytes.length) return undefined
  const payload = bytes.subarray(at + HEADER_BYTES, end)
  if (crc32(payload) !== header.crc) return undefined
  return { frame: { kind: header.kind, firstRevision: header.firstRevision, entries: header.entries, payload }, next: end }
}

/** Whether a whole frame begins anywhere after `from`. */
export function hasFrameAfter(bytes: Buffer, from: number): boolean {
  for (let at = bytes.indexOf(magic, from); at >= 0; at = bytes.indexOf(magic, at + 1)) if (readFrame(bytes, at)) return true
  return false
}

/**
 * True when the frame at `at` differs from a whole one by one bit: then it was written whole and damaged later. A torn
 * write does not look so. CRC-32 is linear, so one pass over the bits finds the place.
 */
export function isOneBitOff(bytes: Buffer, at: number): boolean {
  const headerEnd = at + HEADER_BYTES
  if (headerEnd > bytes.length) return false
  const header = readHeader(bytes, at)
  if (!header) return differsByOneBit(bytes.subarray(at, at + 36), bytes.readUInt32LE(at + 36)) || magicDistance(bytes, at) === 1
  const end = headerEnd + header.length
  return end <= bytes.length && differsByOneBit(bytes.subarray(headerEnd, end), header.crc)
}

function magicDistance(bytes: Buffer, at: number): number {
  let distance = 0
  for (let i = 0; i < magic.length; i++) {
    let difference = (bytes[at + i] ?? 0) ^ (magic[i] ?? 0)
    for (; difference !== 0; difference &= difference - 1) distance++
  }
  return distance
}

function differsByOneBit(bytes: Uint8Array, stored: number): boolean {
  const syndrome = (crc32(bytes) ^ stored) >>> 0
  // One bit of the stored sum itself.
  if (syndrome !== 0 && (syndrome & (syndrome - 1)) === 0) return true
  // The sum of a message whose only set bit is its last, then the one before, and so on.
  let effect = 0xedb88320
  for (let i = bytes.length * 8 - 1; i >= 0; i--) {
    if (effect === syndrome) return true
    effect = (effect & 1) !== 0 ? ((effect >>> 1) ^ 0xedb88320) >>> 0 : effect >>> 1
  }
  return false
}

/** Revisions stay below 2^53; without a bigint on the way this is several times faster. */
function readUInt64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

/** Entries of a payload. Throws RangeError when its inner lengths do not fit, which a checked frame never has. */
export function readRecords(frame: Frame): DiskRecord[] {
  const bytes = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
  const records: DiskRecord[] = []
  let at = 0
  for (let i = 0; i < frame.entries; i++) {
    const keyLength = bytes.readUInt32LE(at + 17)
    const valueLength = bytes.readUInt32LE(at + 21)
    const key = bytes.toString('utf8', at + ENTRY_HEADER_BYTES, at + ENTRY_HEADER_BYTES + keyLength)
    const valueStart = at + ENTRY_HEADER_BYTES + keyLength
    if (valueStart + valueLength > bytes.length) throw new RangeError('an entry is longer than its frame')
    records.push({
      type: bytes.readUInt8(at) === 1 ? 'put' : 'delete',
      revision: readUInt64(bytes, at + 1),
      createRevision: readUInt64(bytes, at + 9),
      key,
      value: bytes.subarray(valueStart, valueStart + valueLength),
    })
    at = valueStart + valueLength
  }
  return records
}

/** First frame of every file. */
export function headFrame(revision: number): Uint8Array {
  return encodeFrame('head', revision, [], Buffer.from(JSON.stringify({ format: FORMAT_VERSION })))
}

/** Format version of a head frame; undefined when it is no head. */
export function formatOf(frame: Frame): number | undefined {
  if (frame.kind !== 'head') return undefined
  const { format } = JSON.parse(Buffer.from(frame.payload).toString('utf8')) as { format?: unknown }
  return typeof format === 'number' ? format : undefined
}

export function sealFrame(revision: number): Uint8Array {
  return encodeFrame('seal', revision, [])
}
