/** Nodes with their pods as the scheduler believes them to be: what the informers show, plus pods assumed on the node just chosen. */
import { isPodTerminal } from '../api/core/v1/pod-questions.ts'
import type { Node, Pod } from '../api/generated/core-v1.ts'
import { deepEqual } from '../api/json.ts'
import { keyOf } from '../api/meta.ts'
import type { NodeInfo } from './framework.ts'
import { ImageIndex } from './image-index.ts'
import { nodeInfo, withoutPods, withPod } from './node-info.ts'
import { PlacementIndex } from './placement-index.ts'

interface Slot {
  readonly name: string
  node: Node | undefined
  /** With its pods; without a node, only the pods count. */
  info: NodeInfo
  /** Where it stands among the nodes. */
  at: number
}

interface Placed {
  readonly slot: Slot
  /** As it was counted. */
  readonly pod: Pod
}

export class SchedulerCache {
  readonly #slots = new Map<string, Slot>()
  /** Where each pod is counted, by key. */
  readonly #placed = new Map<string, Placed>()
  readonly #assumed = new Set<string>()
  readonly #images = new ImageIndex()
  #nodes: NodeInfo[] = []
  #sorted = true
  readonly index = new PlacementIndex(() => this.nodes())

  setNode(node: Node): void {
    const slot = this.#slot(node.metadata.name ?? '')
    const previous = slot.node
    const { pods } = slot.info
    slot.node = node
    if (!previous) this.#sorted = false
    this.#setInfo(slot, nodeInfo(node, pods))
    if (!previous || !deepEqual(previous.metadata.labels, node.metadata.labels)) this.index.moveNode(previous, node, pods)
    this.#images.replace(previous, node)
  }

  removeNode(name: string): void {
    const slot = this.#slots.get(name)
    if (!slot?.node) return
    this.index.moveNode(slot.node, undefined, slot.info.pods)
    this.#images.replace(slot.node, undefined)
    slot.node = undefined
    this.#sorted = false
    this.#drop(slot)
  }

  /** A pod as the API shows it. One that is assumed stays so until it is shown as bound. */
  setPod(pod: Pod): void {
    const key = keyOf(pod)
    const placed = this.#placed.get(key)
    if (!pod.spec?.nodeName) {
      if (placed && (!this.#assumed.has(key) || placed.pod.metadata.uid !== pod.metadata.uid)) this.removePod(key)
      return
    }
    this.removePod(key)
    if (!isPodTerminal(pod)) this.#place(key, pod, pod.spec.nodeName)
  }

  removePod(key: string): void {
    const placed = this.#placed.get(key)
    this.#assumed.delete(key)
    if (!placed) return
    const { slot, pod } = placed
    this.#placed.delete(key)
    this.index.remove(pod, slot.node)
    this.#setInfo(slot, withoutPods(slot.info, new Set([pod])))
    this.#drop(slot)
  }

  /** Counts the pod on a node before the API knows. */
  assume(pod: Pod, node: string): void {
    const key = keyOf(pod)
    this.removePod(key)
    this.#assumed.add(key)
    this.#place(key, { ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: node } }, node)
  }

  /** The binding failed. */
  forget(key: string): void {
    if (this.#assumed.has(key)) this.removePod(key)
  }

  isPlaced(key: string): boolean {
    return this.#placed.has(key)
  }

  /** All nodes, by name, so that the order is the same whatever happened before. The cache's own list: it changes with the next call to any method. */
  nodes(): readonly NodeInfo[] {
    if (!this.#sorted) {
      const slots = [...this.#slots.values()].filter(slot => slot.node).sort((a, b) => (a.name < b.name ? -1 : 1))
      for (const [at, slot] of slots.entries()) slot.at = at
      this.#nodes = slots.map(slot => slot.info)
      this.#sorted = true
    }
    return this.#nodes
  }

  imageHolders(name: string): number {
    return this.#images.holders(name)
  }

  #place(key: string, pod: Pod, node: string): void {
    const slot = this.#slot(node)
    this.#placed.set(key, { slot, pod })
    this.#setInfo(slot, withPod(slot.info, pod))
    this.index.place(pod, slot.node)
  }

  #setInfo(slot: Slot, info: NodeInfo): void {
    slot.info = info
    if (slot.node && this.#sorted) this.#nodes[slot.at] = info
  }

  #drop(slot: Slot): void {
    if (!slot.node && slot.info.pods.length === 0) this.#slots.delete(slot.name)
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name)
    if (!slot) {
      slot = { name, node: undefined, info: nodeInfo({ apiVersion: 'v1', kind: 'Node', metadata: { name } }, []), at: -1 }
      this.#slots.set(name, slot)
    }
    return slot
  }
}
