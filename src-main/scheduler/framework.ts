/** What a scheduling plugin is. Plugins are pure: they see a snapshot of nodes with their pods and answer. */
import type { Namespace, Node, Pod, Service } from '../api/generated/core-v1.ts'
import type { ResourceAmounts } from '../api/core/v1/pod-questions.ts'
import type { AnyResource } from '../api/resource.ts'
import type { PlacedView } from './placement-index.ts'
import type { StorageView } from './storage-view.ts'

/** A node with what runs, or will run, on it. */
export interface NodeInfo {
  readonly name: string
  readonly node: Node
  readonly pods: readonly Pod[]
  readonly allocatable: ResourceAmounts
  /** Sum of the pods' requests. */
  readonly requested: ResourceAmounts
  /** The same with 100m CPU and 200 MB for containers that ask for nothing, for scoring only. */
  readonly requestedNonZero: { readonly cpu: number; readonly memory: number }
}

export interface Snapshot {
  /** By name. */
  readonly nodes: readonly NodeInfo[]
  /** Counts of the pods on these nodes, and their affinity terms. */
  readonly placed: PlacedView
  /** Nodes that hold an image. */
  imageHolders(name: string): number
  namespace(name: string): Namespace | undefined
  namespaces(): readonly Namespace[]
  /** Services of a namespace, for default spreading. */
  services(namespace: string): readonly Service[]
  /** Claims and volumes; absent: nobody asks for them. */
  readonly storage?: StorageView
}

export interface Refusal {
  readonly reasons: readonly string[]
  /** No eviction on this node could change it. */
  readonly unresolvable?: boolean
}

export interface Plugin<State = unknown> {
  /** Kubernetes' name of it. */
  readonly name: string
  /** Why the pod must not even be tried; undefined when it may. */
  gate?(pod: Pod): string | undefined
  /** Once a pod, before filter and score: what both need. */
  prepare?(pod: Pod, snapshot: Snapshot): State
  /** Why the pod fits nowhere, whatever the node; undefined when nodes are to be asked. */
  refuse?(pod: Pod, state: State): Refusal | undefined
  filter?(pod: Pod, node: NodeInfo, state: State): Refusal | undefined
  /** Which halves have nothing to say about this pod, on whatever node: they are not asked then. */
  skips?(pod: Pod, state: State): { readonly filter?: boolean; readonly score?: boolean }
  /** Raw score; higher is better unless `normalize` turns it. */
  score?(pod: Pod, node: NodeInfo, state: State): number
  /** Maps the raw scores of all feasible nodes to 0…100. Default: as they are. */
  normalize?(scores: number[], nodes: readonly NodeInfo[], state: State): number[]
  readonly weight?: number
  /** Changes that may make a pod fit which this plugin refused. */
  readonly wakesOn?: readonly { readonly kind: AnyResource; readonly on: readonly ('add' | 'update' | 'delete')[] }[]
}

/** Types a plugin; the one way to make one. */
export function definePlugin<State = undefined>(plugin: Plugin<State>): Plugin {
  return plugin as Plugin
}

/** Scales so that the largest becomes 100; `reverse` gives 100 to the smallest. */
export function scaleToHundred(scores: readonly number[], reverse = false): number[] {
  const most = Math.max(0, ...scores)
  if (most === 0) return scores.map(() => (reverse ? 100 : 0))
  return scores.map(s => {
    const part = Math.floor((100 * s) / most)
    return reverse ? 100 - part : part
  })
}
