/**
 * Byte streams from the API server to services: to a ready endpoint, through the agent of the node where its pod runs
 * (only it is in the pods' network), or straight to an address that is no pod's. For webhooks and aggregated servers.
 */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import type { Service } from '../../api/generated/core-v1.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { askAgent, type AgentAccess } from './agent-connection.ts'

export interface ServiceReference {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

export interface ServiceConnector {
  /** Rejects with an Error whose message is a sentence. */
  open(service: ServiceReference, signal?: AbortSignal): Promise<Duplex>
  /** Why `open` cannot work now; undefined where it may. `reason` as in the Available condition of API services. */
  obstacle(service: ServiceReference): { readonly reason: string; readonly message: string } | undefined
}

interface Endpoint {
  readonly address: string
  readonly port: number
  readonly pod?: { readonly namespace: string; readonly name: string; readonly node: string }
}

/** Opening a connection to an address that is no pod's. */
const connectMs = 10_000

export function createServiceConnector(options: AgentAccess & { readonly copies: LiveCopies }): ServiceConnector {
  const services = options.copies.of<Service>(places.services)
  const slices = options.copies.of<EndpointSlice>(places.endpointSlices)
  const slicesOf = slices.indexBy(slice => [`${slice.metadata.namespace ?? ''}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`])
  let turn = 0

  function endpoints({ namespace, name, port }: ServiceReference): Endpoint[] {
    const service = services.get(namespace, name)
    const named = service?.spec?.ports?.find(one => one.port === port)
    if (!service || !named) return []
    return slicesOf(`${namespace}/${name}`).flatMap(slice => {
      const target = slice.ports?.find(one => (one.name ?? '') === (named.name ?? ''))?.port
      if (target === undefined) return []
      return (slice.endpoints ?? []).flatMap(endpoint => {
        const [address] = endpoint.addresses
        if (!address || endpoint.conditions?.ready === false) return []
        const pod = endpoint.targetRef?.kind === 'Pod' && endpoint.nodeName ? { namespace, name: endpoint.targetRef.name ?? '', node: endpoint.nodeName } : undefined
        return [{ address, port: target, ...(pod ? { pod } : {}) }]
      })
    })
  }

  function obstacle(reference: ServiceReference): { reason: string; message: string } | undefined {
    const { namespace, name, port } = reference
    const service = services.get(namespace, name)
    if (!service) return { reason: 'ServiceNotFound', message: `service/${name} in ${JSON.stringify(namespace)} is not present` }
    if (service.spec?.type === 'ExternalName') return undefined
    if (!service.spec?.ports?.some(one => one.port === port))
      return { reason: 'ServicePortError', message: `service/${name} in ${JSON.stringify(namespace)} is not listening on port ${port}` }
    const all = slicesOf(`${namespace}/${name}`)
    if (all.length === 0) return { reason: 'EndpointsNotFound', message: `cannot find endpointslices for service/${name} in ${JSON.stringify(namespace)}` }
    if (endpoints(reference).length > 0) return undefined
    return {
      reason: 'MissingEndpoints',
      message: `endpointslices for service/${name} in ${JSON.stringify(namespace)} have no addresses with port name ${JSON.stringify(service.spec.ports.find(one => one.port === port)?.name ?? '')}`,
    }
  }

  return {
    obstacle,
    async open(reference, signal) {
      const { namespace, name, port } = reference
      const service = services.get(namespace, name)
      if (!service) throw new Error(`service ${JSON.stringify(name)} not found`)
      if (service.spec?.type === 'ExternalName') return openAddress(service.spec.externalName ?? '', port, signal)
      const found = endpoints(reference)
      const endpoint = found[turn++ % Math.max(1, found.length)]
      if (!endpoint) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`)
      if (!endpoint.pod) return openAddress(endpoint.address, endpoint.port, signal)
      const path = `/podProxy/${endpoint.pod.namespace}/${endpoint.pod.name}/${endpoint.port}`
      const answer = await askAgent(options, { node: endpoint.pod.node, method: 'GET', path, headers: { connection: 'Upgrade', upgrade: 'tcp' }, ...(signal ? { signal } : {}) })
      if (answer.kind === 'upgrade') {
        if (answer.head.length > 0) answer.stream.unshift(answer.head)
        return answer.stream
      }
      answer.message.resume()
      throw new Error(`the node of pod ${endpoint.pod.name} does not connect: ${answer.message.statusCode ?? 0}`)
    },
  }
}

/** A plain TCP connection. */
export function openAddress(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: connectMs })
    const fail = (fault: Error): void => {
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(fault)
    }
    const onAbort = (): void => {
      fail(new Error('context canceled'))
    }
    if (signal?.aborted) {
      onAbort()
      return
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('error', fail)
    socket.once('timeout', () => {
      fail(new Error(`dial tcp ${host}:${port}: i/o timeout`))
    })
    socket.once('connect', () => {
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', fail)
      socket.setTimeout(0)
      resolve(socket)
    })
  })
}
