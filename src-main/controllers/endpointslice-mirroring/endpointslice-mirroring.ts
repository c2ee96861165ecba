/** Shows Endpoints that a user wrote for a service without selector as EndpointSlices, which the proxies read. */
import { endpoints } from '../../api/core/v1/endpoints.ts'
import { services } from '../../api/core/v1/service.ts'
import { endpointSlices, managedByLabel, serviceNameLabel } from '../../api/discovery/v1/endpoint-slice.ts'
import type { Endpoints, Service } from '../../api/generated/core-v1.ts'
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf, splitKey } from '../../api/meta.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext } from '../../controller-runtime/controller.ts'
import { mirrored, slicesOf } from './plan.ts'

const managedBy = 'endpointslicemirroring-controller.k8s.io'
const byEndpoints = 'endpoints-of-slice'

export const endpointSliceMirroringController = defineController<Endpoints>({
  name: 'endpointslicemirroring-controller',
  for: endpoints,
  watches: [
    { resource: services, keys: (service: Service) => [keyOf(service)] },
    { resource: endpointSlices, keys: (slice: EndpointSlice) => keyOfSlice(slice) },
  ],
  writes: [{ resource: endpointSlices }],
  indexes: [{ resource: endpointSlices, name: byEndpoints, values: keyOfSlice }],
  workers: 5,
  async reconcile(context, key) {
    const { cache } = context
    const source = cache.of(endpoints).get(key)
    const service = cache.of(services).get(key)
    const existing = cache.of(endpointSlices).byIndex(byEndpoints, key)
    const wanted = source && service && mirrored(source, service) ? slicesOf(source) : []
    await Promise.all(
      wanted.map(async (slice, i) => {
        await write(context, slice, existing[i], key)
      }),
    )
    for (const slice of existing.slice(wanted.length)) {
      try {
        await context.client.resource(endpointSlices).delete(slice.metadata.name ?? '', { namespace: slice.metadata.namespace ?? '' })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
  },
})

type Wanted = ReturnType<typeof slicesOf>[number]

async function write({ cache, client }: ControllerContext, wanted: Wanted, present: EndpointSlice | undefined, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const source = cache.of(endpoints).get(key)
  if (!source) return
  const labels = { ...source.metadata.labels, [serviceNameLabel]: name, [managedByLabel]: managedBy }
  const annotations = Object.fromEntries(
    Object.entries(source.metadata.annotations ?? {}).filter(
      ([k]) => k !== 'endpoints.kubernetes.io/last-change-trigger-time' && k !== 'kubectl.kubernetes.io/last-applied-configuration',
    ),
  )
  const writer = client.resource(endpointSlices)
  if (present?.addressType === wanted.addressType) {
    const same =
      deepEqual(present.endpoints ?? [], wanted.endpoints) &&
      deepEqual(present.ports ?? [], wanted.ports) &&
      deepEqual(present.metadata.labels ?? {}, labels) &&
      deepEqual(present.metadata.annotations ?? {}, annotations)
    if (!same) await writer.update({ ...present, ...wanted, metadata: { ...present.metadata, labels, annotations } })
    return
  }
  if (present) await writer.delete(present.metadata.name ?? '', { namespace })
  await writer.create({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    ...wanted,
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels,
      annotations,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Endpoints', name, uid: source.metadata.uid ?? '', controller: true, blockOwnerDeletion: true }],
    },
  })
}

function keyOfSlice(slice: EndpointSlice): string[] {
  const name = slice.metadata.labels?.[serviceNameLabel]
  return name && slice.metadata.labels?.[managedByLabel] === managedBy ? [`${slice.metadata.namespace ?? ''}/${name}`] : []
}
