/**
 * I5: a container runs on while the control plane is away, asleep or restarting. A node may be tainted as unreachable, and
 * a pod deleted for it, only after the node itself was silent for the grace period (and the pod's toleration) of time in
 * which the control plane was awake and listening.
 */
import type { Node, Pod } from '../../src-main/api/generated/core-v1.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import type { SimControlPlane } from './control-plane.ts'
import type { Journal } from './journal.ts'
import type { SimHost } from './kubelet.ts'
import type { TruthEvent } from './ledger.ts'

/** Grace of 50 s, less the age that a last lease may have. */
const graceMs = 38_000
/** Kubernetes' default toleration of 300 s. */
const tolerationMs = 300_000

export class EvictionCheck {
  readonly #env: VirtualEnv
  readonly #journal: Journal
  readonly #plane: SimControlPlane
  readonly #hosts: ReadonlyMap<string, SimHost>
  /** When the control plane last slept, stood still or heard badly (awake time). */
  disturbedMs = 0
  /** When requests last failed at random (awake time). */
  deafMs = -Infinity
  evictions = 0

  constructor(options: { env: VirtualEnv; journal: Journal; plane: SimControlPlane; hosts: readonly SimHost[] }) {
    this.#env = options.env
    this.#journal = options.journal
    this.#plane = options.plane
    this.#hosts = new Map(options.hosts.map(host => [host.name, host]))
  }

  disturb(): void {
    this.disturbedMs = this.#env.clock.awakeMs()
  }

  onEvent(event: TruthEvent): void {
    if (event.type !== 'put' || !event.previous) return
    if (event.key.startsWith('/core/nodes/')) this.#checkTaints(event)
    if (event.key.startsWith('/core/pods/')) this.#checkEviction(event)
  }

  /** For how long the node has been silent to a control plane that listened. */
  #silentMs(node: string): number {
    const host = this.#hosts.get(node)
    const since = this.#plane.controllersSinceMs
    if (host?.silentSinceMs === undefined || since === undefined) return -1
    return this.#env.clock.awakeMs() - Math.max(host.silentSinceMs, since, this.disturbedMs)
  }

  #checkTaints(event: TruthEvent): void {
    const isTainted = (object: unknown): boolean => (object as Node).spec?.taints?.some(taint => taint.key === 'node.kubernetes.io/unreachable') ?? false
    if (!isTainted(event.object) || isTainted(event.previous)) return
    // An informer that met many failed requests may be deaf for its back-off of half a minute: a taint then is wrong but harmless.
    if (this.#env.clock.awakeMs() - this.deafMs < 90_000) return
    const silentMs = this.#silentMs(event.object.metadata.name ?? '')
    if (silentMs < graceMs) this.#journal.violate('I5', `node ${event.object.metadata.name ?? ''} was tainted after ${silentMs} ms of silence`)
  }

  #checkEviction(event: TruthEvent): void {
    const reasonOf = (object: unknown): string | undefined => (object as Pod).status?.conditions?.find(c => c.type === 'DisruptionTarget' && c.status === 'True')?.reason
    const reason = reasonOf(event.object)
    if (reason === undefined || reason === reasonOf(event.previous) || reason === 'EvictionByEvictionAPI' || reason === 'PreemptionByScheduler') return
    this.evictions++
    const node = (event.object as Pod).spec?.nodeName ?? ''
    const silentMs = this.#silentMs(node)
    // After a disturbance a node that was tainted before stays so; its pods' toleration begins anew.
    const sinceMs = this.#hosts.get(node)?.silentSinceMs
    const wholeMs = sinceMs === undefined ? -1 : this.#env.clock.awakeMs() - sinceMs
    if (silentMs < tolerationMs || wholeMs < graceMs + tolerationMs)
      this.#journal.violate('I5', `pod ${event.key} on ${node} was evicted (${reason}) after ${silentMs} ms of silence`)
  }
}

/** An ordinal of a StatefulSet never runs twice: checked over the hosts themselves, also those that are cut off. */
export function checkOrdinals(hosts: readonly SimHost[], journal: Journal): void {
  const running = new Map<string, string>()
  for (const host of hosts) {
    for (const container of host.containers.values()) {
      if (!container.isOrdinal) continue
      const key = `${container.namespace}/${container.podName}`
      const other = running.get(key)
      if (other !== undefined && other !== container.uid) journal.violate('I4', `${key} runs twice`)
      running.set(key, container.uid)
    }
  }
}
