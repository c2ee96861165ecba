/** Nodes with their pods as the scheduler believes them to be: what the informers show, plus pods assumed on the node just chosen. */
import { isPodTerminal } from '../api/core/v1/pod-questions.ts'
import type { Node, Pod } from '../api/generated/core-v1.ts'
import { keyOf } from '../api/meta.ts'
import type { NodeInfo } from './framework.ts'
import { nodeInfo } from './node-info.ts'

interface Slot {
  node: Node | undefined
  readonly pods: Map<string, Pod>
  info: NodeInfo | undefined
}

export class SchedulerCache {
  readonly #slots = new Map<string, Slot>()
  /** Where each pod is counted, by key. */
  readonly #placed = new Map<string, { node: string; uid: string | undefined }>()
  readonly #assumed = new Set<string>()

  setNode(node: Node): void {
    const slot = this.#slot(node.metadata.name ?? '')
    slot.node = node
    slot.info = undefined
  }

  removeNode(name: string): void {
    const slot = this.#slots.get(name)
    if (!slot) return
    slot.node = undefined
    slot.info = undefined
    if (slot.pods.size === 0) this.#slots.delete(name)
  }

  /** A pod as the API shows it. One that is assumed stays so until it is shown as bound. */
  setPod(pod: Pod): void {
    const key = keyOf(pod)
    const placed = this.#placed.get(key)
    if (!pod.spec?.nodeName) {
      if (placed && (!this.#assumed.has(key) || placed.uid !== pod.metadata.uid)) this.removePod(key)
      return
    }
    this.removePod(key)
    if (!isPodTerminal(pod)) this.#place(key, pod, pod.spec.nodeName)
  }

  removePod(key: string): void {
    const placed = this.#placed.get(key)
    this.#assumed.delete(key)
    if (!placed) return
    this.#placed.delete(key)
    const slot = this.#slots.get(placed.node)
    slot?.pods.delete(key)
    if (slot) slot.info = undefined
    if (slot && !slot.node && slot.pods.size === 0) this.#slots.delete(placed.node)
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

  /** All nodes, by name, so that the order is the same whatever happened before. */
  nodes(): NodeInfo[] {
    const infos: NodeInfo[] = []
    for (const slot of this.#slots.values()) {
      if (!slot.node) continue
      slot.info ??= nodeInfo(slot.node, [...slot.pods.values()])
      infos.push(slot.info)
    }
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #place(key: string, pod: Pod, node: string): void {
    const slot = this.#slot(node)
    slot.pods.set(key, pod)
    slot.info = undefined
    this.#placed.set(key, { node, uid: pod.metadata.uid })
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name)
    if (!slot) {
      slot = { node: undefined, pods: new Map(), info: undefined }
      this.#slots.set(name, slot)
    }
    return slot
  }
}
