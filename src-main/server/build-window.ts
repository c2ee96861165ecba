/** Builds the window with vite when its sources changed since the last build: a few seconds once, then nothing. */
import { createHash } from 'node:crypto'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { windowKinds } from './window-kinds.ts'

const inputs = ['src-main/server/build-window.ts', 'src-main/server/window-kinds.ts', 'src-renderer', 'src-main/api', 'src-main/client', 'src-main/base', 'package-lock.json']
const stampFile = '.sources'

export function windowDir(root: string): string {
  return join(root, 'out', 'renderer')
}

/** True when the built window was made of the sources as they are now. */
export async function isWindowBuilt(root: string): Promise<boolean> {
  return isBuiltOf(root, await hashSources(root))
}

async function isBuiltOf(root: string, hash: string): Promise<boolean> {
  return (await readFile(join(windowDir(root), stampFile), 'utf8').catch(() => '')) === hash
}

/** `root` is the project's directory. Resolves the directory of the built window. */
export async function buildWindow(root: string, say: (text: string) => void): Promise<string> {
  const files = windowDir(root)
  const hash = await hashSources(root)
  if (await isBuiltOf(root, hash)) return files
  say('Building the window…')
  const { build } = await import('vite')
  const { default: vue } = await import('@vitejs/plugin-vue')
  // Tests and development run with another setting: what is built is always the product, as it is kept for later starts.
  const before = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  await build({
    configFile: false,
    logLevel: 'warn',
    root: join(root, 'src-renderer'),
    base: './',
    plugins: [vue(), windowKinds()],
    build: { outDir: files, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 4096 },
  }).finally(() => {
    if (before === undefined) delete process.env['NODE_ENV']
    else process.env['NODE_ENV'] = before
  })
  await writeFile(join(files, stampFile), hash)
  return files
}

async function hashSources(root: string): Promise<string> {
  const hash = createHash('sha256')
  for (const input of inputs) await addTo(hash, join(root, input))
  return hash.digest('hex')
}

async function addTo(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
  if (!entries) {
    hash.update(path).update(await readFile(path))
    return
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) await addTo(hash, join(path, entry.name))
    else hash.update(join(path, entry.name)).update(await readFile(join(path, entry.name)))
  }
}
