/**
 * Files of a volume that change together: a new directory `..<time>` with the whole content, then the link `..data` is
 * renamed over the old one, so that a reader sees all old or all new files (Kubernetes' AtomicWriter layout).
 */
import { chmod, chown, lstat, mkdir, readFile, readdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface VolumeFile {
  readonly bytes: Uint8Array
  readonly mode: number
}

/** Relative path → file. */
export type Payload = ReadonlyMap<string, VolumeFile>

/** True where the content changed. `stamp` names the new directory. */
export async function writePayload(directory: string, payload: Payload, stamp: string, fsGroup: number | undefined): Promise<boolean> {
  for (const path of payload.keys()) checkRelative(path)
  const current = await readlink(join(directory, '..data')).catch(() => undefined)
  if (current !== undefined && (await equals(join(directory, current), payload, fsGroup))) return false
  const fresh = `..${stamp}`
  await mkdir(join(directory, fresh), { recursive: true, mode: 0o755 })
  for (const [path, file] of payload) await writeOne(join(directory, fresh), path, file, fsGroup)
  if (fsGroup !== undefined) await chown(join(directory, fresh), 0, fsGroup)
  await rm(join(directory, '..data_tmp'), { force: true })
  await symlink(fresh, join(directory, '..data_tmp'))
  await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  const tops = new Set([...payload.keys()].map(path => path.split('/')[0] ?? ''))
  for (const top of tops) {
    const link = join(directory, top)
    const present = await lstat(link).catch(() => undefined)
    if (!present) await symlink(join('..data', top), link)
  }
  for (const name of await readdir(directory)) if (!name.startsWith('..') && !tops.has(name)) await rm(join(directory, name), { force: true })
  if (current !== undefined && current !== fresh) await rm(join(directory, current), { recursive: true, force: true })
  return true
}

function checkRelative(path: string): void {
  if (path === '' || path.startsWith('/') || path.split('/').some(part => part === '..' || part === '') || path.startsWith('..')) throw new Error(`invalid path in volume: ${path}`)
}

async function writeOne(root: string, path: string, file: VolumeFile, fsGroup: number | undefined): Promise<void> {
  const target = join(root, path)
  await mkdir(dirname(target), { recursive: true, mode: 0o755 })
  await writeFile(target, file.bytes, { mode: 0o600 })
  if (fsGroup !== undefined) await chown(target, 0, fsGroup)
  await chmod(target, fsGroup === undefined ? file.mode : file.mode | 0o440)
}

async function equals(directory: string, payload: Payload, fsGroup: number | undefined): Promise<boolean> {
  const paths = await listFiles(directory, '').catch(() => undefined)
  if (paths?.length !== payload.size) return false
  for (const [path, file] of payload) {
    const bytes = await readFile(join(directory, path)).catch(() => undefined)
    if (!bytes || !bytes.equals(file.bytes)) return false
    const mode = (await stat(join(directory, path))).mode & 0o7777
    if (mode !== (fsGroup === undefined ? file.mode : file.mode | 0o440)) return false
  }
  return true
}

async function listFiles(directory: string, prefix: string): Promise<string[]> {
  const out: string[] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (entry.isDirectory()) out.push(...(await listFiles(join(directory, entry.name), path)))
    else out.push(path)
  }
  return out
}
