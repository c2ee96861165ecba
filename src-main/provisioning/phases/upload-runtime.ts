import { agentPaths } from '../../api/agent.ts'
import { sh } from '../host/shell.ts'
import { definePhase, type PhaseHost } from './phase.ts'

/** Where the Node runtime of this version stands on the host. */
export function runtimePath(host: PhaseHost): string {
  return `${agentPaths.runtimeDir}/${host.artifacts.runtime.digest}/node`
}

/** The Node runtime, sent by digest: the host needs no Internet for it. */
export const uploadRuntime = definePhase({
  name: 'upload-runtime',
  title: 'Send Node runtime',
  after: ['prepare-directories'],
  needed: async host => (await host.read(sh`echo ${`${host.artifacts.runtime.digest}  ${runtimePath(host)}`} | sha256sum -c - >/dev/null 2>&1`)).status !== 0,
  async run(host) {
    const { runtime } = host.artifacts
    await host.change(`Send ${runtime.name} (${Math.round(runtime.gzipBytes / 1e6)} MB) to ${runtimePath(host)}`, hands => hands.upload(runtime, runtimePath(host), '755'))
    await host.change('Delete other versions of the Node runtime', async hands => {
      await hands.run(sh`find ${agentPaths.runtimeDir} -mindepth 1 -maxdepth 1 ! -name ${runtime.digest} -exec rm -rf {} +`, { what: 'deleting old runtimes' })
    })
  },
  undo: host =>
    host.change(`Delete ${agentPaths.runtimeDir}`, async hands => {
      await hands.run(sh`rm -rf ${agentPaths.runtimeDir} ${`${agentPaths.root}/upload`}`)
    }),
})
