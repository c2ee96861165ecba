import { defineCheck, pass, warn } from '../check.ts'
import { agentPorts } from '../../../api/agent.ts'

export const firewallCheck = defineCheck({
  id: 'firewall',
  title: 'Firewall',
  probe: `systemctl is-active -q firewalld 2>/dev/null && echo firewalld; ufw status 2>/dev/null | grep -qi '^status: active' && echo ufw; :`,
  judge: ({ output }) =>
    output === ''
      ? pass('none that interferes')
      : warn(
          `${output.split('\n').join(', ')} is active: let UDP port ${agentPorts.overlay} through between the nodes.`,
          output.includes('ufw') ? `ufw allow ${agentPorts.overlay}/udp` : `firewall-cmd --permanent --add-port=${agentPorts.overlay}/udp && firewall-cmd --reload`,
        ),
})
