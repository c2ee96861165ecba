/** Small files that survive a crash: written beside, synced, renamed. All are readable by root only. */
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.new`
  const file = await open(beside, 'w', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(beside, path)
}

/** Undefined where there is none or it cannot be understood (a checkpoint is never worth dying for). */
export async function readJsonFile<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    return undefined
  }
}

export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Every `*.json` of a directory. */
export async function readJsonFiles<T>(directory: string): Promise<T[]> {
  const names = await readdir(directory).catch(() => [])
  const out: T[] = []
  for (const name of names) {
    if (!name.endsWith('.json')) continue
    const value = await readJsonFile<T>(join(directory, name))
    if (value !== undefined) out.push(value)
  }
  return out
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true })
}
