/** Keeps the old Endpoints object of a service (clients older than EndpointSlice still read it). */
import { endpoints } from '../../api/core/v1/endpoints.ts'
import { isPodReady, isPodTerminal, pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service, ServicePort } from '../../api/generated/core-v1.ts'
import { deepEqual, stringifyJson } from '../../api/json.ts'
import { keyOf, splitKey } from '../../api/meta.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import { serviceKeysOf, serviceSelects } from '../../controller-runtime/service-pods.ts'

const managedByLabel = 'endpoints.kubernetes.io/managed-by'
const headlessLabel = 'service.kubernetes.io/headless'
/** As upstream: an Endpoints object is cut at this many addresses. */
const maxAddresses = 1000

export const endpointsController = defineController<Service>({
  name: 'endpoint-controller',
  for: services,
  watches: [
    { resource: pods, keys: (pod: Pod, { cache }, previous?: Pod) => serviceKeysOf(pod, previous, cache.of(services).list(pod.metadata.namespace)) },
    { resource: endpoints, keys: (object: Endpoints) => [keyOf(object)] },
  ],
  writes: [{ resource: endpoints }],
  workers: 5,
  async reconcile({ cache, client }, key) {
    const writer = client.resource(endpoints)
    const service = cache.of(services).get(key)
    const present = cache.of(endpoints).get(key)
    const { namespace, name } = splitKey(key)
    if (!service) {
      if (present?.metadata.labels?.[managedByLabel] === undefined) return
      try {
        await writer.delete(name, { namespace })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
      return
    }
    if (service.metadata.deletionTimestamp || service.spec?.type === 'ExternalName' || Object.keys(service.spec?.selector ?? {}).length === 0) return
    const subsets = subsetsOf(
      service,
      cache
        .of(pods)
        .list(namespace)
        .filter(p => serviceSelects(service, p.metadata.labels)),
    )
    const labels = {
      ...service.metadata.labels,
      [managedByLabel]: 'endpoint-controller',
      ...(service.spec?.clusterIP === 'None' ? { [headlessLabel]: '' } : {}),
    }
    if (present && deepEqual(present.subsets ?? [], subsets) && deepEqual(present.metadata.labels ?? {}, labels)) return
    if (present) await writer.update({ ...present, metadata: { ...present.metadata, labels }, subsets })
    else await writer.create({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace, labels }, subsets })
  },
})

/** Addresses that serve the same ports share a subset; sorted, so that equal content is equal. Pure. */
export function subsetsOf(service: Service, chosen: readonly Pod[]): EndpointSubset[] {
  const subsets = new Map<string, { addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[]; ports: EndpointPort[] }>()
  const family = service.spec?.ipFamilies?.[0] === 'IPv6'
  let count = 0
  for (const pod of chosen) {
    const ip = [pod.status?.podIP ?? '', ...(pod.status?.podIPs ?? []).map(p => p.ip ?? '')].find(a => a !== '' && a.includes(':') === family)
    // Endpoints cannot say "terminating": such pods are left out, unless the service publishes all.
    if (!ip || isPodTerminal(pod) || (pod.metadata.deletionTimestamp && !service.spec?.publishNotReadyAddresses) || count++ >= maxAddresses) continue
    const ports = (service.spec?.ports ?? []).flatMap(port => endpointPort(pod, port))
    if (ports.length === 0 && service.spec?.clusterIP !== 'None') continue
    const key = stringifyJson(ports)
    const subset = subsets.get(key) ?? { addresses: [], notReadyAddresses: [], ports }
    const ready = isPodReady(pod) || service.spec?.publishNotReadyAddresses === true
    ;(ready ? subset.addresses : subset.notReadyAddresses).push(addressOf(service, pod, ip))
    subsets.set(key, subset)
  }
  const byAddress = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1)
  return [...subsets.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, s]) => ({
      ...(s.addresses.length > 0 ? { addresses: s.addresses.sort(byAddress) } : {}),
      ...(s.notReadyAddresses.length > 0 ? { notReadyAddresses: s.notReadyAddresses.sort(byAddress) } : {}),
      ...(s.ports.length > 0 ? { ports: s.ports } : {}),
    }))
}

function addressOf(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { namespace, name, uid } = pod.metadata
  return {
    ip,
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name: name ?? '', uid: uid ?? '' },
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}),
  }
}

function endpointPort(pod: Pod, port: ServicePort): EndpointPort[] {
  const target = port.targetPort ?? port.port
  const number = typeof target === 'number' ? target : (pod.spec?.containers ?? []).flatMap(c => c.ports ?? []).find(p => p.name === target)?.containerPort
  if (number === undefined) return []
  return [{ ...(port.name ? { name: port.name } : {}), port: number, protocol: port.protocol ?? 'TCP', ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}) }]
}
