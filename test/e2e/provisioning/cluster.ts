/** A control plane in this process with provisioning, as the product assembles it, on memory and a free port. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '../../../src-main/api/infra/v1alpha1/machine.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { isNotFound } from '../../../src-main/api/status-error.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import type { Client } from '../../../src-main/client/client.ts'
import { createControlPlane, type ControlPlane } from '../../../src-main/control-plane/control-plane.ts'
import { createProvisioning, type Provisioning, type ProvisioningOptions } from '../../../src-main/provisioning/provisioning.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'

export interface TestCluster {
  readonly controlPlane: ControlPlane
  readonly provisioning: Provisioning
  readonly client: Client
  readonly lines: string[]
  stop(): Promise<void>
}

/** Compressed artifacts are kept between runs. */
const cacheDir = fileURLToPath(new URL('../../../.cache/artifacts', import.meta.url))

export async function startCluster(options: { resourcesDir?: string } = {}): Promise<TestCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-provisioning-'))
  const lines: string[] = []
  const env = nodeEnv({
    level: 'info',
    write: line => {
      lines.push(line)
      if (process.env['QUARTERDECK_TEST_LOG']) process.stderr.write(line)
    },
  })
  const controlPlane = await createControlPlane({ env, dataDir, store: memoryStore(env), apiPort: 0 })
  await controlPlane.start()
  const client = controlPlane.client(controlPlane.admin)
  const provisioning = createProvisioning({
    env,
    client,
    certificateAuthority: controlPlane.certificateAuthority,
    cacheDir,
    ...options,
    serveApi: stream => {
      controlPlane.serveConnection(stream)
    },
  })
  controlPlane.setDialer(provisioning.dialer)
  controlPlane.addControllers([provisioning.controller])
  return {
    controlPlane,
    provisioning,
    client,
    lines,
    async stop() {
      provisioning.stop()
      await controlPlane.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Another provisioning of the same cluster, for its questions about hosts (its controller does not run). */
export function provisioningWith(cluster: TestCluster, options: Partial<ProvisioningOptions>): Provisioning {
  return createProvisioning({
    env: nodeEnv({ write: () => undefined }),
    client: cluster.client,
    certificateAuthority: cluster.controlPlane.certificateAuthority,
    cacheDir,
    ...options,
  })
}

/** Waits until the Machine satisfies `wanted`; throws with its last state after `seconds`. */
export async function machineWhere(client: Client, name: string, wanted: (machine: Machine) => boolean, seconds = 120): Promise<Machine> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const machine = await client.resource(machines).get(name)
    if (wanted(machine)) return machine
    if (performance.now() > deadline) throw new Error(`machine ${name} did not get there: ${JSON.stringify(machine.status, undefined, 1)}`)
    await sleep(100)
  }
}

export async function machineGone(client: Client, name: string, seconds = 120): Promise<Machine | undefined> {
  const deadline = performance.now() + seconds * 1000
  let last: Machine | undefined
  for (;;) {
    try {
      last = await client.resource(machines).get(name)
    } catch (fault) {
      if (isNotFound(fault)) return last
      throw fault
    }
    if (performance.now() > deadline) throw new Error(`machine ${name} is still there: ${JSON.stringify(last.status, undefined, 1)}`)
    await sleep(100)
  }
}
