/** Requests and limits as the numbers that cgroups take. Pure. */
import { milliValue, parseQuantity, value } from '../../api/quantity.ts'
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import { podQosClass } from '../../api/core/v1/pod-questions.ts'

const cpuPeriodUs = 100_000

export interface ContainerLimits {
  readonly cpuShares: number
  readonly cpuQuota: number
  readonly cpuPeriod: number
  readonly memoryBytes: number
  readonly oomScoreAdjustment: number
}

export function milliCPU(quantity: string | undefined): number {
  return quantity === undefined ? 0 : milliValue(parseQuantity(quantity))
}

export function bytesOf(quantity: string | undefined): number {
  return quantity === undefined ? 0 : value(parseQuantity(quantity))
}

export function containerLimits(pod: Pod, container: Container, nodeMemoryBytes: number): ContainerLimits {
  const limits = container.resources?.limits ?? {}
  const requests = container.resources?.requests ?? {}
  const requestMilli = milliCPU(requests['cpu'] ?? limits['cpu'])
  const limitMilli = milliCPU(limits['cpu'])
  return {
    cpuShares: Math.max(2, Math.min(262_144, Math.floor((requestMilli * 1024) / 1000))),
    // The kernel refuses quotas under 1 ms.
    cpuQuota: limitMilli === 0 ? 0 : Math.max(1000, Math.floor((limitMilli * cpuPeriodUs) / 1000)),
    cpuPeriod: limitMilli === 0 ? 0 : cpuPeriodUs,
    memoryBytes: bytesOf(limits['memory']),
    oomScoreAdjustment: oomScoreAdjustment(pod, container, nodeMemoryBytes),
  }
}

/** Kubernetes' rule: guaranteed pods die last, best-effort pods first, others by their share of the node's memory. */
export function oomScoreAdjustment(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if (pod.spec?.priorityClassName === 'system-node-critical') return -997
  const qos = podQosClass(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const request = bytesOf(container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'])
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, nodeMemoryBytes))
  return score < 3 ? 3 : Math.min(999, score)
}
