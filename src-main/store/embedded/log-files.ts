/** The files of an open embedded store: appends to the newest log, starts new logs, writes snapshots. Knows nothing of revisions' meaning. */
import { noEncryption } from '../transform.ts'
import type { ValueTransform } from '../transform.ts'
import type { StoredEntry } from '../store.ts'
import type { Disk, DiskFile } from './disk.ts'
import { encodeFrame, headFrame, sealFrame } from './format.ts'
import type { DiskRecord } from './format.ts'
import { logName, sequencesOf, snapshotName } from './recovery.ts'

/** Pieces in which a snapshot is written, so that none holds the event loop for long. */
const SNAPSHOT_FRAME_BYTES = 512 * 1024

export type AppendFault = { readonly at: 'write' | 'sync'; readonly error: unknown }

export class LogFiles {
  readonly #disk: Disk
  readonly #transform: ValueTransform
  #log: DiskFile
  sequence: number
  /** Durable length of the newest log. */
  logBytes: number
  olderBytes: number
  snapshotBytes: number

  private constructor(disk: Disk, transform: ValueTransform, log: DiskFile, sequence: number, logBytes: number, olderBytes: number, snapshotBytes: number) {
    this.#disk = disk
    this.#transform = transform
    this.#log = log
    this.sequence = sequence
    this.logBytes = logBytes
    this.olderBytes = olderBytes
    this.snapshotBytes = snapshotBytes
  }

  /** Goes on with what recovery found; a torn end is cut off before anything follows it. */
  static async open(
    disk: Disk,
    transform: ValueTransform,
    found: { sequence: number; logBytes: number; olderBytes: number; snapshotBytes: number; droppedBytes: number },
    revision: number,
  ): Promise<LogFiles> {
    if (found.sequence === 0) {
      const { file, bytes } = await newLog(disk, 1, revision)
      return new LogFiles(disk, transform, file, 1, bytes, 0, 0)
    }
    const file = await disk.open(logName(found.sequence), 'open')
    if (found.droppedBytes > 0) {
      await file.truncate(found.logBytes)
      await file.sync()
    }
    return new LogFiles(disk, transform, file, found.sequence, found.logBytes, found.olderBytes, found.snapshotBytes)
  }

  /** Makes records durable as one frame. Rejects with an AppendFault. */
  async append(records: readonly DiskRecord[], clock: () => number): Promise<number> {
    const bytes = encodeFrame('entries', records[0]?.revision ?? 0, sealed(records, this.#transform))
    const began = clock()
    await this.#log.write(bytes, this.logBytes).catch((error: unknown) => {
      throw { at: 'write', error } satisfies AppendFault
    })
    await this.#log.sync().catch((error: unknown) => {
      throw { at: 'sync', error } satisfies AppendFault
    })
    this.logBytes += bytes.length
    return clock() - began
  }

  /** Takes back what a failed write left behind the durable end. Rejects when that fails too. */
  async cutBack(): Promise<void> {
    await this.#log.truncate(this.logBytes)
    await this.#log.sync()
  }

  /** Starts the next log; the old one stays until a snapshot covers it. */
  async startLog(revision: number): Promise<void> {
    const { file, bytes } = await newLog(this.#disk, this.sequence + 1, revision)
    const old = this.#log
    this.#log = file
    this.olderBytes += this.logBytes
    this.logBytes = bytes
    this.sequence++
    await old.close().catch(() => {})
  }

  /** Writes the state as of the start of log `sequence` and removes what it makes superfluous. */
  async writeSnapshot(sequence: number, revision: number, entries: readonly StoredEntry[]): Promise<void> {
    this.snapshotBytes = await writeSnapshotFile(this.#disk, this.#transform, sequence, revision, entries)
    await removeOlder(this.#disk, sequence)
    this.olderBytes = 0
  }

  /** After a failed sync nothing of the old log can be trusted: a snapshot of what was acknowledged and a new log take its place. */
  async rewrite(revision: number, entries: readonly StoredEntry[]): Promise<void> {
    const sequence = this.sequence + 1
    // The log first: a snapshot without its log would be refused, a log without its snapshot is only the old state plus nothing.
    const { file, bytes } = await newLog(this.#disk, sequence, revision)
    try {
      this.snapshotBytes = await writeSnapshotFile(this.#disk, this.#transform, sequence, revision, entries)
    } catch (fault) {
      await file.close().catch(() => {})
      await this.#disk.remove(logName(sequence)).catch(() => {})
      throw fault
    }
    const old = this.#log
    this.#log = file
    this.sequence = sequence
    this.logBytes = bytes
    this.olderBytes = 0
    await old.close().catch(() => {})
    await removeOlder(this.#disk, sequence)
  }

  /** Ends the log so that its end can be told from a torn one. */
  async close(revision: number, seal: boolean): Promise<void> {
    if (seal) {
      await this.#log.write(sealFrame(revision), this.logBytes)
      await this.#log.sync()
    }
    await this.#log.close()
  }
}

async function newLog(disk: Disk, sequence: number, revision: number): Promise<{ file: DiskFile; bytes: number }> {
  const file = await disk.open(logName(sequence), 'create')
  try {
    const head = headFrame(revision)
    await file.write(head, 0)
    await file.sync()
    await disk.syncDirectory()
    return { file, bytes: head.length }
  } catch (fault) {
    await file.close().catch(() => {})
    await disk.remove(logName(sequence)).catch(() => {})
    throw fault
  }
}

function sealed(records: readonly DiskRecord[], transform: ValueTransform): readonly DiskRecord[] {
  return transform === noEncryption ? records : records.map(record => ({ ...record, value: transform.seal(record.key, record.value) }))
}

async function writeSnapshotFile(disk: Disk, transform: ValueTransform, sequence: number, revision: number, entries: readonly StoredEntry[]): Promise<number> {
  const draft = `${snapshotName(sequence)}.new`
  const file = await disk.open(draft, 'create')
  let at = 0
  const write = async (bytes: Uint8Array): Promise<void> => {
    await file.write(bytes, at)
    at += bytes.length
  }
  try {
    await write(headFrame(revision))
    let waiting: DiskRecord[] = []
    let size = 0
    for (const entry of entries) {
      waiting.push({ type: 'put', revision: entry.revision, createRevision: entry.createRevision, key: entry.key, value: transform.seal(entry.key, entry.bytes) })
      size += entry.bytes.length
      if (size < SNAPSHOT_FRAME_BYTES) continue
      await write(encodeFrame('entries', revision, waiting))
      waiting = []
      size = 0
    }
    if (waiting.length > 0) await write(encodeFrame('entries', revision, waiting))
    await write(sealFrame(revision))
    await file.sync()
  } catch (fault) {
    await file.close().catch(() => {})
    await disk.remove(draft).catch(() => {})
    throw fault
  }
  await file.close()
  await disk.rename(draft, snapshotName(sequence))
  await disk.syncDirectory()
  return at
}

/** Superfluous files cost only space: a failure to remove them is tried again by the next snapshot. */
async function removeOlder(disk: Disk, sequence: number): Promise<void> {
  const names = await disk.list()
  const old = [
    ...sequencesOf(names, 'log')
      .filter(number => number < sequence)
      .map(logName),
    ...sequencesOf(names, 'snapshot')
      .filter(number => number < sequence)
      .map(snapshotName),
  ]
  for (const name of [...old, ...names.filter(each => each.endsWith('.new'))]) await disk.remove(name).catch(() => {})
}
