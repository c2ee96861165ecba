import { installScript, packagesFor } from '../distros/distros.ts'
import { ProvisioningError } from '../host/errors.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'
import { familyOf } from './install-packages.ts'
import { definePhase, type PhaseHost } from './phase.ts'

/** Docker starts within seconds; on a slow disk its first start takes longer. */
const startTimeoutMs = 60_000

/**
 * Docker Engine from the host's own distribution. One that is there already is started and otherwise left alone; one that
 * we brought is taken away again, as long as nobody else has put containers on it.
 */
export const installDocker = definePhase({
  name: 'install-docker',
  title: 'Install container runtime',
  condition: 'RuntimeReady',
  needed: async host => (await dockerVersion(host)) === '',
  async run(host) {
    const installed = (await host.read('command -v dockerd')).status === 0
    if (!installed) {
      const packages = packagesFor(host.facts, 'docker')
      await host.change(`Install ${packages.join(', ')} with ${familyOf(host)}`, hands =>
        hands.runDetached('install-docker', installScript(familyOf(host), packages), 'installing Docker'),
      )
    }
    await host.change('Enable and start docker.service', async hands => {
      await hands.run('systemctl enable docker.service >/dev/null 2>&1; systemctl start docker.service', { what: 'starting Docker' })
    })
  },
  async verify(host) {
    const deadline = host.awakeMs() + startTimeoutMs
    while ((await dockerVersion(host)) === '') {
      if (host.awakeMs() > deadline) {
        const log = (await host.read('journalctl -u docker -n 5 --no-pager -o cat 2>/dev/null')).stdout.trim()
        throw new ProvisioningError('RuntimeFailed', `Docker was started and does not answer. ${log.slice(-600)}`)
      }
      await host.sleep(500)
    }
  },
  async undo(host) {
    const ours = (await host.read(sh`grep -qxE 'docker\.io|docker|docker-ce|moby-engine' ${hostFiles.packagesInstalled}`)).status === 0
    if (!ours) return
    const others = (await host.read(`docker ps -aq 2>/dev/null | wc -l`)).stdout.trim()
    if (others !== '0') {
      await host.change('Leave Docker, since other containers use it', async hands => {
        await hands.run(sh`: > ${hostFiles.packagesInstalled}`)
      })
      return
    }
    await host.change('Stop Docker and delete its data', async hands => {
      await hands.run(removeData, { what: 'removing Docker', idleTimeoutMs: 120_000 })
    })
  },
})

async function dockerVersion(host: PhaseHost): Promise<string> {
  return (await host.read(`timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null`)).stdout.trim()
}

// What Docker leaves in the kernel after it ended: its bridge, its chains, the rules that lead to them, and tables that are
// empty but for accepting policies then, which is what no table at all means.
const removeData = `systemctl disable --now docker.service docker.socket containerd.service >/dev/null 2>&1
ip link delete docker0 2>/dev/null
for t in filter nat raw; do
  iptables -t $t -S 2>/dev/null | grep -E -- '^-A .*(-j DOCKER( |$|-)|docker0)' | sed 's/^-A/-D/' | while read -r rule; do eval "iptables -t $t $rule" 2>/dev/null; done
  for c in $(iptables -t $t -S 2>/dev/null | sed -n 's/^-N \\(DOCKER\\(-.*\\)\\{0,1\\}\\)$/\\1/p'); do iptables -t $t -F $c; done
  for c in $(iptables -t $t -S 2>/dev/null | sed -n 's/^-N \\(DOCKER\\(-.*\\)\\{0,1\\}\\)$/\\1/p'); do iptables -t $t -X $c; done
done
iptables -P FORWARD ACCEPT 2>/dev/null
for d in /var/lib/docker /var/lib/containerd; do [ -d $d ] && { rm -rf $d/* $d/.[!.]* ; rmdir $d 2>/dev/null; }; done
rm -rf /run/docker /run/docker.sock /run/containerd /etc/docker/key.json
rmdir /etc/docker /opt/cni/bin /opt/cni /etc/cni/net.d /etc/cni 2>/dev/null
for t in filter nat raw mangle; do
  if nft list table ip $t >/dev/null 2>&1; then iptables -t $t -S 2>/dev/null | grep -qvE '^-P [A-Z]+ ACCEPT$' || nft delete table ip $t; fi
  if nft list table ip6 $t >/dev/null 2>&1; then ip6tables -t $t -S 2>/dev/null | grep -qvE '^-P [A-Z]+ ACCEPT$' || nft delete table ip6 $t; fi
done
:`
