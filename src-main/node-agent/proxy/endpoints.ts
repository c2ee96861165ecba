/** Which endpoints a service's port has, from EndpointSlices. Pure. */
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import type { Service, ServicePort } from '../../api/generated/core-v1.ts'

export interface Backend {
  readonly address: string
  readonly port: number
  readonly local: boolean
}

/** Slices by `namespace/service`. */
export function slicesByService(slices: Iterable<EndpointSlice>): Map<string, EndpointSlice[]> {
  const out = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue
    const service = slice.metadata.labels?.['kubernetes.io/service-name']
    if (!service) continue
    const key = `${slice.metadata.namespace ?? ''}/${service}`
    const list = out.get(key)
    if (list) list.push(slice)
    else out.set(key, [slice])
  }
  return out
}

/** Ready ones; where there are none, those that still serve while they terminate. Sorted, without doubles. */
export function backendsOf(_service: Service, port: ServicePort, slices: readonly EndpointSlice[], nodeName: string, localOnly: boolean): Backend[] {
  const ready = new Map<string, Backend>()
  const leaving = new Map<string, Backend>()
  for (const slice of slices) {
    const target = slice.ports?.find(candidate => (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))?.port
    if (target === undefined) continue
    for (const endpoint of slice.endpoints ?? []) {
      const local = endpoint.nodeName === nodeName
      if (localOnly && !local) continue
      const { ready: isReady = true, serving = isReady, terminating = false } = endpoint.conditions ?? {}
      for (const address of endpoint.addresses.slice(0, 1)) {
        if (!isForwardable(address)) continue
        const backend = { address, port: target, local }
        if (isReady) ready.set(`${address}:${target}`, backend)
        else if (serving && terminating) leaving.set(`${address}:${target}`, backend)
      }
    }
  }
  const chosen = ready.size > 0 ? ready : leaving
  return [...chosen.values()].sort((a, b) => compareAddresses(a.address, b.address) || a.port - b.port)
}

/** Loopback, link-local and multicast addresses would turn a service into a way into the node or its metadata service. */
export function isForwardable(address: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(address) && !/^(127\.|169\.254\.|0\.|22[4-9]\.|23\d\.|255\.)/.test(address)
}

function compareAddresses(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
