import { createHash } from 'node:crypto'
import { agentPaths } from '../../api/agent.ts'
import { ProvisioningError } from '../host/errors.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'
import { definePhase, type PhaseHost } from './phase.ts'

function configDigest(host: PhaseHost): string {
  return createHash('sha256').update(JSON.stringify(host.config)).digest('hex').slice(0, 32)
}

/**
 * The agent's configuration with a fresh bootstrap token (mode 0600). It is written anew when it should say something
 * else, or when the cluster does not know the node, whose certificate is of no use then.
 */
export const writeConfig = definePhase({
  name: 'write-config',
  title: 'Write configuration',
  after: ['prepare-directories'],
  async needed(host) {
    const stamp = (await host.read(sh`cat ${hostFiles.stamp} 2>/dev/null; [ -f ${agentPaths.config} ] && echo present`)).stdout
    const cluster = /^agentCluster=(.*)$/m.exec(stamp)?.[1]
    if (cluster !== undefined && cluster !== host.clusterDigest) throw new ProvisioningError('ForeignCluster', 'The host is a node of another Quarterdeck cluster.')
    return !stamp.includes(`agentConfigDigest=${configDigest(host)}`) || !stamp.includes('present') || !(await host.cluster.nodeExists())
  },
  run: host =>
    host.change(`Write ${agentPaths.config} with a new bootstrap token`, async hands => {
      const config = { ...host.config, bootstrapToken: await host.cluster.bootstrapToken() }
      // A certificate of a node that the cluster does not know would be refused; the agent asks for a new one with the token.
      if (!(await host.cluster.nodeExists())) await hands.run(sh`systemctl stop ${agentPaths.unitName} 2>/dev/null; rm -rf ${`${agentPaths.stateDir}/pki`}; :`)
      await hands.writeFile(agentPaths.config, `${JSON.stringify(config, undefined, 2)}\n`, '600')
      await hands.writeFile(hostFiles.stamp, `agentCluster=${host.clusterDigest}\nagentConfigDigest=${configDigest(host)}\n`, '600')
    }),
  undo: host =>
    host.change(`Delete ${agentPaths.configDir}`, async hands => {
      await hands.run(sh`rm -rf ${agentPaths.configDir} ${hostFiles.stamp}`)
    }),
})
