import { agentNames, agentPaths } from '../../api/agent.ts'
import { ProvisioningError } from '../host/errors.ts'
import { sh } from '../host/shell.ts'
import { agentUnit } from '../host/agent-unit.ts'
import { definePhase, type PhaseHost } from './phase.ts'
import { agentPath } from './upload-agent.ts'
import { runtimePath } from './upload-runtime.ts'

/** An agent that lives this long has read its configuration and holds its ports. */
const settleMs = 1_500

export const startAgent = definePhase({
  name: 'start-agent',
  title: 'Start node agent',
  after: ['kernel-settings', 'upload-runtime', 'upload-agent', 'write-config'],
  condition: 'AgentInstalled',
  async needed(host) {
    if (host.changed.has('write-config')) return true
    const unit = agentUnit(runtimePath(host), agentPath(host)).trimEnd()
    return (
      (
        await host.read(
          sh`[ "$(cat ${agentPaths.unit} 2>/dev/null)" = ${unit} ] && systemctl is-active -q ${agentPaths.unitName} && systemctl is-enabled -q ${agentPaths.unitName}`,
        )
      ).status !== 0
    )
  },
  async run(host) {
    await host.change(`Write ${agentPaths.unit}`, hands => hands.writeFile(agentPaths.unit, agentUnit(runtimePath(host), agentPath(host)), '644'))
    await host.change(`Enable and start ${agentPaths.unitName}`, async hands => {
      await hands.run(sh`systemctl daemon-reload && systemctl enable ${agentPaths.unitName} 2>/dev/null && systemctl restart ${agentPaths.unitName}`, {
        what: 'starting the node agent',
      })
    })
  },
  async verify(host) {
    await host.sleep(settleMs)
    const state = await host.read(sh`systemctl is-active -q ${agentPaths.unitName} && [ "$(systemctl show -p NRestarts --value ${agentPaths.unitName})" = 0 ]`)
    if (state.status === 0) return
    throw new ProvisioningError('AgentFailed', `The node agent does not stay up. ${await lastWords(host)}`)
  },
  async undo(host) {
    await host.change('Stop the node agent and every container, rule and interface of it', async hands => {
      await hands.run(stopScript, { what: 'cleaning up after the node agent', idleTimeoutMs: 120_000 })
    })
    await host.change(`Delete ${agentPaths.unit}`, async hands => {
      await hands.run(sh`rm -f ${agentPaths.unit}; systemctl daemon-reload; systemctl reset-failed ${agentPaths.unitName} 2>/dev/null; :`, { what: 'deleting the unit' })
    })
  },
})

/** Last lines of the agent's journal, for messages. */
export async function lastWords(host: PhaseHost): Promise<string> {
  const log = (await host.read(sh`journalctl -u ${agentPaths.unitName} -n 4 --no-pager -o cat 2>/dev/null`)).stdout.trim()
  return log === '' ? '' : `Its last words: ${log.slice(-600)}`
}

// First the agent's own cleaning, which knows best; then the same by name, for an agent that cannot run any more.
const stopScript = sh`systemctl disable --now ${agentPaths.unitName} >/dev/null 2>&1
line=$(sed -n 's/^ExecStart=//p' ${agentPaths.unit} 2>/dev/null)
if [ -n "$line" ] && [ -f ${agentPaths.config} ]; then timeout 40 $(echo "$line" | sed ${`s|${agentPaths.config}|--cleanup ${agentPaths.config}|`}) || true; fi
if command -v docker >/dev/null 2>&1; then
  c=$(timeout 20 docker ps -aq --filter ${`name=^/${agentNames.containerPrefix}`}); [ -z "$c" ] || timeout 60 docker rm -f -v $c >/dev/null
  timeout 20 docker network rm ${agentNames.dockerNetwork} >/dev/null 2>&1
  timeout 20 docker image rm -f ${agentNames.sandboxImage} >/dev/null 2>&1
fi
ip netns delete ${agentNames.probeNamespace} 2>/dev/null
for i in ${[agentNames.probeLink, agentNames.overlay, agentNames.bridge]}; do ip link delete "$i" 2>/dev/null; done
nft -a list tables 2>/dev/null | awk -v n=${agentNames.nftTable} '$1 == "table" && index($3, n) == 1 {print $2, $3}' | while read -r f t; do nft delete table "$f" "$t"; done
for t in filter nat mangle raw; do iptables -t $t -S 2>/dev/null | grep -E ${`^-A .*(${agentNames.nftTable}|${agentNames.bridge}|${agentNames.overlay})`} | sed 's/^-A/-D/' | while read -r rule; do eval "iptables -t $t $rule" 2>/dev/null; done; done
for t in filter nat mangle raw; do for n in $(iptables -t $t -S 2>/dev/null | sed -n 's/^-N \(QUARTERDECK.*\)$/\1/p'); do iptables -t $t -F "$n"; iptables -t $t -X "$n"; done; done
:`
