/** What of Quarterdeck is still on a host after removal. An empty list is the proof of a clean removal. */
import { agentNames, agentPaths } from '../../api/agent.ts'
import { hostFiles } from '../host/host-files.ts'
import type { RemoteHost } from '../host/remote-host.ts'
import { sh } from '../host/shell.ts'

const script = sh`PATH=$PATH:/usr/sbin:/sbin
for p in ${[agentPaths.root, agentPaths.configDir, agentPaths.stateDir, agentPaths.logDir, hostFiles.sysctls, hostFiles.modules, hostFiles.lock]}; do
  [ -e "$p" ] || continue
  if [ -d "$p" ] && mountpoint -q "$p" 2>/dev/null && [ -z "$(ls -A "$p")" ]; then continue; fi
  echo "file $p"
done
[ -e ${agentPaths.unit} ] && echo "unit "${agentPaths.unit}
systemctl is-active -q ${agentPaths.unitName} && echo "running "${agentPaths.unitName}
ip netns list 2>/dev/null | grep -qE ${`^${agentNames.probeNamespace}( |$)`} && echo "network namespace "${agentNames.probeNamespace}
for i in ${[agentNames.bridge, agentNames.overlay, agentNames.probeLink]}; do [ -e "/sys/class/net/$i" ] && echo "interface $i"; done
nft list tables 2>/dev/null | awk -v n=${agentNames.nftTable} '$1 == "table" && index($3, n) == 1 {print "nft table " $2 " " $3}'
for t in filter nat mangle raw; do iptables -t $t -S 2>/dev/null | grep -iE ${`${agentNames.nftTable}|${agentNames.overlay}`} | sed "s/^/iptables $t rule /"; done
if docker version >/dev/null 2>&1; then
  docker ps -a --filter ${`name=^/${agentNames.containerPrefix}`} --format 'container {{.Names}}'
  docker network ls --format '{{.Name}}' | grep -qxF ${agentNames.dockerNetwork} && echo "docker network "${agentNames.dockerNetwork}
  docker image inspect ${agentNames.sandboxImage} >/dev/null 2>&1 && echo "image "${agentNames.sandboxImage}
fi
awk -v d=${`${agentPaths.stateDir}/`} 'index($2, d) == 1 {print "mount " $2}' /proc/mounts
for p in /proc/[0-9]*; do e=$(readlink "$p/exe" 2>/dev/null); case "$e" in ${agentPaths.root}/*) echo "process $(basename "$p") $e";; esac; done
:`

/** One line a thing, e.g. `file /etc/quarterdeck`, `interface quarterdeck0`. */
export async function findLeftovers(host: RemoteHost, signal?: AbortSignal): Promise<string[]> {
  const output = await host.mustRoot(script, { what: 'looking for leftovers', ...(signal ? { signal } : {}) })
  return output.split('\n').filter(line => line !== '')
}
