/** What provisioning itself keeps on a host, beside the agent's own paths (api/agent.ts). */
import { agentPaths } from '../../api/agent.ts'

export const hostFiles = {
  /** One line a change: time, phase, sentence. */
  journal: `${agentPaths.stateDir}/provisioning.journal`,
  /** Packages that came with us, one a line; removal takes these away again. */
  packagesInstalled: `${agentPaths.stateDir}/packages.installed`,
  /** Packages that were there before an installation that has not ended yet. */
  packagesBefore: `${agentPaths.stateDir}/packages.before`,
  /** `agentCluster=…` and `agentConfigDigest=…` of the configuration that was written. */
  stamp: `${agentPaths.stateDir}/provisioning.stamp`,
  /** Kernel settings before ours, `name value`. */
  sysctlsBefore: `${agentPaths.stateDir}/sysctls.before`,
  /** Logs and states of detached commands. */
  runDir: `${agentPaths.stateDir}/run`,
  /** Half-sent files. */
  uploadDir: `${agentPaths.root}/upload`,
  sysctls: '/etc/sysctl.d/90-quarterdeck.conf',
  modules: '/etc/modules-load.d/quarterdeck.conf',
  /** Who is at work on the host: `<owner> <seconds since 1970>`. Gone after a reboot. */
  lock: '/run/quarterdeck.lock',
} as const
