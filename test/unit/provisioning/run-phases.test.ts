/** The order of phases: side by side where nothing is to be waited for, and what a fault does to the others. */
import { describe, expect, it } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { ProvisioningError } from '../../../src-main/provisioning/host/errors.ts'
import type { Phase } from '../../../src-main/provisioning/phases/phase.ts'
import { phases } from '../../../src-main/provisioning/phases/phases.ts'
import { runPhases, type PhaseRun } from '../../../src-main/provisioning/phases/run-phases.ts'

const env = nodeEnv({ write: () => undefined })

/** A host that answers every script with success. */
function run(onScript: (script: string) => number = () => 0): PhaseRun {
  const root = async (script: string): Promise<{ status: number; stdout: string; stderr: string }> => ({ status: onScript(script), stdout: '', stderr: '' })
  const host = { connection: { target: { address: 'host', port: 22, user: 'root' } }, env, root, run: root, mustRoot: async () => '' }
  return {
    env,
    host,
    signal: new AbortController().signal,
    owner: 'me',
    onOutput: () => undefined,
    onSteps: () => undefined,
    onCondition: () => undefined,
  } as unknown as PhaseRun
}

function phase(name: string, log: string[], more: Partial<Phase> = {}): Phase {
  return {
    name,
    title: name,
    needed: () => true,
    async run() {
      log.push(`+${name}`)
      await env.clock.sleep(20)
      log.push(`-${name}`)
    },
    ...more,
  }
}

describe('phases', () => {
  it('run side by side when they wait for the same one, and one after the other when nothing is said', async () => {
    const log: string[] = []
    const steps = await runPhases([phase('a', log), phase('b', log), phase('c', log, { after: ['a'] }), phase('d', log, { after: ['b', 'c'] })], run())
    expect(log.slice(0, 2)).toEqual(['+a', '-a'])
    expect(log.slice(2, 4).sort()).toEqual(['+b', '+c'])
    expect(log.slice(-2)).toEqual(['+d', '-d'])
    expect(steps.map(step => step.state)).toEqual(['done', 'done', 'done', 'done'])
  })

  it('go on beside one that fails, and do not begin after it', async () => {
    const log: string[] = []
    let states: string[] = []
    const failing = phase('b', log, { run: () => Promise.reject(new ProvisioningError('DiskFull', 'full')) })
    const all = [phase('a', log), failing, phase('c', log, { after: ['a'] }), phase('d', log, { after: ['b', 'c'] })]
    const going = runPhases(all, {
      ...run(),
      onSteps: steps => {
        states = steps.map(step => step.state)
      },
    })
    await expect(going).rejects.toMatchObject({ code: 'DiskFull', place: { step: 'b' } })
    expect(states).toEqual(['done', 'failed', 'done', 'pending'])
    expect(log).toEqual(['+a', '-a', '+c', '-c'])
  })

  it('do not begin on a host that another program works on', async () => {
    const log: string[] = []
    await expect(
      runPhases(
        [phase('a', log)],
        run(script => (script.includes('quarterdeck.lock') ? 9 : 0)),
      ),
    ).rejects.toMatchObject({ code: 'HostBusy' })
    expect(log).toEqual([])
  })

  it('name only phases that come before them', () => {
    for (const [at, one] of phases.entries()) for (const name of one.after ?? []) expect(phases.slice(0, at).map(before => before.name)).toContain(name)
  })
})
