/** Containers whose requests or limits changed while they run: Docker is told, or the container ends where its resize policy says so. */
import type { Container, ContainerStatus, Pod, ResourceRequirements } from '../../api/generated/core-v1.ts'
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { containerLimits } from './pod-resources.ts'
import { same } from './status-patch.ts'

export class Resizer {
  readonly #context: KubeletContext
  /** What each container runs with, by its id. */
  readonly #applied = new Map<string, ResourceRequirements>()

  constructor(context: KubeletContext) {
    this.#context = context
  }

  /** Answers why the container has to be started anew, if it has to. `previous`: what its status said last. */
  async sync(pod: Pod, container: Container, live: RuntimeContainer, previous: ContainerStatus | undefined): Promise<string | undefined> {
    const wanted = container.resources ?? {}
    const before = this.#applied.get(live.id) ?? (previous?.containerID?.endsWith(live.id) ? previous.resources : undefined) ?? wanted
    this.#applied.set(live.id, before)
    if (same(before, wanted)) return undefined
    if (needsRestart(container, before, wanted)) return `Container ${container.name} resize requires restart`
    const { nodeMemoryBytes } = this.#context
    const limits = containerLimits(pod, container, nodeMemoryBytes)
    // Docker cannot lift a limit of memory: all that the node has is as good as none.
    const lifted = limits.memoryBytes === 0 && before.limits?.['memory'] !== undefined
    await this.#context.runtime.updateLimits(live.id, lifted ? { ...limits, memoryBytes: nodeMemoryBytes } : limits)
    this.#applied.set(live.id, wanted)
    return undefined
  }

  keepOnly(live: readonly RuntimeContainer[]): void {
    const ids = new Set(live.map(container => container.id))
    for (const id of this.#applied.keys()) if (!ids.has(id)) this.#applied.delete(id)
  }
}

/** Pure. */
export function needsRestart(container: Container, before: ResourceRequirements, wanted: ResourceRequirements): boolean {
  return (container.resizePolicy ?? []).some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === 'RestartContainer' &&
      (before.requests?.[resourceName] !== wanted.requests?.[resourceName] || before.limits?.[resourceName] !== wanted.limits?.[resourceName]),
  )
}
