/** A simulated node as an object of the API. Pure. */
import type { Node, NodeCondition } from '../api/generated/core-v1.ts'
import { formatTime } from '../api/time.ts'
import type { NodeShape } from './settings.ts'

/** Marks nodes that are ours to make and to remove. */
export const simulatedLabel = 'infra.quarterdeck.app/simulated'

/** As many /24 as 100.64.0.0/10 has, so that no two pods of a simulation share an address. */
export const maxSimulatedNodes = 16_384

export function nodeName(index: number): string {
  return `simulated-${String(index + 1).padStart(5, '0')}`
}

function address(base: number, offset: number): string {
  const value = base + offset
  return [24, 16, 8, 0].map(shift => Math.floor(value / 2 ** shift) % 256).join('.')
}

/** Of the range for benchmarks, RFC 2544: nothing real answers there. */
export function hostAddress(index: number): string {
  return address(0xc6120000, index + 1)
}

/** Of the node's /24; addresses come round again after as many pods as a node may have. */
export function podAddress(index: number, pod: number): string {
  return address(0x64400000, index * 256 + 1 + (pod % 254))
}

function condition(type: string, status: 'True' | 'False', reason: string, message: string, now: number): NodeCondition {
  const time = formatTime(now)
  return { type, status, reason, message, lastHeartbeatTime: time, lastTransitionTime: time }
}

export function nodeObject(index: number, shape: NodeShape, version: string, now: number): Node {
  const name = nodeName(index)
  const podCIDR = `${address(0x64400000, index * 256)}/24`
  const amounts = { cpu: shape.cpu, memory: shape.memory, pods: String(shape.pods), 'ephemeral-storage': '100Gi' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        [simulatedLabel]: 'true',
        ...(shape.zones > 0 ? { 'topology.kubernetes.io/zone': `zone-${(index % shape.zones) + 1}` } : {}),
        ...shape.labels,
      },
    },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available', now),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure', now),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available', now),
        condition('Ready', 'True', 'KubeletReady', 'a simulated node is always ready', now),
      ],
      addresses: [
        { type: 'InternalIP', address: hostAddress(index) },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      nodeInfo: {
        architecture: 'amd64',
        bootID: name,
        containerRuntimeVersion: 'simulated://1',
        kernelVersion: 'simulated',
        kubeProxyVersion: version,
        kubeletVersion: version,
        machineID: name,
        operatingSystem: 'linux',
        osImage: 'simulated',
        systemUUID: name,
      },
    },
  }
}
