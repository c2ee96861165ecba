/** The pod's sandbox: the container that holds its network and IPC namespaces. */
import type { Pod } from '../../api/generated/core-v1.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import { sandboxSpec } from './container-spec.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { killContainers } from './pod-killer.ts'

/** A sandbox that cannot be made must not be tried in a tight loop: its own failing start and removal wake the worker. */
const retry = { initialMs: 1_000, maxMs: 30_000 }

export class SandboxKeeper {
  readonly #context: KubeletContext
  #failures = 0
  #notBeforeMs = 0
  constructor(context: KubeletContext) {
    this.#context = context
  }

  /** The newest sandbox, running or not. */
  current(containers: readonly RuntimeContainer[]): RuntimeContainer | undefined {
    return containers.filter(c => c.type === 'sandbox').sort((a, b) => b.restartCount - a.restartCount)[0]
  }

  /** A running sandbox, made where there is none; undefined where that is not possible now (an event says why). */
  async ensure(pod: Pod, containers: readonly RuntimeContainer[]): Promise<{ container: RuntimeContainer; fresh: boolean } | undefined> {
    const context = this.#context
    const present = this.current(containers)
    if (present?.phase === 'running') return { container: present, fresh: false }
    if (!pod.spec?.hostNetwork && !context.networkReady()) {
      context.event(
        pod,
        'Warning',
        'NetworkNotReady',
        'network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:pod network is not configured yet',
      )
      return undefined
    }
    if (context.env.clock.awakeMs() < this.#notBeforeMs) return undefined
    // Containers of a lost sandbox have lost their network: they start anew with the new one.
    if (present) {
      context.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
      await killContainers(
        context,
        pod,
        containers.filter(c => c.type === 'container' && c.phase === 'running'),
        undefined,
        undefined,
      )
    }
    try {
      await context.runtime.ensureSandboxImage()
      const id = await this.#create(pod, (present?.restartCount ?? -1) + 1)
      await context.runtime.start(id)
      for (const old of containers) if (old.type === 'sandbox') await context.runtime.remove(old.id)
      const container = await context.runtime.inspect(id)
      if (container?.phase !== 'running') throw new Error(container?.error || 'the sandbox ended at once')
      if (!pod.spec?.hostNetwork) await context.networkJoined()
      this.#failures = 0
      return { container, fresh: true }
    } catch (fault) {
      this.#notBeforeMs = context.env.clock.awakeMs() + backoffMs(retry, this.#failures++, context.env.random)
      context.event(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${fault instanceof Error ? fault.message : String(fault)}`)
      for (const left of await context.runtime.list(pod.metadata.uid)) if (left.type === 'sandbox' && left.phase !== 'running') await context.runtime.remove(left.id)
      return undefined
    }
  }

  async #create(pod: Pod, attempt: number): Promise<string> {
    return this.#context.runtime.createSandbox(sandboxSpec(pod, attempt, this.#context.dns.clusterDomain))
  }

  async stop(containers: readonly RuntimeContainer[]): Promise<void> {
    for (const sandbox of containers) if (sandbox.type === 'sandbox' && sandbox.phase === 'running') await this.#context.runtime.stop(sandbox.id, 2)
  }
}
