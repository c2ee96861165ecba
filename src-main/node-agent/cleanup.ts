/** Takes away everything that the agent made in the host's kernel and container runtime. Files are left to provisioning. */
import { readFile } from 'node:fs/promises'
import { agentNames } from '../api/agent.ts'
import type { AgentConfig } from '../api/agent.ts'
import type { Env } from '../base/env.ts'
import { commandRunner } from './commands.ts'
import { dockerRuntime } from './container-runtime/docker-runtime.ts'
import { passageRules } from './network/network.ts'
import { removeProbeNamespace } from './network/probe-namespace.ts'

/** Idempotent; answers what could not be removed (empty = nothing is left). */
export async function cleanUp(env: Env, config: AgentConfig, stateDir: string): Promise<string[]> {
  const run = commandRunner(env.clock)
  const runtime = dockerRuntime({ socketPath: config.dockerSocket, networkName: agentNames.dockerNetwork, sandboxImage: agentNames.sandboxImage, clock: env.clock })
  const left: string[] = []
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (fault) {
      left.push(`${what}: ${fault instanceof Error ? fault.message : String(fault)}`)
    }
  }
  await attempt('containers', async () => {
    const all = await runtime.list()
    await Promise.all(all.filter(c => c.type === 'container' && c.phase === 'running').map(c => runtime.stop(c.id, 5)))
    for (const container of [...all].sort((a, b) => Number(a.type === 'sandbox') - Number(b.type === 'sandbox'))) await runtime.remove(container.id)
  })
  await removeProbeNamespace(run)
  await attempt('network', () => runtime.removePodNetwork())
  await attempt('sandbox image', () => runtime.removeImage(agentNames.sandboxImage))
  await run('nft', ['delete', 'table', 'ip', agentNames.nftTable])
  for (const chain of ['DOCKER-USER', 'FORWARD']) for (const rule of passageRules(config.clusterCIDR)) await run('iptables', ['-w', '5', '-D', chain, ...rule])
  await run('ip', ['link', 'del', agentNames.overlay])
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map(line => line.split(' ')[1] ?? '')
    .filter(target => target.startsWith(`${stateDir}/`))
  for (const target of mounts.reverse()) await run('umount', ['-l', target])
  const link = await run('ip', ['link', 'show', agentNames.overlay])
  if (link.status === 0) left.push(`interface ${agentNames.overlay}`)
  const table = await run('nft', ['list', 'table', 'ip', agentNames.nftTable])
  if (table.status === 0) left.push(`nftables table ${agentNames.nftTable}`)
  return left
}
