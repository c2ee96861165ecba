/**
 * A Disk in memory that forgets what was not synced. `cutPower` gives the disk as it may look afterwards: every write
 * since the last sync of its file is kept, dropped, torn or zeroed as the seed says, and names that were not made
 * durable by syncDirectory are as they were. Faults can be switched on for writes and syncs.
 */
import type { Random } from '../../../src-main/base/env.ts'
import { StoreError } from '../../../src-main/store/store.ts'
import type { Disk, DiskFile } from '../../../src-main/store/embedded/disk.ts'

interface Write {
  readonly offset: number
  readonly bytes: Uint8Array
  readonly truncate: boolean
}
interface Inode {
  durable: Uint8Array
  current: Uint8Array
  unsynced: Write[]
}

export interface FaultyDisk extends Disk {
  /** Thrown by the next writes (`times`, default for ever) while set. */
  failWrites?: Error | undefined
  failSyncs?: Error | undefined
  /** Bytes that fit; a write beyond it is cut short and rejects with ENOSPC. */
  capacity: number
  /** Called before every sync, for cuts at each sync boundary. */
  onSync?: ((count: number) => void) | undefined
  /** The disk of the next life. */
  cutPower(random: Random): FaultyDisk
  /** Present content, for damage by hand. */
  bytesOf(name: string): Uint8Array
  setBytes(name: string, bytes: Uint8Array): void
}

export function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}
export function ioError(): Error {
  return Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
}

function applyWrite(content: Uint8Array, write: Write): Uint8Array {
  if (write.truncate) return write.offset <= content.length ? content.slice(0, write.offset) : grow(content, write.offset)
  const next = grow(content, Math.max(content.length, write.offset + write.bytes.length))
  next.set(write.bytes, write.offset)
  return next
}

function grow(content: Uint8Array, length: number): Uint8Array {
  const next = new Uint8Array(length)
  next.set(content)
  return next
}

/** What a power cut may leave of writes that were under way. */
function afterCut(inode: Inode, random: Random): Uint8Array {
  let content = inode.durable
  for (const write of inode.unsynced) {
    const fate = random.next()
    if (fate < 0.25) continue
    if (fate < 0.5 || write.truncate) content = applyWrite(content, write)
    else if (fate < 0.75) content = applyWrite(content, { ...write, bytes: write.bytes.slice(0, Math.floor(random.next() * write.bytes.length)) })
    else content = applyWrite(content, { ...write, bytes: zeroedSectors(write.bytes, random) })
  }
  return content
}

/** The length arrived, but not every sector. */
function zeroedSectors(bytes: Uint8Array, random: Random): Uint8Array {
  const damaged = bytes.slice()
  let any = false
  for (let at = 0; at < damaged.length; at += 64) {
    if (random.next() < 0.5 && (any || at + 64 < damaged.length)) continue
    damaged.fill(0, at, Math.min(damaged.length, at + 64))
    any = true
  }
  return damaged
}

export function faultyDisk(files: ReadonlyMap<string, Uint8Array> = new Map()): FaultyDisk {
  const names = new Map<string, Inode>()
  for (const [name, bytes] of files) names.set(name, { durable: bytes, current: bytes, unsynced: [] })
  let durableNames = new Map(names)
  let isLocked = false
  let syncs = 0
  const used = (): number => [...names.values()].reduce((sum, inode) => sum + inode.current.length, 0)

  const fileOf = (inode: Inode): DiskFile => ({
    size: async () => inode.current.length,
    read: async (offset, length) => inode.current.slice(offset, offset + length),
    async write(bytes, offset) {
      await Promise.resolve()
      if (disk.failWrites) throw disk.failWrites
      const room = Math.max(0, disk.capacity - used())
      const grows = Math.max(0, offset + bytes.length - inode.current.length)
      const fits = grows > room ? bytes.slice(0, Math.max(0, bytes.length - (grows - room))) : bytes.slice()
      const write = { offset, bytes: fits, truncate: false }
      inode.current = applyWrite(inode.current, write)
      inode.unsynced.push(write)
      if (fits.length < bytes.length) throw noSpace()
    },
    async truncate(length) {
      const write = { offset: length, bytes: new Uint8Array(), truncate: true }
      inode.current = applyWrite(inode.current, write)
      inode.unsynced.push(write)
    },
    async sync() {
      await Promise.resolve()
      disk.onSync?.(++syncs)
      if (disk.failSyncs) {
        // As Linux: pages that could not be written are clean afterwards; a later sync says nothing about them.
        inode.unsynced = []
        throw disk.failSyncs
      }
      inode.durable = inode.current
      inode.unsynced = []
    },
    close: async () => {},
  })

  const disk: FaultyDisk = {
    capacity: Number.POSITIVE_INFINITY,
    list: async () => [...names.keys()],
    async open(name, mode) {
      let inode = names.get(name)
      if (mode === 'open' && !inode) throw Object.assign(new Error(`ENOENT: ${name}`), { code: 'ENOENT' })
      if (mode === 'create' || !inode) names.set(name, (inode = { durable: new Uint8Array(), current: new Uint8Array(), unsynced: [] }))
      return fileOf(inode)
    },
    async rename(from, to) {
      const inode = names.get(from)
      if (!inode) throw new Error(`ENOENT: ${from}`)
      names.delete(from)
      names.set(to, inode)
    },
    async remove(name) {
      names.delete(name)
    },
    async syncDirectory() {
      if (disk.failSyncs) throw disk.failSyncs
      durableNames = new Map(names)
    },
    async lock() {
      if (isLocked) throw new StoreError('locked', 'in use by another instance')
      isLocked = true
      return async () => {
        isLocked = false
      }
    },
    cutPower(random) {
      // Names may have reached the disk although nobody waited for them.
      const surviving = random.next() < 0.5 ? durableNames : names
      return faultyDisk(new Map([...surviving].map(([name, inode]) => [name, afterCut(inode, random)])))
    },
    bytesOf(name) {
      const inode = names.get(name)
      if (!inode) throw new Error(`no file ${name}`)
      return inode.current
    },
    setBytes(name, bytes) {
      names.set(name, { durable: bytes, current: bytes, unsynced: [] })
    },
  }
  return disk
}
