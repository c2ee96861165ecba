/** Gives every node a range of pod addresses: the lowest free /24 of the cluster's range. */
import { nodes } from '../../api/core/v1/node.ts'
import type { Node } from '../../api/generated/core-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerDefinition } from '../../controller-runtime/controller.ts'

export interface NodeIpamOptions {
  /** IPv4. Default 10.244.0.0/16. */
  readonly clusterCIDR?: string
  /** Default 24. */
  readonly nodeMaskSize?: number
}

export function nodeIpamController(options: NodeIpamOptions = {}): ControllerDefinition<Node> {
  const range = options.clusterCIDR ?? '10.244.0.0/16'
  const mask = options.nodeMaskSize ?? 24
  return defineController<Node>({
    name: 'node-ipam-controller',
    for: nodes,
    writes: [{ resource: nodes, verbs: ['get', 'patch'] }],
    // One at a time: two nodes must not take the same range. A restart reads what was given from the nodes themselves.
    workers: 1,
    async reconcile({ cache, client, events }, name) {
      const node = cache.of(nodes).get(name)
      if (!node || node.spec?.podCIDR || node.metadata.deletionTimestamp) return
      // The live list: the cache may not show the range given a moment ago.
      const taken = (await client.resource(nodes).list()).items.flatMap(n => n.spec?.podCIDRs ?? (n.spec?.podCIDR ? [n.spec.podCIDR] : []))
      const podCIDR = nextRange(range, mask, taken)
      if (!podCIDR) {
        events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`)
        throw new Error(`no free /${mask} is left in ${range}`)
      }
      try {
        await client
          .resource(nodes)
          .patch(name, 'merge', { metadata: { uid: node.metadata.uid, resourceVersion: node.metadata.resourceVersion }, spec: { podCIDR, podCIDRs: [podCIDR] } })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    },
  })
}

/** The lowest free range; undefined when all are taken. Pure. */
export function nextRange(clusterCIDR: string, mask: number, taken: readonly string[]): string | undefined {
  const [address, prefix] = clusterCIDR.split('/')
  const base = toNumber(address ?? '')
  const count = 2 ** Math.max(0, mask - Number(prefix))
  const size = 2 ** (32 - mask)
  const used = new Set(taken)
  for (let i = 0; i < count; i++) {
    const candidate = `${toAddress(base + i * size)}/${mask}`
    if (!used.has(candidate)) return candidate
  }
  return undefined
}

function toNumber(address: string): number {
  return address.split('.').reduce((n, part) => n * 256 + Number(part), 0)
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map(shift => Math.floor(value / 2 ** shift) % 256).join('.')
}
