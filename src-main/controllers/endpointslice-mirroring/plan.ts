/** Which Endpoints are mirrored, and as what. Pure. */
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from '../../api/generated/core-v1.ts'
import type { Endpoint, EndpointSlice } from '../../api/generated/discovery-v1.ts'

const skipLabel = 'endpointslice.kubernetes.io/skip-mirror'
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'
/** As upstream: of each subset at most this many addresses are shown. */
const maxAddresses = 1000

/** Endpoints that another controller keeps, that hold a lock, or whose service has a selector, are not. */
export function mirrored(source: Endpoints, service: Service): boolean {
  const { labels, annotations, deletionTimestamp } = source.metadata
  return (
    deletionTimestamp === undefined &&
    labels?.[skipLabel] !== 'true' &&
    annotations?.[leaderAnnotation] === undefined &&
    labels?.['endpoints.kubernetes.io/managed-by'] === undefined &&
    Object.keys(service.spec?.selector ?? {}).length === 0
  )
}

/** One slice for each subset and address family. */
export function slicesOf(source: Endpoints): (Pick<EndpointSlice, 'addressType' | 'endpoints'> & { ports: NonNullable<EndpointSlice['ports']> })[] {
  return (source.subsets ?? []).flatMap(subset =>
    (['IPv4', 'IPv6'] as const).flatMap(addressType => {
      const endpoints = endpointsOf(subset, addressType === 'IPv6').slice(0, maxAddresses)
      const ports = (subset.ports ?? []).map(port => ({
        name: port.name ?? '',
        port: port.port,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      }))
      return endpoints.length > 0 ? [{ addressType, endpoints, ports }] : []
    }),
  )
}

function endpointsOf(subset: EndpointSubset, wide: boolean): Endpoint[] {
  const of = (list: readonly EndpointAddress[] | undefined, ready: boolean): Endpoint[] =>
    (list ?? [])
      .filter(a => a.ip.includes(':') === wide)
      .map(address => ({
        addresses: [address.ip],
        conditions: { ready },
        ...(address.hostname ? { hostname: address.hostname } : {}),
        ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
        ...(address.targetRef === undefined ? {} : { targetRef: address.targetRef }),
      }))
  return [...of(subset.addresses, true), ...of(subset.notReadyAddresses, false)]
}
