import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { openEmbeddedStore } from '../../../src-main/store/embedded/embedded-store.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import { faultyDisk } from '../../support/store/faulty-disk.ts'
import { storeConformance } from './suite.ts'

const env = nodeEnv({ level: 'error' })

storeConformance('memory store', async () => {
  const store = memoryStore(env)
  return { store, stop: () => store.close() }
})

storeConformance('embedded store on the file system', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'store-'))
  const store = await openEmbeddedStore({ dir, env })
  return {
    store,
    stop: async () => {
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
})

storeConformance('embedded store with a snapshot every few writes', async () => {
  const store = await openEmbeddedStore({ dir: 'unused', env, disk: faultyDisk(), minLogBytes: 2_000 })
  return { store, stop: () => store.close() }
})
