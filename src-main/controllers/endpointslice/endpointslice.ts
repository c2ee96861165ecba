/** Publishes the addresses of a service's pods in EndpointSlices. */
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import type { Pod, Service } from '../../api/generated/core-v1.ts'
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import { serviceKeysOf, serviceSelects } from '../../controller-runtime/service-pods.ts'
import { managedBy, managedByLabel, planSlices, serviceNameLabel } from './plan.ts'

const byService = 'service-of-slice'
const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

export const endpointSliceController = defineController<Service>({
  name: 'endpointslice-controller',
  for: services,
  watches: [
    { resource: pods, keys: (pod: Pod, { cache }, previous?: Pod) => serviceKeysOf(pod, previous, cache.of(services).list(pod.metadata.namespace)) },
    { resource: endpointSlices, keys: (slice: EndpointSlice) => keyOfSlice(slice) },
  ],
  reads: [nodes],
  writes: [{ resource: endpointSlices }, { resource: services, verbs: ['get'] }],
  indexes: [{ resource: endpointSlices, name: byService, values: keyOfSlice }],
  workers: 5,
  async reconcile({ cache, client, env }, key) {
    const service = cache.of(services).get(key)
    const writer = client.resource(endpointSlices)
    const existing = cache.of(endpointSlices).byIndex(byService, key)
    const unmanaged = !service || service.metadata.deletionTimestamp || service.spec?.type === 'ExternalName' || Object.keys(service.spec?.selector ?? {}).length === 0
    if (unmanaged) {
      // Slices of a deleted service go with it by their owner reference; those of one that lost its selector are its user's now.
      return
    }
    const chosen = cache
      .of(pods)
      .list(service.metadata.namespace)
      .filter(p => serviceSelects(service, p.metadata.labels))
    const plan = planSlices(
      service,
      chosen,
      existing.filter(s => !s.metadata.deletionTimestamp),
      name => cache.of(nodes).get(name),
    )
    const annotations = { [triggerAnnotation]: formatTime(env.clock.now()) }
    for (const slice of plan.create) await writer.create({ ...slice, metadata: { ...slice.metadata, annotations } })
    for (const slice of plan.update) await writer.update({ ...slice, metadata: { ...slice.metadata, annotations: { ...slice.metadata.annotations, ...annotations } } })
    for (const slice of plan.remove) {
      try {
        await writer.delete(slice.metadata.name ?? '', { namespace: slice.metadata.namespace ?? '' })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
  },
})

function keyOfSlice(slice: EndpointSlice): string[] {
  const service = slice.metadata.labels?.[serviceNameLabel]
  return service && slice.metadata.labels?.[managedByLabel] === managedBy ? [`${slice.metadata.namespace ?? ''}/${service}`] : []
}
