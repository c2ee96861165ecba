/**
 * Reads the state back from a directory. Files: `snapshot-N` holds the state before the first frame of `log-N`; logs
 * follow one another by number. What is older than the newest snapshot is left over and ignored.
 *
 * A torn, zero-filled or doubled end of the newest log is what a power cut leaves, and is dropped: none of it was
 * acknowledged. Damage anywhere else, or an end that was whole once (one bit off, or followed by whole frames), means that
 * acknowledged data is lost: the store refuses to open rather than serve less than it promised.
 */
import { StoreError } from '../store.ts'
import { DiskEntry } from '../entry.ts'
import { noEncryption } from '../transform.ts'
import type { ValueTransform } from '../transform.ts'
import { KeyIndex } from '../memory/key-index.ts'
import type { Disk } from './disk.ts'
import { FORMAT_VERSION, formatOf, hasFrameAfter, isOneBitOff, readFrame, readRecords } from './format.ts'
import type { DiskRecord } from './format.ts'

export interface Recovered {
  readonly index: KeyIndex
  /** Number of the newest log; 0 in an empty directory. */
  readonly sequence: number
  /** Length of the newest log up to its last whole frame. */
  readonly logBytes: number
  readonly olderBytes: number
  readonly snapshotBytes: number
  /** Bytes dropped from the end of the newest log. */
  readonly droppedBytes: number
  /** Something on disk would be written otherwise now: plain, or under an old key. */
  readonly isStale: boolean
}

export const logName = (sequence: number): string => `log-${String(sequence).padStart(10, '0')}`
export const snapshotName = (sequence: number): string => `snapshot-${String(sequence).padStart(10, '0')}`

/** Numbers of the files of one sort, ascending. */
export function sequencesOf(names: readonly string[], sort: 'log' | 'snapshot'): number[] {
  const pattern = new RegExp(`^${sort}-([0-9]{10})$`)
  return names
    .map(name => pattern.exec(name)?.[1])
    .filter(text => text !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

async function readAll(disk: Disk, name: string): Promise<Buffer> {
  const file = await disk.open(name, 'open')
  try {
    const bytes = await file.read(0, await file.size())
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  } finally {
    await file.close()
  }
}

function corrupt(name: string, at: number, why: string): StoreError {
  return new StoreError('corrupt', `${name} is damaged at byte ${at}: ${why}. Nothing was changed; restore the directory from a copy.`)
}

/** Objects share pieces of memory of this size: one a piece would cost an allocation each, a view of the file would keep all of it. */
const SLAB_BYTES = 64 * 1024
let slab = Buffer.alloc(0)
let slabUsed = 0

function copyOf(value: Uint8Array): Uint8Array {
  if (value.length > SLAB_BYTES / 4) return new Uint8Array(value)
  if (slabUsed + value.length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabUsed = 0
  }
  const copy = slab.subarray(slabUsed, slabUsed + value.length)
  copy.set(value)
  slabUsed += value.length
  return copy
}

/** Makes entries of what is read, and notes what is to be written anew. */
class Opener {
  readonly #transform: ValueTransform
  isStale = false
  constructor(transform: ValueTransform) {
    this.#transform = transform
  }

  entryOf(record: DiskRecord): DiskEntry {
    const { value, isStale } = this.#transform.open(record.key, record.value)
    if (isStale) this.isStale = true
    return new DiskEntry(record.key, record.revision, record.createRevision, copyOf(value))
  }
}

/** Checks the first frame of a file; undefined when there is none. */
function checkHead(name: string, bytes: Buffer): { next: number; revision: number } | undefined {
  const first = readFrame(bytes, 0)
  if (!first || first.frame.kind !== 'head') return undefined
  const format = formatOf(first.frame)
  if (format === undefined) throw corrupt(name, 0, 'no format version')
  if (format > FORMAT_VERSION) throw new StoreError('newer-format', `${name} has format ${format}; this program reads up to ${FORMAT_VERSION}`)
  return { next: first.next, revision: first.frame.firstRevision }
}

export async function recover(disk: Disk, transform: ValueTransform = noEncryption): Promise<Recovered> {
  const opener = new Opener(transform)
  const names = await disk.list()
  const snapshot = sequencesOf(names, 'snapshot').at(-1)
  const { index, bytes: snapshotBytes } = snapshot === undefined ? { index: new KeyIndex(1, 1), bytes: 0 } : await readSnapshot(disk, snapshotName(snapshot), opener)
  const logs: { sequence: number; name: string; bytes: Buffer; head: { next: number; revision: number } }[] = []
  for (const sequence of sequencesOf(names, 'log').filter(number => number >= (snapshot ?? 0))) {
    const name = logName(sequence)
    const bytes = await readAll(disk, name)
    const head = checkHead(name, bytes)
    // A log without a head was never written to: it was being made when the power went.
    if (head) logs.push({ sequence, name, bytes, head })
    else if (hasFrameAfter(bytes, 0) || isOneBitOff(bytes, 0)) throw corrupt(name, 0, 'its head does not match its checksum')
  }
  if (snapshot !== undefined && logs[0]?.sequence !== snapshot) throw corrupt(logName(snapshot), 0, 'it is missing')
  if (snapshot === undefined && logs.length > 0 && logs[0]?.sequence !== 1) throw corrupt(snapshotName(logs[0]?.sequence ?? 0), 0, 'it is missing')
  let logBytes = 0
  let droppedBytes = 0
  let olderBytes = 0
  logs.forEach((log, i) => {
    const isLast = i === logs.length - 1
    const end = replay(index, log, isLast, opener)
    index.revision = Math.max(index.revision, log.head.revision)
    if (isLast) {
      logBytes = end
      droppedBytes = log.bytes.length - end
    } else olderBytes += log.bytes.length
  })
  return { index, sequence: logs.at(-1)?.sequence ?? 0, logBytes, olderBytes, snapshotBytes, droppedBytes, isStale: opener.isStale }
}

async function readSnapshot(disk: Disk, name: string, opener: Opener): Promise<{ index: KeyIndex; bytes: number }> {
  const bytes = await readAll(disk, name)
  const head = checkHead(name, bytes)
  if (!head) throw corrupt(name, 0, 'its head does not match its checksum')
  const index = new KeyIndex(head.revision, head.revision)
  for (let at = head.next; ;) {
    const read = readFrame(bytes, at)
    if (!read) throw corrupt(name, at, 'a frame does not match its checksum')
    if (read.frame.kind === 'seal') {
      if (read.next !== bytes.length) throw corrupt(name, read.next, 'more follows after its end')
      return { index, bytes: bytes.length }
    }
    for (const record of readRecords(read.frame)) index.apply({ type: 'put', entry: opener.entryOf(record) }, false)
    at = read.next
  }
}

/** Applies the frames of a log; resolves with the end of the last whole one. */
function replay(index: KeyIndex, { name, bytes, head }: { name: string; bytes: Buffer; head: { next: number } }, isLast: boolean, opener: Opener): number {
  let at = head.next
  let sealed = false
  while (at < bytes.length) {
    const read = readFrame(bytes, at)
    if (!read) {
      checkTornEnd(name, bytes, at, isLast, sealed)
      return at
    }
    sealed = read.frame.kind === 'seal'
    if (read.frame.kind === 'entries') {
      if (read.frame.firstRevision <= index.revision) return checkDoubledEnd(index, name, bytes, at)
      for (const record of readRecords(read.frame)) applyRecord(index, record, opener)
    }
    at = read.next
  }
  return at
}

function applyRecord(index: KeyIndex, record: DiskRecord, opener: Opener): void {
  const previous = index.get(record.key)
  const entry = opener.entryOf(record)
  if (record.type === 'put') index.apply(previous ? { type: 'put', entry, previous } : { type: 'put', entry })
  else if (previous) index.apply({ type: 'delete', entry, previous })
  else index.revision = Math.max(index.revision, record.revision)
}

function checkTornEnd(name: string, bytes: Buffer, at: number, isLast: boolean, sealed: boolean): void {
  if (!isLast) throw corrupt(name, at, 'a frame in the middle of the history does not match its checksum')
  if (hasFrameAfter(bytes, at + 1)) throw corrupt(name, at, 'a frame does not match its checksum, and whole frames follow it')
  const restIsZero = bytes.subarray(at).every(byte => byte === 0)
  if (sealed && !restIsZero) throw corrupt(name, at, 'something follows after it was closed cleanly')
  if (isOneBitOff(bytes, at)) throw corrupt(name, at, 'one bit of its last frame changed after it was written')
}

/** Frames that repeat older ones may only stand at the end. */
function checkDoubledEnd(index: KeyIndex, name: string, bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length;) {
    const read = readFrame(bytes, at)
    if (!read) break
    if (read.frame.kind === 'entries' && read.frame.firstRevision > index.revision) throw corrupt(name, from, 'its frames are out of order')
    at = read.next
  }
  return from
}
