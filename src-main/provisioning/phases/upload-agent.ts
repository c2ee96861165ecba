import { agentPaths } from '../../api/agent.ts'
import { sh } from '../host/shell.ts'
import { definePhase, type PhaseHost } from './phase.ts'

/** Where the agent bundle of this version stands on the host. */
export function agentPath(host: PhaseHost): string {
  return `${agentPaths.agentDir}/${host.artifacts.agent.digest}/agent.js`
}

/** The node agent, sent by digest. The version before stays, so that a failed upgrade can go back to it. */
export const uploadAgent = definePhase({
  name: 'upload-agent',
  title: 'Send node agent',
  after: ['prepare-directories'],
  needed: async host => (await host.read(sh`echo ${`${host.artifacts.agent.digest}  ${agentPath(host)}`} | sha256sum -c - >/dev/null 2>&1`)).status !== 0,
  run: host =>
    host.change(`Send the node agent (${Math.ceil(host.artifacts.agent.gzipBytes / 1e3)} kB) to ${agentPath(host)}`, hands =>
      hands.upload(host.artifacts.agent, agentPath(host), '644'),
    ),
  undo: host =>
    host.change(`Delete ${agentPaths.agentDir}`, async hands => {
      await hands.run(sh`rm -rf ${agentPaths.agentDir}`)
    }),
})
