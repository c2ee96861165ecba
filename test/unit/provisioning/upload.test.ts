/** The script that unpacks a file on the way, run by a shell of this computer. Over SSH it is in test/e2e/provisioning. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hostFiles } from '../../../src-main/provisioning/host/host-files.ts'
import type { RemoteHost } from '../../../src-main/provisioning/host/remote-host.ts'
import { upload } from '../../../src-main/provisioning/host/upload.ts'
import type { Artifact } from '../../../src-main/provisioning/host/upload.ts'

let directory = ''
let artifact: Artifact
const content = Buffer.alloc(300_000, 'quarterdeck ')
const hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quarterdeck-upload-'))
  const packed = gzipSync(content)
  const gzipPath = join(directory, 'source.gz')
  await writeFile(gzipPath, packed)
  artifact = { name: 'runtime', digest: hex(content), bytes: content.length, gzipPath, gzipDigest: hex(packed), gzipBytes: packed.length }
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** A host whose commands run here, with its upload directory in ours. */
const local = {
  connection: { target: { address: 'here' } },
  async root(script: string, options: { input?: Readable } = {}): Promise<{ status: number; stdout: string; stderr: string }> {
    const child = spawn('sh', ['-c', script.replaceAll(hostFiles.uploadDir, join(directory, 'upload'))])
    const [out, err]: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    const ended = new Promise<number>(resolve =>
      child.on('close', code => {
        resolve(code ?? -1)
      }),
    )
    await pipeline(options.input ?? Readable.from([]), child.stdin).catch(() => undefined)
    return { status: await ended, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
  },
  async mustRoot(script: string): Promise<string> {
    return (await local.root(script)).stdout
  },
}
const host = local as unknown as RemoteHost

it('gives a file its name when all of it is on the disk', async () => {
  const path = join(directory, 'good', 'node')
  expect(await upload(host, artifact, { path, mode: '755' })).toBe(true)
  expect(hex(await readFile(path))).toBe(artifact.digest)
  expect(await upload(host, artifact, { path, mode: '755' })).toBe(false)
})

it.runIf(process.platform === 'linux')('answers a full disk, though all of the file went through the pipe', async () => {
  const path = join(directory, 'full', 'node')
  await mkdir(join(directory, 'full'))
  await symlink('/dev/full', `${path}.new`)
  await expect(upload(host, artifact, { path, mode: '755' })).rejects.toMatchObject({ code: 'DiskFull' })
  expect(await readdir(join(directory, 'full'))).toEqual([])
})
