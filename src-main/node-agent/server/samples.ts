/** Figures of containers and of the node at one moment. */
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import type { Usage } from './cgroup-files.ts'

export interface DiskSample {
  readonly capacityBytes: number
  readonly availableBytes: number
  readonly usedBytes: number
  readonly inodes: number
  readonly inodesFree: number
}
export interface NetworkSample {
  readonly name: string
  readonly rxBytes: number
  readonly rxErrors: number
  readonly txBytes: number
  readonly txErrors: number
}
export interface ContainerSample {
  readonly container: RuntimeContainer
  readonly atMs: number
  readonly monotonicMs: number
  readonly usage: Usage
  readonly cpuNanoCores: number
  readonly network?: readonly NetworkSample[]
}
export interface NodeSample {
  readonly atMs: number
  readonly monotonicMs: number
  readonly usage: Usage
  readonly cpuNanoCores: number
  readonly disk: DiskSample
  readonly network: readonly NetworkSample[]
}
export interface StatsSource {
  containers(): readonly ContainerSample[]
  node(): NodeSample | undefined
}
