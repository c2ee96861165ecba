import { defineCheck, pass, fail } from '../check.ts'
import { overlaps } from '../ranges.ts'

export const rangesCheck = defineCheck({
  id: 'ranges',
  title: 'Address ranges',
  probe: 'ip -4 route show 2>/dev/null',
  judge({ facts, output, clusterCIDR, serviceCIDR }) {
    if (facts.agentVersion !== '') return pass('this host is a node already')
    const routes = output
      .split('\n')
      .map(line => line.split(' ')[0] ?? '')
      .filter(route => route.includes('/'))
    for (const range of [clusterCIDR, serviceCIDR]) {
      const clash = routes.find(route => overlaps(route, range))
      if (clash !== undefined) return fail(`${range} of the cluster overlaps the host's route ${clash}.`)
    }
    return pass(`${clusterCIDR} and ${serviceCIDR} are free`)
  },
})
