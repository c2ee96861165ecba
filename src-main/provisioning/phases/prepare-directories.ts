import { agentPaths } from '../../api/agent.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'
import { definePhase } from './phase.ts'

const directories = [agentPaths.root, agentPaths.configDir, agentPaths.stateDir, agentPaths.logDir]

export const prepareDirectories = definePhase({
  name: 'prepare-directories',
  title: 'Prepare directories',
  needed: async host => (await host.read(directories.map(path => sh`[ -d ${path} ]`).join(' && '))).status !== 0,
  run: host =>
    host.change(`Create ${directories.join(', ')}`, async hands => {
      await hands.run(sh`mkdir -p ${directories} && chmod 755 ${agentPaths.root} && chmod 700 ${agentPaths.configDir} ${agentPaths.stateDir} ${agentPaths.logDir}`, {
        what: 'creating directories',
      })
    }),
  undo: host =>
    host.change(`Delete ${directories.join(', ')}`, async hands => {
      // Volumes of pods may be mounts; they are let go of first, so that nothing behind them is deleted.
      await hands.run(
        sh`awk -v d=${`${agentPaths.stateDir}/`} 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | while read -r m; do umount -l "$(printf '%b' "$m")" || true; done
rm -rf --one-file-system ${directories}
for d in ${directories}; do [ ! -e "$d" ] || rm -rf --one-file-system "$d"/* 2>/dev/null || true; done
rm -f ${hostFiles.lock}`,
        { what: 'deleting directories' },
      )
    }),
})
