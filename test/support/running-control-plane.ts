/** A whole control plane with a real TLS port in this process, for tests with real clients. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '../../src-main/base/node/node-env.ts'
import { createControlPlane, type ControlPlane, type ControlPlaneOptions } from '../../src-main/control-plane/control-plane.ts'
import { memoryStore } from '../../src-main/store/memory/memory-store.ts'

export interface RunningControlPlane {
  readonly controlPlane: ControlPlane
  readonly dataDir: string
  /** Log lines of level warn and worse. */
  readonly warnings: string[]
  stop(): Promise<void>
}

/** Started, with controllers running; in memory unless `durable`. */
export async function startControlPlane(options: Partial<ControlPlaneOptions> & { durable?: boolean } = {}): Promise<RunningControlPlane> {
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-test-'))
  const warnings: string[] = []
  const env = nodeEnv({
    level: 'warn',
    write: line => {
      warnings.push(line)
    },
  })
  const { durable, ...rest } = options
  const controlPlane = await createControlPlane({ env, dataDir, apiPort: 0, ...(durable ? {} : { store: memoryStore(env) }), ...rest })
  await controlPlane.start()
  if (options.runControllers !== false) await controlPlane.controllersReady
  return {
    controlPlane,
    dataDir,
    warnings,
    async stop() {
      await controlPlane.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Asks again until `check` gives something, at most `timeoutMs`. Throws the last reason. */
export async function eventually<T>(check: () => Promise<T | undefined>, what: string, timeoutMs = 20_000): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const found = await check()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`${what} did not happen within ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
