/** What the downward API may ask of a pod: fieldRef and resourceFieldRef. Pure. */
import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from '../../api/generated/core-v1.ts'
import { parseQuantity, milliValue } from '../../api/quantity.ts'
import { bytesOf, milliCPU } from './pod-resources.ts'

export interface PodAddresses {
  readonly podIP: string
  readonly hostIP: string
  readonly nodeName: string
}
export interface NodeAllocatable {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly ephemeralBytes: number
}

/** Throws with Kubernetes' words for an unknown path. */
export function fieldValue(pod: Pod, reference: ObjectFieldSelector, addresses: PodAddresses): string {
  const path = reference.fieldPath
  const subscript = /^metadata\.(annotations|labels)\['(.*)'\]$/.exec(path)
  if (subscript) {
    const map = subscript[1] === 'annotations' ? pod.metadata.annotations : pod.metadata.labels
    return map?.[subscript[2] ?? ''] ?? ''
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name ?? ''
    case 'metadata.namespace':
      return pod.metadata.namespace ?? ''
    case 'metadata.uid':
      return pod.metadata.uid ?? ''
    case 'metadata.labels':
      return mapText(pod.metadata.labels)
    case 'metadata.annotations':
      return mapText(pod.metadata.annotations)
    case 'spec.nodeName':
      return addresses.nodeName
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? ''
    case 'status.hostIP':
    case 'status.hostIPs':
      return addresses.hostIP
    case 'status.podIP':
    case 'status.podIPs':
      return addresses.podIP
    default:
      throw new Error(`unsupported fieldPath: ${path}`)
  }
}

/** Lines `key="value"` in byte order, as files of downward API volumes show maps. */
function mapText(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, text]) => `${key}=${JSON.stringify(text)}`)
    .join('\n')
}

/** A missing limit counts as what the node can give. */
export function resourceValue(pod: Pod, container: Container | undefined, reference: ResourceFieldSelector, node: NodeAllocatable): string {
  const target = reference.containerName ? [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(c => c.name === reference.containerName) : container
  if (!target) throw new Error(`container ${reference.containerName ?? ''} not found`)
  const [kind = '', resource = ''] = reference.resource.split(/\.(.*)/s)
  const limits = target.resources?.limits ?? {}
  const requests = target.resources?.requests ?? {}
  const quantity = kind === 'limits' ? limits[resource] : (requests[resource] ?? limits[resource])
  const divisor = reference.divisor === undefined || reference.divisor === '0' ? 1000 : milliValue(parseQuantity(reference.divisor))
  if (resource === 'cpu') return String(Math.ceil((kind === 'limits' && quantity === undefined ? node.cpuMilli : milliCPU(quantity)) / divisor))
  const fallback = kind !== 'limits' ? 0 : resource === 'memory' ? node.memoryBytes : resource === 'ephemeral-storage' ? node.ephemeralBytes : 0
  return String(Math.ceil((quantity === undefined ? fallback : bytesOf(quantity)) / (divisor / 1000)))
}
