/** Starts one container of a pod: image, environment, mounts, create, start, postStart. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import { writeFileAtomic } from '../checkpoint.ts'
import type { Mount, RuntimeContainer } from '../container-runtime/runtime.ts'
import { RuntimeError } from '../container-runtime/runtime.ts'
import { containerSpec, runtimeName } from './container-spec.ts'
import { ContainerConfigError, environmentOf } from './environment.ts'
import { ImageError } from './images.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { runHook } from './lifecycle-hooks.ts'
import { hostResolver, hostsText, podResolver, resolverText } from './pod-files.ts'
import { attemptsOf } from './pod-status.ts'
import type { Waiting } from './pod-status.ts'

/** Started: look again when something happens. */
const settledMs = 60_000
/** A reference that cannot be resolved now. */
const configRetryMs = 10_000

interface Turn {
  pod: Pod
  sandbox: RuntimeContainer
  paths: Map<string, string>
  present: readonly RuntimeContainer[]
  signal: AbortSignal
}

export class ContainerStarter {
  readonly #context: KubeletContext
  readonly #waiting: Map<string, Waiting>
  #turn: Turn | undefined

  constructor(context: KubeletContext, waiting: Map<string, Waiting>) {
    this.#context = context
    this.#waiting = waiting
  }

  /** What the coming starts work with. */
  begin(pod: Pod, sandbox: RuntimeContainer, paths: Map<string, string>, present: readonly RuntimeContainer[], signal: AbortSignal): void {
    this.#turn = { pod, sandbox, paths, present, signal }
  }

  /** Answers after how long to look again. Faults of the container's own making become its waiting reason. */
  async start(container: Container, attempt: number, targetName?: string): Promise<number> {
    const context = this.#context
    const turn = this.#turn
    if (!turn || turn.signal.aborted) return 0
    const { pod } = turn
    const event = (type: 'Normal' | 'Warning', reason: string, message: string): void => {
      context.event(pod, type, reason, message, container)
    }
    try {
      const image = await context.images.ensure(pod, container, event, turn.signal)
      const id = await this.#create(turn, container, attempt, image, targetName)
      event('Normal', 'Created', 'Container created')
      await this.#run(turn, container, id, event)
      this.#waiting.delete(container.name)
      return settledMs
    } catch (fault) {
      if (turn.signal.aborted) return 0
      return this.#note(container, fault, event)
    }
  }

  #note(container: Container, fault: unknown, event: (type: 'Warning', reason: string, message: string) => void): number {
    const message = fault instanceof Error ? fault.message : String(fault)
    if (fault instanceof ImageError) {
      if (fault.reason === 'ErrImageNeverPull' || fault.reason === 'InvalidImageName') event('Warning', 'Failed', `Error: ${fault.reason}`)
      if (fault.reason === 'ImagePullBackOff') event('Warning', 'Failed', 'Error: ImagePullBackOff')
      this.#waiting.set(container.name, { reason: fault.reason, message })
      return Math.min(fault.retryAfterMs, configRetryMs)
    }
    if (fault instanceof StartFault) {
      this.#waiting.set(container.name, { reason: fault.reason, message })
      return 50
    }
    const reason = fault instanceof RuntimeError && fault.code > 0 ? 'CreateContainerError' : 'CreateContainerConfigError'
    event('Warning', 'Failed', `Error: ${message}`)
    this.#waiting.set(container.name, { reason, message })
    return configRetryMs
  }

  async #create(turn: Turn, container: Container, attempt: number, image: { id: string; user: string }, targetName: string | undefined): Promise<string> {
    const context = this.#context
    const { pod, sandbox } = turn
    const podIP = pod.spec?.hostNetwork ? context.nodeAddress : sandbox.address
    const environment = await environmentOf(pod, container, context.environmentSources(podIP))
    const terminationLog = join(context.volumes.podDir(pod.metadata.uid ?? ''), 'containers', container.name, `${attempt}.termination-log`)
    const mounts = await this.#mounts(turn, container, environment, podIP, terminationLog)
    const targetID = targetName ? attemptsOf(turn.present, targetName)[0]?.id : undefined
    const spec = containerSpec({
      pod,
      container,
      attempt,
      sandboxID: sandbox.id,
      environment,
      mounts,
      image,
      nodeMemoryBytes: context.nodeMemoryBytes,
      terminationLog,
      ...(targetID === undefined ? {} : { targetID }),
    })
    try {
      return await context.runtime.createContainer(spec)
    } catch (fault) {
      if (!(fault instanceof RuntimeError && fault.code === 409)) throw fault
      // Left behind by an agent that died between creating and starting it.
      const left = (await context.runtime.list(pod.metadata.uid)).find(c => c.name === container.name && c.restartCount === attempt)
      if (!left || left.phase === 'running') throw new Error(`container name ${runtimeName(pod, container.name, attempt)} is taken`, { cause: fault })
      await context.runtime.remove(left.id)
      return context.runtime.createContainer(spec)
    }
  }

  async #mounts(turn: Turn, container: Container, environment: ReadonlyMap<string, string>, podIP: string, terminationLog: string): Promise<Mount[]> {
    const context = this.#context
    const { pod } = turn
    const mounts: Mount[] = []
    let index = 0
    for (const mount of container.volumeMounts ?? []) {
      const path = turn.paths.get(mount.name)
      if (path === undefined) throw new ContainerConfigError(`volume "${mount.name}" is not mounted`)
      mounts.push(await context.volumes.mountOf(pod, mount, path, container.name, index++, environment))
    }
    const directory = context.volumes.podDir(pod.metadata.uid ?? '')
    const targets = new Set(mounts.map(mount => mount.target))
    if (!targets.has('/etc/hosts') && !pod.spec?.hostNetwork) {
      await writeFileAtomic(join(directory, 'etc-hosts'), hostsText(pod, podIP, context.dns.clusterDomain), 0o644)
      mounts.push({ source: join(directory, 'etc-hosts'), target: '/etc/hosts', readOnly: false })
    }
    if (!targets.has('/etc/resolv.conf')) {
      await writeFileAtomic(join(directory, 'resolv.conf'), resolverText(podResolver(pod, await hostResolver(), context.dns)), 0o644)
      mounts.push({ source: join(directory, 'resolv.conf'), target: '/etc/resolv.conf', readOnly: false })
    }
    await mkdir(dirname(terminationLog), { recursive: true, mode: 0o755 })
    await writeFile(terminationLog, '', { mode: 0o666 })
    await chmod(terminationLog, 0o666)
    mounts.push({ source: terminationLog, target: container.terminationMessagePath ?? '/dev/termination-log', readOnly: false })
    return mounts
  }

  async #run(turn: Turn, container: Container, id: string, event: (type: 'Normal' | 'Warning', reason: string, message: string) => void): Promise<void> {
    const context = this.#context
    try {
      await context.runtime.start(id)
    } catch (fault) {
      const message = `failed to start container "${container.name}": ${fault instanceof Error ? fault.message : String(fault)}`
      event('Warning', 'Failed', `Error: ${message}`)
      throw new StartFault('RunContainerError', message)
    }
    event('Normal', 'Started', 'Container started')
    const hook = container.lifecycle?.postStart
    if (!hook) return
    try {
      await runHook(context.runtime, context.env.clock, hook, { containerID: id, container, podIP: turn.sandbox.address || context.nodeAddress }, 300_000)
    } catch (fault) {
      event('Warning', 'FailedPostStartHook', 'PostStartHook failed')
      event('Normal', 'Killing', 'FailedPostStartHook')
      await context.runtime.stop(id, turn.pod.spec?.terminationGracePeriodSeconds ?? 30)
      throw new StartFault('PostStartHookError', fault instanceof Error ? fault.message : String(fault))
    }
  }
}

class StartFault extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}
