/** What is sent to hosts: packed once, the same after unpacking, noticed when damaged; and the runtime for each processor. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { architectureOf, createArtifacts, runtimeVersion } from '../../../src-main/provisioning/artifacts/artifacts.ts'

let directory = ''
// Longer than one piece, and not a multiple of one.
const runtime = Buffer.concat([randomBytes(3_000_000), Buffer.alloc(9_000_000, 7), randomBytes(12_345)])
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quarterdeck-artifacts-'))
  for (const folder of ['agent', 'runtime-x64', 'runtime-arm64']) await mkdir(join(directory, 'resources', folder), { recursive: true })
  await writeFile(join(directory, 'resources/runtime-x64/node'), runtime)
  await writeFile(join(directory, 'resources/runtime-arm64/node'), 'for arm64')
  await writeFile(join(directory, 'resources/agent/agent.js'), 'agent')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const made = (): ReturnType<typeof createArtifacts> => createArtifacts({ cacheDir: join(directory, 'cache'), resourcesDir: join(directory, 'resources') })

describe('artifacts', () => {
  it('are packed in pieces that unpack to the very same bytes', async () => {
    const artifact = await made().runtime('x64')
    const packed = await readFile(artifact.gzipPath)
    expect(gunzipSync(packed).equals(runtime)).toBe(true)
    expect({ ...artifact, name: '', gzipPath: '' }).toEqual({
      name: '',
      gzipPath: '',
      digest: sha256(runtime),
      bytes: runtime.length,
      gzipDigest: sha256(packed),
      gzipBytes: packed.length,
    })
  })

  it('are put aside and made anew when their packed copy was damaged', async () => {
    const { gzipPath } = await made().runtime('x64')
    await writeFile(gzipPath, 'damaged')
    const later = made()
    await expect(later.runtime('x64')).rejects.toThrow('damaged')
    expect(gunzipSync(await readFile((await later.runtime('x64')).gzipPath)).equals(runtime)).toBe(true)
  })

  it('have a runtime for each processor', async () => {
    expect([architectureOf('x86_64'), architectureOf('aarch64')]).toEqual(['x64', 'arm64'])
    expect(() => architectureOf('riscv64')).toThrow('riscv64 is not supported')
    expect(gunzipSync(await readFile((await made().runtime('arm64')).gzipPath)).toString()).toBe('for arm64')
  })

  it('are of the version that package.json names', async () => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      dependencies?: Record<string, string>
      optionalDependencies?: Record<string, string>
    }
    const versions = Object.entries({ ...dependencies, ...optionalDependencies }).filter(([name]) => name.startsWith('node-linux-'))
    expect(new Set(versions.map(([, version]) => version))).toEqual(new Set([runtimeVersion]))
  })
})
