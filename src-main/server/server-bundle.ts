/**
 * The programs of this folder as a bundle. Node reads and strips some 500 TypeScript files in two seconds; the bundle of
 * the same sources starts in less than half a second, so running from a clone bundles once, by the digest of the sources.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { projectDir } from '../base/node/project-dir.ts'

/** Programs that run from a bundle. */
export const programs = ['start', 'headless', 'practice'] as const
export type Program = (typeof programs)[number]

/** Git-ignored and safe to remove while nothing runs. */
const bundlesDir = join(projectDir, '.cache', 'server')

/** How often a build is tried again because a source changed while it ran. */
const TRIES = 3

/**
 * Importing node:http as a module reads all its exports, among them getters that load undici: 40 ms and 6 MB of every
 * start for a WebSocket class that nothing here uses.
 */
const httpNames = [
  'Agent',
  'ClientRequest',
  'IncomingMessage',
  'METHODS',
  'OutgoingMessage',
  'STATUS_CODES',
  'Server',
  'ServerResponse',
  'createServer',
  'get',
  'globalAgent',
  'maxHeaderSize',
  'request',
  'validateHeaderName',
  'validateHeaderValue',
]
const withoutUndici = {
  name: 'without-undici',
  resolveId: (source: string) => (source === 'node:http' || source === 'http' ? '\0http' : undefined),
  load: (id: string) =>
    id === '\0http' ? `export const { ${httpNames.join(', ')} } = process.getBuiltinModule('node:http')\nexport default { ${httpNames.join(', ')} }` : undefined,
}

/** Writes `<program>.js` and its chunks into `directory`. */
export async function bundleServer(directory: string): Promise<void> {
  const { rolldown } = await import('rolldown')
  const { devDependencies } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> }
  const input = Object.fromEntries(programs.map(name => [name, join(projectDir, 'src-main', 'server', `${name}.ts`)]))
  // Optional native parts of ssh2 and ws, and what only development needs, stay outside.
  const bundle = await rolldown({
    input,
    cwd: projectDir,
    platform: 'node',
    plugins: [withoutUndici],
    external: [/^node:/, 'cpu-features', 'bufferutil', 'utf-8-validate', /\.node$/, ...Object.keys(devDependencies)],
    // ssh2 asks for these of CommonJS; a bundle of ES modules has them under other names.
    transform: { define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' } },
    onLog: () => undefined,
  })
  try {
    await bundle.write({ dir: directory, format: 'esm', sourcemap: false, entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' })
  } finally {
    await bundle.close()
  }
}

/** Directory of a bundle of the sources as they are now. */
export async function freshBundle(): Promise<string> {
  for (let tries = 1; ; tries++) {
    const digest = sourceDigest()
    const directory = join(bundlesDir, digest)
    if (existsSync(directory)) return directory
    const draft = `${directory}.${process.pid}.new`
    await rm(draft, { recursive: true, force: true })
    await runBuild(draft)
    if (sourceDigest() !== digest && tries < TRIES) {
      await rm(draft, { recursive: true, force: true })
      continue
    }
    // Another process may have been faster.
    await rename(draft, directory).catch(async (fault: unknown) => {
      await rm(draft, { recursive: true, force: true })
      if (!existsSync(directory)) throw fault
    })
    await removeUnused(directory)
    return directory
  }
}

function runBuild(directory: string): Promise<void> {
  const child = spawn(process.execPath, [join(projectDir, 'src-main', 'server', 'build-bundle.ts'), directory], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4096)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve()
      else reject(new Error(said || `the bundler ended with ${code ?? 'a signal'}`))
    })
  })
}

/** Marks a bundle as used by this process, until it ends: code is loaded from it at any time. */
export function useBundle(directory: string): void {
  const mark = join(directory, `pid-${process.pid}`)
  writeFileSync(mark, '')
  process.once('exit', () => {
    rmSync(mark, { force: true })
  })
}

async function removeUnused(newest: string): Promise<void> {
  for (const name of await readdir(bundlesDir)) {
    const directory = join(bundlesDir, name)
    const [, drafter] = /^[0-9a-f]{24}(?:\.(\d+)\.new)?$/.exec(name) ?? ['', 'none']
    if (drafter === 'none' || directory === newest || (drafter !== undefined && isRunning(Number(drafter)))) continue
    const users = (await readdir(directory).catch(() => [])).flatMap(file => /^pid-(\d+)$/.exec(file)?.[1] ?? []).map(Number)
    if (!users.some(isRunning)) await rm(directory, { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Everything that a bundle is made from. Synchronous, as all of this: nothing else happens meanwhile, and it is twice as fast. */
function sources(): string[] {
  const files = ['package-lock.json']
  for (const folder of ['src-main', 'resources']) {
    for (const entry of readdirSync(join(projectDir, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.(ts|json)$/.test(entry.name)) files.push(join(entry.parentPath, entry.name).slice(projectDir.length + 1))
    }
  }
  return files.sort()
}

/** Names, sizes and times of change: where these are the same, so are the contents. */
function stampOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const { size, mtimeNs, ctimeNs } = statSync(join(projectDir, file), { bigint: true })
    hash.update(`${file}\0${size}\0${mtimeNs}\0${ctimeNs}\0`)
  }
  return hash.update(process.version).digest('hex').slice(0, 24)
}

/** Of the sources' contents. Reading them all takes 50 ms, so what was found last is kept with their stamp. */
function sourceDigest(): string {
  const files = sources()
  const stamp = stampOf(files)
  const memory = join(bundlesDir, 'newest')
  const [knownStamp, knownDigest] = existsSync(memory) ? readFileSync(memory, 'utf8').split(' ') : []
  if (knownStamp === stamp && knownDigest !== undefined && /^[0-9a-f]{24}$/.test(knownDigest)) return knownDigest
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(projectDir, file)))
      .update('\0')
  const digest = hash.update(process.version).digest('hex').slice(0, 24)
  // What changed while it was read must not be remembered.
  if (stampOf(files) === stamp) remember(memory, `${stamp} ${digest}`)
  return digest
}

function remember(file: string, text: string): void {
  try {
    mkdirSync(bundlesDir, { recursive: true })
    const draft = `${file}.${process.pid}`
    writeFileSync(draft, text)
    renameSync(draft, file)
  } catch {
    // Only time is lost.
  }
}
