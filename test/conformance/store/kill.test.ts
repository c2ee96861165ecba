import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { openEmbeddedStore } from '../../../src-main/store/embedded/embedded-store.ts'

const writer = join(import.meta.dirname, '../../support/store/kill-writer.ts')

/** Lines of a writer that is killed `afterMs` after it opened the store. */
function killedRun(dir: string, afterMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    let isOpen = false
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (isOpen || !text.includes('open')) return
      isOpen = true
      setTimeout(() => {
        child.kill('SIGKILL')
      }, afterMs)
    })
    child.on('error', reject)
    // The last line may be cut off.
    child.on('close', () => {
      resolve(text.split('\n').slice(0, -1))
    })
  })
}

it('keeps every acknowledged write and no revision twice when the process is killed at random moments', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'store-kill-'))
  const acknowledged = new Map<string, number>()
  const revisions = new Set<number>()
  try {
    for (let round = 0; round < 6; round++) {
      const lines = await killedRun(dir, 30 + Math.random() * 300)
      for (const line of lines) {
        const [word, key = '', revision] = line.split(' ')
        if (word === 'open') expect(Number(key)).toBeGreaterThanOrEqual(Math.max(0, ...acknowledged.values()))
        if (word !== 'ack') continue
        expect(revisions.has(Number(revision)), `revision ${revision} was given out twice`).toBe(false)
        revisions.add(Number(revision))
        acknowledged.set(key, Math.max(acknowledged.get(key) ?? 0, Number(revision)))
      }
      const store = await openEmbeddedStore({ dir, env: nodeEnv({ level: 'error' }) })
      for (const [key, revision] of acknowledged) {
        const entry = await store.get(key)
        expect(entry?.revision ?? 0, `${key} after round ${round}`).toBeGreaterThanOrEqual(revision)
        expect(JSON.parse(new TextDecoder().decode(entry?.bytes))).toMatchObject({ metadata: { resourceVersion: String(entry?.revision) } })
      }
      await store.close()
    }
    expect(revisions.size).toBeGreaterThan(100)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}, 60_000)
