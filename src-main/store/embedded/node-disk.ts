/** A directory of the machine's file system as a Disk. */
import { link, mkdir, open, readFile, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { hrtime, kill, pid, platform } from 'node:process'
import { StoreError } from '../store.ts'
import type { Disk, DiskFile } from './disk.ts'

const LOCK = 'lock'

class NodeFile implements DiskFile {
  readonly #handle: FileHandle
  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(length)
    let have = 0
    while (have < length) {
      const { bytesRead } = await this.#handle.read(bytes, have, length - have, offset + have)
      if (bytesRead === 0) break
      have += bytesRead
    }
    return bytes.subarray(0, have)
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    let done = 0
    while (done < bytes.length) done += (await this.#handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
  }

  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length)
  }
  async sync(): Promise<void> {
    await this.#handle.datasync()
  }
  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** Makes the directory when it is missing, for its owner alone. */
export async function nodeDisk(dir: string): Promise<Disk> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  return {
    async list() {
      return (await readdir(dir, { withFileTypes: true })).filter(entry => entry.isFile()).map(entry => entry.name)
    },
    async open(name, mode) {
      return new NodeFile(await open(join(dir, name), mode === 'create' ? 'w+' : 'r+', 0o600))
    },
    async rename(from, to) {
      await rename(join(dir, from), join(dir, to))
    },
    async remove(name) {
      await rm(join(dir, name), { force: true })
    },
    async syncDirectory() {
      // Windows cannot open a directory; there NTFS keeps names in its own journal.
      if (platform === 'win32') return
      const handle = await open(dir, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
    lock: () => lock(dir),
  }
}

/** Who holds a lock: a process id alone may have been given to another program since. */
interface Holder {
  readonly pid: number
  readonly boot: string
  readonly started: string
}

async function startOf(process: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${process}/stat`, 'utf8')
    // The command may hold spaces and brackets; fields are counted after its last bracket. The 20th there is the start time.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

async function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    text => text.trim(),
    () => '',
  )
}

function isRunning(process: number): boolean {
  try {
    kill(process, 0)
    return true
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function isHeld(holder: Holder): Promise<boolean> {
  if (holder.boot !== '' && holder.boot !== (await bootId())) return false
  if (!isRunning(holder.pid)) return false
  const started = await startOf(holder.pid)
  return holder.started === '' || started === '' || started === holder.started
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid: process, boot, started } = JSON.parse(text) as Partial<Holder>
    return typeof process === 'number' ? { pid: process, boot: boot ?? '', started: started ?? '' } : undefined
  } catch {
    return undefined
  }
}

/**
 * The lock appears under its name complete (by link), so nobody reads half of one. A stale one is moved aside by rename,
 * which only one process can do; what was moved is looked at again, in case somebody took the lock in between.
 */
async function lock(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, LOCK)
  const mine = JSON.stringify({ pid, boot: await bootId(), started: await startOf(pid) } satisfies Holder)
  const draft = join(dir, `${LOCK}.${pid}.${hrtime.bigint()}`)
  await writeFile(draft, mine, { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        await link(draft, path)
        return async () => {
          if ((await readFile(path, 'utf8').catch(() => '')) === mine) await unlink(path).catch(() => {})
        }
      } catch (fault) {
        if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault
      }
      await clearStale(dir, path)
    }
    throw new StoreError('locked', `${dir} is in use by another instance`)
  } finally {
    await rm(draft, { force: true })
  }
}

async function clearStale(dir: string, path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const holder = parseHolder(text)
  if (holder && (await isHeld(holder))) throw new StoreError('locked', `${dir} is in use by another instance (process ${holder.pid})`)
  const aside = `${path}.stale.${pid}`
  await rename(path, aside).catch(() => {})
  const moved = await readFile(aside, 'utf8').catch(() => undefined)
  if (moved !== undefined && moved !== text) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}
