/** A child process of the kill test: writes to the store in the directory of its argument and prints each acknowledgement. */
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { openEmbeddedStore } from '../../../src-main/store/embedded/embedded-store.ts'

const dir = process.argv[2] ?? ''
const store = await openEmbeddedStore({ dir, env: nodeEnv({ level: 'error' }), minLogBytes: 60_000 })
process.stdout.write(`open ${store.revision}\n`)
let count = 0
async function writer(number: number): Promise<void> {
  for (;;) {
    const key = `/core/pods/n/w${number}-${count++ % 50}`
    const entry = await store.put(key, { metadata: {}, pad: 'x'.repeat(200) } as never, { any: true })
    process.stdout.write(`ack ${key} ${entry.revision}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, (_, i) => writer(i)))
