/** Small nodes and pods for the monitoring tests. */
import type { Node } from '../../../src-main/api/core/v1/node.ts'
import type { Pod } from '../../../src-main/api/core/v1/pod.ts'
import { loadOfNodes, type NodeLoad } from '../../../src-main/monitoring/cluster-load.ts'

export const now = Date.UTC(2026, 0, 1, 12)

export function node(name: string, options: { cpu?: string; memory?: string; pods?: string; podCIDR?: string; unschedulable?: boolean; ready?: boolean } = {}): Node {
  const resources = { cpu: options.cpu ?? '4', memory: options.memory ?? '8Gi', pods: options.pods ?? '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { ...(options.podCIDR ? { podCIDR: options.podCIDR } : {}), ...(options.unschedulable ? { unschedulable: true } : {}) },
    status: { allocatable: resources, capacity: resources, conditions: [{ type: 'Ready', status: options.ready === false ? 'False' : 'True' }] },
  } as Node
}

export function pod(
  name: string,
  options: { node?: string; cpu?: string; memory?: string; owner?: { kind: string; name: string }; priority?: number; unschedulableSince?: number; reason?: string } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      ...(options.owner ? { ownerReferences: [{ apiVersion: 'apps/v1', uid: options.owner.name, controller: true, ...options.owner }] } : {}),
    },
    spec: {
      containers: [{ name: 'app', image: 'app', resources: { requests: { cpu: options.cpu ?? '100m', memory: options.memory ?? '64Mi' } } }],
      ...(options.node ? { nodeName: options.node } : {}),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
    },
    status: {
      phase: options.node ? 'Running' : 'Pending',
      ...(options.unschedulableSince === undefined
        ? {}
        : {
            conditions: [
              {
                type: 'PodScheduled',
                status: 'False',
                reason: 'Unschedulable',
                message: options.reason ?? '',
                lastTransitionTime: new Date(options.unschedulableSince).toISOString().replace(/\.\d+Z/, 'Z'),
              },
            ],
          }),
    },
  } as Pod
}

export function load(nodes: Node[], pods: Pod[]): NodeLoad[] {
  return loadOfNodes(nodes, pods, new Map(), now)
}
