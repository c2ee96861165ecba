/** Endpoints of a service from its pods, and how its slices must change with as few writes as possible. Pure. */
import { isPodReady, isPodTerminal } from '../../api/core/v1/pod-questions.ts'
import type { Node, Pod, Service, ServicePort } from '../../api/generated/core-v1.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts'
import { deepEqual, stringifyJson } from '../../api/json.ts'
import { controllerRef } from '../../controller-runtime/ownership.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const managedBy = 'endpointslice-controller.k8s.io'
const headlessLabel = 'service.kubernetes.io/headless'
/** As upstream: a slice stays small enough to be sent to every node on each change. */
export const maxEndpointsPerSlice = 100

type AddressType = 'IPv4' | 'IPv6'

export interface SlicePlan {
  readonly create: readonly EndpointSlice[]
  readonly update: readonly EndpointSlice[]
  readonly remove: readonly EndpointSlice[]
}

export function planSlices(service: Service, pods: readonly Pod[], existing: readonly EndpointSlice[], nodeOf: (name: string) => Node | undefined): SlicePlan {
  const families: AddressType[] = (service.spec?.ipFamilies ?? ['IPv4']).map(f => (f === 'IPv6' ? 'IPv6' : 'IPv4'))
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], remove: [] as EndpointSlice[] }
  for (const family of new Set(families.length > 0 ? families : (['IPv4'] as const))) {
    planFamily(
      service,
      pods,
      existing.filter(s => s.addressType === family),
      nodeOf,
      family,
      plan,
    )
  }
  plan.remove.push(...existing.filter(s => !families.includes(s.addressType as AddressType)))
  return plan
}

interface Group {
  readonly ports: EndpointPort[]
  readonly endpoints: Endpoint[]
}

function planFamily(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  nodeOf: (name: string) => Node | undefined,
  family: AddressType,
  plan: { create: EndpointSlice[]; update: EndpointSlice[]; remove: EndpointSlice[] },
): void {
  const groups = groupByPorts(service, pods, nodeOf, family)
  const slicesOf = new Map<string, EndpointSlice[]>()
  for (const slice of existing) {
    const key = portsKey(slice.ports ?? [])
    slicesOf.set(key, [...(slicesOf.get(key) ?? []), slice])
  }
  let kept = 0
  const empty: EndpointSlice[] = []
  for (const [key, group] of groups) {
    for (const { slice, endpoints } of distribute(group, slicesOf.get(key) ?? [])) {
      kept++
      place(service, slice, endpoints, group.ports, family, plan)
    }
    const used = new Set(distribute(group, slicesOf.get(key) ?? []).map(d => d.slice))
    empty.push(...(slicesOf.get(key) ?? []).filter(s => !used.has(s)))
  }
  for (const [key, slices] of slicesOf) if (!groups.has(key)) empty.push(...slices)
  // One empty slice stays, so that watchers see that the service is known.
  if (kept === 0) place(service, empty.shift(), [], [], family, plan)
  plan.remove.push(...empty)
}

function groupByPorts(service: Service, pods: readonly Pod[], nodeOf: (name: string) => Node | undefined, family: AddressType): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const pod of pods) {
    const address = addressOf(pod, family)
    if (!address || isPodTerminal(pod)) continue
    const ports = portsOf(service, pod)
    const key = portsKey(ports)
    const group = groups.get(key) ?? { ports, endpoints: [] }
    group.endpoints.push(endpointOf(service, pod, address, nodeOf))
    groups.set(key, group)
  }
  return groups
}

/** Endpoints stay in the slice they are in; new ones fill slices with room, then new slices. */
function distribute(group: Group, slices: readonly EndpointSlice[]): { slice: EndpointSlice | undefined; endpoints: Endpoint[] }[] {
  const wanted = new Map(group.endpoints.map(e => [idOf(e), e]))
  const placed = slices.map(slice => {
    const endpoints: Endpoint[] = []
    for (const present of slice.endpoints ?? []) {
      const next = wanted.get(idOf(present))
      if (next) {
        endpoints.push(next)
        wanted.delete(idOf(present))
      }
    }
    return { slice: slice as EndpointSlice | undefined, endpoints }
  })
  const rest = [...wanted.values()]
  for (const entry of placed.filter(p => p.endpoints.length > 0)) entry.endpoints.push(...rest.splice(0, Math.max(0, maxEndpointsPerSlice - entry.endpoints.length)))
  for (const entry of placed.filter(p => p.endpoints.length === 0)) entry.endpoints.push(...rest.splice(0, maxEndpointsPerSlice))
  while (rest.length > 0) placed.push({ slice: undefined, endpoints: rest.splice(0, maxEndpointsPerSlice) })
  return placed.filter(p => p.endpoints.length > 0)
}

function place(
  service: Service,
  slice: EndpointSlice | undefined,
  endpoints: Endpoint[],
  ports: EndpointPort[],
  family: AddressType,
  plan: { create: EndpointSlice[]; update: EndpointSlice[] },
): void {
  const labels = labelsOf(service)
  if (!slice) {
    plan.create.push({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: family,
      endpoints,
      ports,
      metadata: { generateName: `${service.metadata.name ?? ''}-`, namespace: service.metadata.namespace ?? '', labels, ownerReferences: [controllerRef(service)] },
    })
  } else if (!deepEqual(slice.endpoints ?? [], endpoints) || portsKey(slice.ports ?? []) !== portsKey(ports) || !deepEqual(slice.metadata.labels ?? {}, labels)) {
    plan.update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints, ports })
  }
}

function labelsOf(service: Service): Record<string, string> {
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {}
  return {
    ...own,
    [serviceNameLabel]: service.metadata.name ?? '',
    [managedByLabel]: managedBy,
    ...(service.spec?.clusterIP === 'None' ? { [headlessLabel]: '' } : {}),
  }
}

export function addressOf(pod: Pod, family: AddressType): string | undefined {
  const all = [...(pod.status?.podIPs ?? []).map(p => p.ip ?? ''), pod.status?.podIP ?? '']
  return all.find(ip => ip !== '' && ip.includes(':') === (family === 'IPv6'))
}

function endpointOf(service: Service, pod: Pod, address: string, nodeOf: (name: string) => Node | undefined): Endpoint {
  const serving = isPodReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const { namespace, name, uid } = pod.metadata
  const endpoint: Endpoint = {
    addresses: [address],
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name: name ?? '', uid: uid ?? '' },
  }
  if (pod.spec?.nodeName) {
    endpoint.nodeName = pod.spec.nodeName
    const zone = nodeOf(pod.spec.nodeName)?.metadata.labels?.['topology.kubernetes.io/zone']
    if (zone) endpoint.zone = zone
  }
  if (pod.spec?.hostname && pod.spec.subdomain === service.metadata.name) endpoint.hostname = pod.spec.hostname
  return endpoint
}

/** The service's ports as this pod serves them; a named target port that the pod lacks is left out. */
export function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port): EndpointPort[] => {
    const number = targetPort(pod, port)
    if (number === undefined) return []
    return [{ name: port.name ?? '', port: number, protocol: port.protocol ?? 'TCP', ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}) }]
  })
}

export function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port
  if (typeof target === 'number') return target === 0 ? port.port : target
  // Sidecars serve too; plain init containers are gone by then.
  const serving = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(c => c.restartPolicy === 'Always')]
  return serving.flatMap(c => c.ports ?? []).find(p => p.name === target && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))?.containerPort
}

function portsKey(ports: readonly EndpointPort[]): string {
  return ports
    .map(p => stringifyJson([p.name ?? '', p.port ?? 0, p.protocol ?? 'TCP', p.appProtocol ?? '']))
    .sort()
    .join()
}

function idOf(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ''}/${endpoint.addresses[0] ?? ''}`
}
