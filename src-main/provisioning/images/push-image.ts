/**
 * Pushes an image from this computer (or an uploaded tar) to nodes through SSH, so that nodes need no registry. The tar is
 * made and compressed once, sent to all nodes in parallel, continued after a cut, verified by digest and loaded.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { ImagePushInput, ImagePushProgress } from '../../api/bridge.ts'
import type { Env } from '../../base/env.ts'
import { streamCommand } from '../../base/node/command.ts'
import { asProvisioningError, ProvisioningError } from '../host/errors.ts'
import type { RemoteHost } from '../host/remote-host.ts'
import { sh } from '../host/shell.ts'
import { sendVerified } from '../host/upload.ts'
import type { HostLinks } from '../machine-controller/host-link.ts'
import { docker } from '../practice/docker.ts'

export interface ImageContext {
  readonly env: Env
  readonly links: HostLinks
  readonly cacheDir: string
}

interface Packed {
  readonly path: string
  readonly digest: string
  readonly bytes: number
  /** Known for images of this computer. */ readonly imageID?: string
  readonly name: string
}

/** Uplinks are shared by all transfers: more at once only make each slower. */
const parallelNodes = 4

export async function* pushImage(context: ImageContext, input: ImagePushInput, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<ImagePushProgress> {
  for (const node of input.nodes) yield { node, state: 'waiting', sentBytes: 0, totalBytes: 0 }
  await mkdir(join(context.cacheDir, 'images'), { recursive: true })
  const file = join(context.cacheDir, 'images', `${context.env.random.uuid()}.tar.gz`)
  try {
    const packed = input.source.type === 'docker' ? await packLocal(input.source.image, file, signal) : await packUpload(input.source.name, input.source.bytes, chunks, file)
    yield* distribute(context, input.nodes, packed, signal)
  } finally {
    await rm(file, { force: true })
  }
}

async function packLocal(image: string, file: string, signal: AbortSignal): Promise<Packed> {
  if (image.startsWith('-')) throw new ProvisioningError('CommandFailed', `${image} is not the name of an image.`)
  const imageID = await docker(['image', 'inspect', '--format', '{{.Id}}', image], { signal })
  const saving = streamCommand('docker', ['save', image], signal)
  const packed = await pack(saving.stdout, file)
  const done = await saving.done
  if (done.status !== 0) throw new ProvisioningError('CommandFailed', `docker save ${image} failed: ${done.stderr.trim()}`)
  return { ...packed, imageID, name: image }
}

async function packUpload(name: string, bytes: number, chunks: AsyncIterable<Uint8Array>, file: string): Promise<Packed> {
  let came = 0
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      came += chunk.length
      if (came > bytes) throw new ProvisioningError('ChecksumMismatch', `${name} is longer than the ${bytes} bytes that were announced.`)
      yield chunk
    }
  }
  const packed = await pack(Readable.from(counted()), file)
  if (came !== bytes) throw new ProvisioningError('ChecksumMismatch', `${name} ended after ${came} of ${bytes} bytes.`)
  return { ...packed, name }
}

/** Level 1: the tar holds layers that shrink to a half anyway, and the network is waiting. */
async function pack(source: Readable, file: string): Promise<{ path: string; digest: string; bytes: number }> {
  const hash = createHash('sha256')
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(undefined, chunk)
    },
  })
  await pipeline(source, createGzip({ level: 1 }), tap, createWriteStream(file, { mode: 0o600 }))
  return { path: file, digest: hash.digest('hex'), bytes: (await stat(file)).size }
}

async function* distribute(context: ImageContext, names: readonly string[], packed: Packed, signal: AbortSignal): AsyncGenerator<ImagePushProgress> {
  const ready: ImagePushProgress[] = []
  let wake: () => void = () => undefined
  const tell = (item: ImagePushProgress): void => {
    ready.push(item)
    wake()
  }
  let next = 0
  let left = names.length
  const work = async (): Promise<void> => {
    for (let node = names[next++]; node !== undefined; node = names[next++]) {
      try {
        await pushTo(context, node, packed, signal, tell)
      } catch (fault) {
        const known = asProvisioningError(fault)
        tell({ node, state: 'failed', sentBytes: 0, totalBytes: packed.bytes, message: `${known.message} ${known.hint}` })
      }
      left--
      wake()
    }
  }
  const workers = Array.from({ length: Math.min(parallelNodes, names.length) }, work)
  while (left > 0 || ready.length > 0) {
    const item = ready.shift()
    if (item) yield item
    else
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  await Promise.all(workers)
}

async function pushTo(context: ImageContext, node: string, packed: Packed, signal: AbortSignal, tell: (item: ImagePushProgress) => void): Promise<void> {
  const host = context.links.byNode(node)?.host
  if (!host) throw new ProvisioningError('Unreachable', `There is no connection to node ${node}.`, { host: node })
  const total = packed.bytes
  if (packed.imageID !== undefined && (await imageID(host, packed.name)) === packed.imageID) {
    tell({ node, state: 'done', sentBytes: 0, totalBytes: total, message: 'The node has this image already.' })
    return
  }
  let told = 0
  tell({ node, state: 'sending', sentBytes: 0, totalBytes: total })
  const part = await sendVerified(
    host,
    { name: packed.name, path: packed.path, digest: packed.digest, bytes: total },
    {
      signal,
      // A hundred steps are enough for a bar.
      onProgress(bytes) {
        if (bytes - told >= total / 100) {
          told = bytes
          tell({ node, state: 'sending', sentBytes: bytes, totalBytes: total })
        }
      },
    },
  )
  tell({ node, state: 'loading', sentBytes: total, totalBytes: total })
  await host.mustRoot(sh`docker load -q -i ${part}; s=$?; rm -f ${part}; exit $s`, { signal, what: `loading ${packed.name}`, idleTimeoutMs: 600_000, timeoutMs: 1_800_000 })
  if (packed.imageID !== undefined && (await imageID(host, packed.name)) !== packed.imageID)
    throw new ProvisioningError('ChecksumMismatch', `Node ${node} loaded another image than was sent.`, { host: node })
  tell({ node, state: 'done', sentBytes: total, totalBytes: total })
}

async function imageID(host: RemoteHost, image: string): Promise<string> {
  return (await host.root(sh`docker image inspect --format '{{.Id}}' ${image} 2>/dev/null`, { what: 'looking for an image' })).stdout.trim()
}
