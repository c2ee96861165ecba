import { describe, expect, it } from 'vitest'
import type { ImageInfo } from '../../../src-main/node-agent/container-runtime/runtime.ts'
import { imagesToRemove, type ImageUse } from '../../../src-main/node-agent/kubelet/image-collector.ts'

const now = 1_000_000
const image = (id: string, sizeBytes: number): ImageInfo => ({ id, reference: id, names: [id], sizeBytes, user: '', createdAtMs: 0 })
const images = [image('old', 4), image('older', 4), image('used', 40), image('new', 40)]
const uses = new Map<string, ImageUse>([
  ['old', { firstSeenMs: 0, lastUsedMs: 500 }],
  ['older', { firstSeenMs: 0, lastUsedMs: 400 }],
  ['used', { firstSeenMs: 0, lastUsedMs: now }],
  ['new', { firstSeenMs: now - 60_000, lastUsedMs: 0 }],
])
const removed = (usedBytes: number): string[] => imagesToRemove(images, uses, { usedBytes, totalBytes: 100 }, now).map(one => one.id)

describe('images', () => {
  it('stay while there is room', () => {
    expect(removed(84)).toEqual([])
  })
  it('go longest unused first until there is room', () => {
    expect(removed(85)).toEqual(['older', 'old'])
  })
  it('stay where in use or new, however full the disk', () => {
    expect(removed(99)).toEqual(['older', 'old'])
  })
  it('go no further than needed', () => {
    expect(imagesToRemove([image('older', 9), image('old', 4)], uses, { usedBytes: 86, totalBytes: 100 }, now).map(one => one.id)).toEqual(['older'])
  })
})
