/** The in-memory, forgetful disk of the store's tests with time: writes and syncs take a moment, so that a process can die in between. */
import type { Env, Random } from '../../src-main/base/env.ts'
import type { Disk, DiskFile } from '../../src-main/store/embedded/disk.ts'

/** A sync of a laptop's drive; most are quick. */
const SYNC_MS = { least: 0.5, spread: 4, slow: 120, slowShare: 0.02 }

/** `disk` as one process sees it: once the process is dead nothing further reaches it. */
export function timedDisk(disk: Disk, env: Env, random: Random, isAlive: () => boolean): Disk {
  const gate = async (ms: number): Promise<void> => {
    await env.clock.sleep(ms)
    if (!isAlive()) await new Promise(() => {})
  }
  const timedFile = (file: DiskFile): DiskFile => ({
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    truncate: async length => {
      await gate(0.1)
      await file.truncate(length)
    },
    write: async (bytes, offset) => {
      await gate(0.1)
      await file.write(bytes, offset)
    },
    sync: async () => {
      await gate(random.next() < SYNC_MS.slowShare ? SYNC_MS.slow * random.next() : SYNC_MS.least + SYNC_MS.spread * random.next())
      await file.sync()
    },
    close: () => file.close(),
  })
  return {
    list: () => disk.list(),
    open: async (name, mode) => {
      await gate(0.1)
      return timedFile(await disk.open(name, mode))
    },
    rename: async (from, to) => {
      await gate(0.1)
      await disk.rename(from, to)
    },
    remove: async name => {
      await gate(0.1)
      await disk.remove(name)
    },
    syncDirectory: async () => {
      await gate(1)
      await disk.syncDirectory()
    },
    lock: () => disk.lock(),
  }
}
