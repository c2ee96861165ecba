import { defineCheck, pass, fail } from '../check.ts'
import { agentPorts } from '../../../api/agent.ts'

export const portsCheck = defineCheck({
  id: 'ports',
  title: 'Free ports',
  probe: 'ss -Hltn 2>/dev/null || netstat -ltn',
  judge({ facts, output, tunnelStands }) {
    // Our own agent and tunnel hold these ports on a host that is a node already.
    if (facts.agentVersion !== '') return pass('used by the Quarterdeck agent')
    const taken = [agentPorts.server, ...(tunnelStands ? [] : [agentPorts.api])].filter(port => new RegExp(`[:.]${port}\\s`).test(output))
    return taken.length === 0 ? pass('free') : fail(`In use by another program: ${taken.join(', ')}.`, `ss -ltnp | grep -E '${taken.join('|')}'`)
  },
})
