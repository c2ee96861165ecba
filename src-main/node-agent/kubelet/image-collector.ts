/**
 * Keeps images from filling the disk: above one line the longest unused go until the disk is below another. Lines and
 * ages are a kubelet's. Docker itself refuses where any container, also one that is not ours, uses the image.
 */
import { statfs } from 'node:fs/promises'
import type { Env } from '../../base/env.ts'
import type { ContainerRuntime, ImageInfo } from '../container-runtime/runtime.ts'

const periodMs = 300_000
const highLine = 0.85
const lowLine = 0.8
/** An image that was just pulled may be for a container that is just being made. */
const minAgeMs = 120_000

export interface ImageUse {
  readonly firstSeenMs: number
  lastUsedMs: number
}

/** What to remove, longest unused first. Pure. */
export function imagesToRemove(
  images: readonly ImageInfo[],
  uses: ReadonlyMap<string, ImageUse>,
  disk: { readonly usedBytes: number; readonly totalBytes: number },
  now: number,
): ImageInfo[] {
  if (disk.usedBytes < disk.totalBytes * highLine) return []
  let excess = disk.usedBytes - disk.totalBytes * lowLine
  const out: ImageInfo[] = []
  const idle = images.flatMap(image => {
    const use = uses.get(image.id)
    return use && now - use.firstSeenMs >= minAgeMs && use.lastUsedMs < now ? [{ image, use }] : []
  })
  for (const { image } of idle.sort((a, b) => a.use.lastUsedMs - b.use.lastUsedMs || a.use.firstSeenMs - b.use.firstSeenMs)) {
    if (excess <= 0) break
    out.push(image)
    excess -= image.sizeBytes
  }
  return out
}

/** Runs until the signal aborts. `keep`: the name of an image that always stays. */
export async function collectImages(env: Env, runtime: ContainerRuntime, keep: string, signal: AbortSignal): Promise<void> {
  const uses = new Map<string, ImageUse>()
  while (!signal.aborted) {
    try {
      await env.clock.sleep(periodMs, signal)
    } catch {
      return
    }
    try {
      await collect(env, runtime, keep, uses)
    } catch (fault) {
      env.log.log('warn', 'image garbage collection failed', { fault: String(fault) })
    }
  }
}

async function collect(env: Env, runtime: ContainerRuntime, keep: string, uses: Map<string, ImageUse>): Promise<void> {
  const now = env.clock.awakeMs()
  const [images, containers, info] = [await runtime.images(), await runtime.list(), await runtime.info()]
  const inUse = new Set(containers.map(container => container.imageID))
  for (const image of images) {
    const use = uses.get(image.id) ?? { firstSeenMs: now, lastUsedMs: 0 }
    uses.set(image.id, inUse.has(image.id) || image.names.includes(keep) ? { ...use, lastUsedMs: now } : use)
  }
  const present = new Set(images.map(image => image.id))
  for (const id of uses.keys()) if (!present.has(id)) uses.delete(id)
  const fs = await statfs(info.rootDir)
  for (const image of imagesToRemove(images, uses, { usedBytes: (fs.blocks - fs.bavail) * fs.bsize, totalBytes: fs.blocks * fs.bsize }, now)) {
    if (await runtime.removeUnusedImage(image)) env.log.log('info', 'removed an unused image', { image: image.names[0] ?? image.id, bytes: image.sizeBytes })
  }
}
