/** Says of every range of service addresses that it is ready. */
import { serviceCIDRs } from '../../api/networking/v1/service-cidr.ts'
import type { ServiceCIDR } from '../../api/generated/networking-v1.ts'
import { formatTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const serviceCIDRController = defineController<ServiceCIDR>({
  name: 'service-cidrs-controller',
  for: serviceCIDRs,
  writes: [{ resource: serviceCIDRs, subresource: 'status' }],
  workers: 1,
  async reconcile({ cache, client, env }, key) {
    const range = cache.of(serviceCIDRs).get(key)
    if (!range || range.metadata.deletionTimestamp || range.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True')) return
    const ready = { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready', lastTransitionTime: formatTime(env.clock.now()) }
    const others = (range.status?.conditions ?? []).filter(c => c.type !== 'Ready')
    await client.resource(serviceCIDRs).updateStatus({ ...range, status: { conditions: [...others, ready] } })
  },
})
