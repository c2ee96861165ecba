/**
 * The node agent as one file. Running from source, it is bundled with rolldown when its sources have changed (by their
 * digest); a packaged program carries it ready-made.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { projectDir } from '../../base/node/project-dir.ts'

const sourceRoot = join(projectDir, 'src-main/')
/** Folders that the agent may import (layer rules). */
const folders = ['node-agent', 'api', 'base', 'client']

/**
 * What of dockerode's dependencies the agent never calls (Docker through SSH, BuildKit's gRPC session, build contexts,
 * TLS files) or has in Node already, each with the module that takes its place: megabytes of bundle, and memory.
 */
const replacements: Readonly<Record<string, string>> = {
  ssh2: 'module.exports = {}',
  '@grpc/grpc-js': 'module.exports = {}',
  '@grpc/proto-loader': 'module.exports = {}',
  protobufjs: 'module.exports = {}',
  'tar-fs': 'module.exports = {}',
  '@balena/dockerignore': 'module.exports = {}',
  'split-ca': 'module.exports = {}',
  'readable-stream': 'module.exports = require("node:stream")',
  debug: 'module.exports = () => () => {}',
}
const withoutUnused = {
  name: 'without-unused',
  resolveId: (source: string) => (Object.hasOwn(replacements, source) ? `\0unused:${source}` : undefined),
  load: (id: string) => (id.startsWith('\0unused:') ? replacements[id.slice('\0unused:'.length)] : undefined),
}

/** Path of a bundle of the sources as they are; takes a second when they changed, 50 ms when not. */
export async function buildAgentBundle(cacheDir: string): Promise<string> {
  const digest = await sourceDigest()
  const file = join(cacheDir, 'agent', digest, 'agent.js')
  try {
    await access(file)
    return file
  } catch {
    /* not built yet */
  }
  await bundleAgent(`${file}.${process.pid}.js`)
  await rename(`${file}.${process.pid}.js`, file)
  return file
}

/** Bundles the agent into one ES module with no imports but Node's own. */
export async function bundleAgent(file: string): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true })
  const { rolldown } = await import('rolldown')
  const bundle = await rolldown({
    input: join(sourceRoot, 'node-agent', 'main.ts'),
    platform: 'node',
    external: [/^node:/, 'bufferutil', 'utf-8-validate'],
    plugins: [withoutUnused],
    onLog: () => undefined,
  })
  try {
    await bundle.write({ file, format: 'esm', minify: false, sourcemap: false, codeSplitting: false, comments: { legal: true } } as Parameters<typeof bundle.write>[0])
  } catch (fault) {
    await rm(file, { force: true })
    throw fault
  } finally {
    await bundle.close()
  }
}

async function sourceDigest(): Promise<string> {
  const hash = createHash('sha256')
  const files: string[] = []
  for (const folder of folders) {
    for (const entry of await readdir(join(sourceRoot, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.(ts|json)$/.test(entry.name)) files.push(join(entry.parentPath, entry.name))
    }
  }
  for (const file of files.sort())
    hash
      .update(file.slice(sourceRoot.length))
      .update('\0')
      .update(await readFile(file))
      .update('\0')
  return hash.digest('hex').slice(0, 24)
}
