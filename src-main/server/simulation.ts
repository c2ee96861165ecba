/** `--simulated-nodes N [--simulation FILE]` of the headless program. */
import { readFile } from 'node:fs/promises'
import type { Env } from '../base/env.ts'
import { createInformerFactory } from '../client/informers.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { createSimulatedNodes } from '../simulated-nodes/simulated-nodes.ts'
import { readSettings } from '../simulated-nodes/settings.ts'

export interface SimulationOptions {
  readonly env: Env
  readonly controlPlane: ControlPlane
  readonly count: number
  /** Of the settings; undefined: the defaults. */
  readonly file: string | undefined
}

/** Resolves, when all nodes are registered, with the function that ends it. Rejects with a sentence for people. */
export async function startSimulation({ env, controlPlane, count, file }: SimulationOptions): Promise<() => Promise<void>> {
  const settings = file === undefined ? undefined : await settingsOf(file)
  const client = controlPlane.client(controlPlane.admin)
  const informers = createInformerFactory({ client, env })
  const simulation = createSimulatedNodes({
    env,
    client,
    informers,
    clientOf: name => controlPlane.client({ name: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] }),
    count,
    kubernetesVersion: 'v1.37.2',
    ...(settings ? { settings } : {}),
  })
  await simulation.start()
  return async () => {
    await simulation.stop()
    informers.stop()
  }
}

async function settingsOf(file: string): Promise<ReturnType<typeof readSettings>> {
  try {
    return readSettings(await readFile(file, 'utf8'))
  } catch (fault) {
    throw new Error(`the simulation ${file} cannot be used: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  }
}
