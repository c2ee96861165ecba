/**
 * The pods of this node: a worker for each pod that the API (or its checkpoint) says belongs here, woken by changes, by
 * the runtime's events and by probes; containers of pods that belong nowhere are removed.
 */
import { readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { pods } from '../../api/core/v1/pod.ts'
import type { Node, Pod, Service } from '../../api/generated/core-v1.ts'
import { isConflict, isNotFound } from '../../api/status-error.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import type { Recorder } from '../../client/event-recorder.ts'
import { readJsonFile, writeFileAtomic } from '../checkpoint.ts'
import type { RunCommand } from '../commands.ts'
import type { ContainerRuntime, RuntimeContainer } from '../container-runtime/runtime.ts'
import { containerLabels } from '../container-runtime/runtime.ts'
import { admissionFault } from './admission.ts'
import type { EnvironmentSources } from './environment.ts'
import { Images } from './images.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { objectSource } from './objects.ts'
import type { DnsSettings } from './pod-files.ts'
import { attemptsOf } from './pod-status.ts'
import { PodWorker } from './pod-worker.ts'
import { Prober } from './prober.ts'
import { CrashBackoff } from './restart-policy.ts'
import type { BackoffEntry } from './restart-policy.ts'
import { ServiceAccountTokens } from './service-account-tokens.ts'
import { StatusManager } from './status-manager.ts'
import { Volumes } from './volumes.ts'

/** Orphans are gone within a minute (invariant I4): two rounds fit. */
const housekeepingMs = 20_000
/** As upstream: a termination message has at most 4096 bytes, the last log lines at most 2048 or 80 lines. */
const maxMessageBytes = 4096
const maxFallbackBytes = 2048
const fallbackLines = 80
/** Crashes come one after the other; a second is well below the shortest back-off. */
const checkpointDelayMs = 1_000

export interface KubeletOptions {
  readonly env: Env
  readonly client: Client
  readonly runtime: ContainerRuntime
  readonly recorder: Recorder
  readonly run: RunCommand
  readonly stateDir: string
  readonly nodeName: string
  readonly nodeAddress: string
  readonly nodeCPUs: number
  readonly nodeMemoryBytes: number
  readonly dns: DnsSettings
  readonly services: () => Iterable<Service>
  /** This node as the API last gave it. */
  readonly node: () => Node | undefined
  readonly networkReady: () => boolean
  readonly networkJoined: () => Promise<void>
  /** The pod as the API last gave it. */
  readonly live: (key: string) => Pod | undefined
  /** True once the API's own list of pods is known in this run: only then is a strange container an orphan. */
  readonly listed: () => boolean
}

export class Kubelet {
  readonly #options: KubeletOptions
  readonly #workers = new Map<string, PodWorker>()
  readonly #context: KubeletContext
  readonly #statuses: StatusManager
  readonly #imageNames = new Map<string, string>()
  readonly #messages = new Map<string, string>()
  #stopObjects: () => void = () => {}
  #checkpointPlanned = false

  constructor(options: KubeletOptions) {
    this.#options = options
    this.#statuses = new StatusManager({ env: options.env, client: options.client, live: options.live })
    this.#context = this.#makeContext()
  }

  /** What the agent knew before it was restarted; before the first pod is told. */
  async load(): Promise<void> {
    this.#context.crashBackoff.restore((await readJsonFile<[string, BackoffEntry][]>(this.#backoffPath())) ?? [])
  }

  /** Every pod here, with the status that this node knows. */
  pods(): Pod[] {
    return [...this.#workers.values()].map(worker => ({ ...worker.pod, apiVersion: 'v1', kind: 'Pod', ...(worker.status ? { status: worker.status } : {}) }))
  }

  worker(namespace: string, name: string): PodWorker | undefined {
    return [...this.#workers.values()].find(worker => worker.pod.metadata.namespace === namespace && worker.pod.metadata.name === name)
  }

  /** A pod appeared, changed or went away. */
  podChanged(_key: string, next: Pod | undefined, previous: Pod | undefined): void {
    if (previous && previous.metadata.uid !== next?.metadata.uid) this.#workers.get(previous.metadata.uid ?? '')?.removeFromNode()
    if (!next) return
    const uid = next.metadata.uid ?? ''
    const present = this.#workers.get(uid)
    if (present) {
      present.update(next)
      return
    }
    const worker = new PodWorker(this.#context, next, gone => {
      this.#workers.delete(gone)
    })
    this.#workers.set(uid, worker)
    worker.wake()
  }

  /** Follows the runtime and cleans up until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { env, runtime } = this.#options
    runtime.watch(event => {
      if (event.podUID !== '') this.#workers.get(event.podUID)?.wake()
      else for (const worker of this.#workers.values()) worker.wake()
    }, signal)
    while (!signal.aborted) {
      try {
        await this.#housekeep()
      } catch (fault) {
        env.log.log('warn', 'housekeeping failed', { fault: String(fault) })
      }
      try {
        await env.clock.sleep(housekeepingMs, signal)
      } catch {
        break
      }
    }
    this.#statuses.stop()
    this.#stopObjects()
    await Promise.all([...this.#workers.values()].map(worker => worker.stop()))
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake()
  }

  async #housekeep(): Promise<void> {
    const { runtime } = this.#options
    const all = await runtime.list()
    const byPod = Map.groupBy(all, container => container.podUID)
    for (const [uid, containers] of byPod) {
      if (this.#workers.has(uid)) await this.#removeOldAttempts(containers)
      else if (this.#options.listed()) await this.#removeOrphan(uid, containers)
    }
    const ids = new Set(all.map(container => container.id))
    for (const id of this.#messages.keys()) if (!ids.has(id)) this.#messages.delete(id)
  }

  async #removeOrphan(uid: string, containers: readonly RuntimeContainer[]): Promise<void> {
    const { runtime, env } = this.#options
    env.log.log('info', 'removing containers of a pod that is not here any more', { uid, containers: containers.length })
    await Promise.all(containers.filter(c => c.type === 'container' && c.phase === 'running').map(c => runtime.stop(c.id, 10)))
    for (const container of [...containers].sort((a, b) => Number(a.type === 'sandbox') - Number(b.type === 'sandbox'))) await runtime.remove(container.id)
    await this.#context.volumes.remove(uid)
  }

  /** Of every container the present run and the one before stay: `kubectl logs --previous` reads the latter. */
  async #removeOldAttempts(containers: readonly RuntimeContainer[]): Promise<void> {
    for (const name of new Set(containers.filter(c => c.type === 'container').map(c => c.name))) {
      for (const old of attemptsOf(containers, name).slice(2)) if (old.phase === 'exited') await this.#options.runtime.remove(old.id)
    }
  }

  #backoffPath(): string {
    return join(this.#options.stateDir, 'crash-backoff.json')
  }

  #keepBackoff(): void {
    if (this.#checkpointPlanned) return
    this.#checkpointPlanned = true
    const { env } = this.#options
    env.clock.after(checkpointDelayMs, () => {
      this.#checkpointPlanned = false
      writeFileAtomic(this.#backoffPath(), JSON.stringify(this.#context.crashBackoff.entries())).catch((fault: unknown) => {
        env.log.log('warn', 'cannot write checkpoint', { resource: 'crash back-off', fault: String(fault) })
      })
    })
  }

  #makeContext(): KubeletContext {
    const options = this.#options
    const { env, runtime, client } = options
    const objects = objectSource({
      env,
      client,
      stateDir: options.stateDir,
      onChange: namespace => {
        for (const worker of this.#workers.values()) if (worker.pod.metadata.namespace === namespace) worker.wake()
      },
    })
    const tokens = new ServiceAccountTokens(env, client)
    const volumes = new Volumes({ env, run: options.run, stateDir: options.stateDir })
    this.#stopObjects = () => {
      objects.stop()
    }
    const images = new Images({ env, runtime, objects })
    const crashBackoff = new CrashBackoff(env.clock, () => {
      this.#keepBackoff()
    })
    const event: KubeletContext['event'] = (pod, type, reason, message, container) => {
      const kind = container && (pod.spec?.initContainers ?? []).some(c => c.name === container.name) ? 'initContainers' : 'containers'
      options.recorder.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, type, reason, message, container ? `spec.${kind}{${container.name}}` : undefined)
    }
    const prober = new Prober({
      env,
      runtime,
      onUnhealthy: (pod, container, reason, message) => {
        event(pod, 'Warning', reason, message, container)
      },
      onChange: uid => {
        this.#workers.get(uid)?.wake()
      },
    })
    const allocatable = { cpuMilli: options.nodeCPUs * 1000, memoryBytes: options.nodeMemoryBytes, ephemeralBytes: 0 }
    void statfs(options.stateDir).then(
      fs => {
        allocatable.ephemeralBytes = fs.blocks * fs.bsize
      },
      () => {},
    )
    const addresses = (podIP: string): EnvironmentSources['addresses'] => ({ podIP, hostIP: options.nodeAddress, nodeName: options.nodeName })
    return {
      env,
      runtime,
      images,
      prober,
      volumes,
      crashBackoff,
      dns: options.dns,
      nodeAddress: options.nodeAddress,
      nodeMemoryBytes: options.nodeMemoryBytes,
      statuses: this.#statuses,
      event,
      networkReady: options.networkReady,
      networkJoined: options.networkJoined,
      ensureVolumes: (pod, podIP) =>
        volumes.ensure(pod, { objects, token: (p, audience, seconds) => tokens.token(p, audience, seconds), addresses: addresses(podIP), allocatable }),
      environmentSources: podIP => ({
        configMap: (namespace, name) => objects.configMap(namespace, name, true),
        secret: (namespace, name) => objects.secret(namespace, name, true),
        services: options.services,
        addresses: addresses(podIP),
        allocatable,
      }),
      terminationMessages: (pod, containers) => this.#terminationMessages(pod, containers),
      imageReferences: containers => this.#imageReferences(containers),
      admit: pod => {
        const node = options.node()
        return (
          node &&
          admissionFault(
            pod,
            node,
            [...this.#workers.values()].flatMap(worker => (worker.admitted ? [{ ...worker.pod, status: worker.status ?? worker.pod.status ?? {} }] : [])),
          )
        )
      },
      deleteFromApi: pod => this.#deleteFromApi(pod),
      forgetPod: async uid => {
        crashBackoff.forget(`${uid}/`)
        images.forget(uid)
        tokens.forget(uid)
        await volumes.remove(uid)
      },
    }
  }

  async #deleteFromApi(pod: Pod): Promise<boolean> {
    const uid = pod.metadata.uid ?? ''
    if (!(await this.#statuses.flush(uid))) return false
    try {
      await this.#options.client.resource(pods).delete(pod.metadata.name ?? '', { namespace: pod.metadata.namespace ?? '', gracePeriodSeconds: 0, preconditions: { uid } })
    } catch (fault) {
      if (!isNotFound(fault) && !isConflict(fault)) {
        this.#options.env.log.log('debug', 'pod not yet deleted from the API', { pod: pod.metadata.name ?? '', fault: String(fault) })
        return false
      }
    }
    this.#statuses.forget(uid)
    return true
  }

  async #terminationMessages(pod: Pod, containers: readonly RuntimeContainer[]): Promise<ReadonlyMap<string, string>> {
    for (const container of containers) {
      if (container.type !== 'container' || container.phase !== 'exited' || this.#messages.has(container.id)) continue
      this.#messages.set(container.id, await this.#terminationMessage(pod, container))
    }
    return this.#messages
  }

  async #terminationMessage(pod: Pod, container: RuntimeContainer): Promise<string> {
    const path = container.labels[containerLabels.terminationLog] ?? ''
    const size = await stat(path).then(
      s => s.size,
      () => 0,
    )
    if (size > 0) return (await readFile(path)).subarray(0, maxMessageBytes).toString('utf8')
    const spec = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(c => c.name === container.name)
    if (spec?.terminationMessagePolicy !== 'FallbackToLogsOnError' || container.exitCode === 0) return ''
    let text = ''
    try {
      for await (const chunk of await this.#options.runtime.logs(container.id, { follow: false, timestamps: false, tail: fallbackLines }))
        text = (text + chunk.bytes.toString('utf8')).slice(-maxFallbackBytes)
    } catch {
      /* a message is a courtesy */
    }
    return text
  }

  async #imageReferences(containers: readonly RuntimeContainer[]): Promise<ReadonlyMap<string, string>> {
    for (const { imageID } of containers) {
      if (imageID === '' || this.#imageNames.has(imageID)) continue
      const image = await this.#options.runtime.image(imageID).catch(() => undefined)
      this.#imageNames.set(imageID, image?.reference ?? imageID)
    }
    return this.#imageNames
  }
}
