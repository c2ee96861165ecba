/**
 * One pod on this node. Level-triggered: every turn reads the runtime's containers, compares them with the declared pod
 * and does what is missing; whatever wakes it (a change of the pod, a runtime event, a probe's result, a timer) only
 * says "look again". Turns of one pod never overlap. Nothing here asks the API server but through sources that know
 * how to do without it.
 */
import { isSidecar } from '../../api/core/v1/pod-questions.ts'
import type { Container, Pod, PodStatus } from '../../api/generated/core-v1.ts'
import { formatGoDuration, formatTime, parseTime } from '../../api/time.ts'
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { ContainerStarter } from './container-starter.ts'
import { killContainers } from './pod-killer.ts'
import { attemptsOf, podStatus } from './pod-status.ts'
import type { Waiting } from './pod-status.ts'
import { containerHash } from './container-spec.ts'
import { Resizer } from './resizer.ts'
import { shouldRestart } from './restart-policy.ts'
import { SandboxKeeper } from './sandbox-keeper.ts'
import { podText } from './pod-text.ts'

/** Volumes are refreshed and nothing is taken for granted this often. */
const resyncMs = 60_000
/** After a turn that threw. */
const retryMs = 3_000

export class PodWorker {
  readonly #context: KubeletContext
  readonly #waiting = new Map<string, Waiting>()
  readonly #sandboxes: SandboxKeeper
  readonly #starter: ContainerStarter
  readonly #resizer: Resizer
  readonly #onGone: (uid: string) => void
  #abort = new AbortController()
  #pod: Pod
  #wanted = true
  #failure: { reason: string; message: string } | undefined
  #running: Promise<void> | undefined
  #again = false
  #stopped = false
  #cancelTimer: () => void = () => {}
  #startTime: string
  #removedFromApi = false
  #admitted = false
  #status: PodStatus | undefined

  constructor(context: KubeletContext, pod: Pod, onGone: (uid: string) => void) {
    this.#context = context
    this.#pod = pod
    this.#onGone = onGone
    this.#startTime = pod.status?.startTime ?? formatTime(context.env.clock.now())
    this.#sandboxes = new SandboxKeeper(context)
    this.#starter = new ContainerStarter(context, this.#waiting)
    this.#resizer = new Resizer(context)
  }

  get pod(): Pod {
    return this.#pod
  }
  /** The status that this node holds to be true; undefined before the first turn. */
  get status(): PodStatus | undefined {
    return this.#status
  }

  /** True once it was let in: it takes of the node what it asks for. */
  get admitted(): boolean {
    return this.#admitted
  }

  /** A newer declaration. */
  update(pod: Pod): void {
    const wasDeleted = this.#pod.metadata.deletionTimestamp !== undefined
    this.#pod = pod
    if (!wasDeleted && pod.metadata.deletionTimestamp !== undefined) this.#abort.abort()
    this.wake()
  }

  /** The pod is gone from the API, or never was in it: stop at once and forget. */
  removeFromNode(): void {
    this.#wanted = false
    this.#removedFromApi = true
    this.#abort.abort()
    this.wake()
  }

  /** Fails the whole pod for good (eviction, admission). */
  fail(reason: string, message: string): void {
    this.#failure ??= { reason, message }
    this.#abort.abort()
    this.wake()
  }

  wake(): void {
    if (this.#stopped) return
    if (this.#running) {
      this.#again = true
      return
    }
    this.#cancelTimer()
    this.#running = this.#turns().finally(() => {
      this.#running = undefined
    })
  }

  /** Ends the watching of the pod; its containers go on. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer()
    this.#abort.abort()
    this.#context.prober.stop(this.#uid)
    await this.#running
  }

  get #uid(): string {
    return this.#pod.metadata.uid ?? ''
  }

  async #turns(): Promise<void> {
    do {
      this.#again = false
      let delayMs: number
      try {
        delayMs = await this.#turn()
      } catch (fault) {
        delayMs = retryMs
        if (!this.#stopped && !this.#abort.signal.aborted)
          this.#context.env.log.log('warn', 'pod sync failed', { pod: podText(this.#pod), fault: fault instanceof Error ? fault.message : String(fault) })
      }
      if (this.#stopped) return
      this.#cancelTimer()
      this.#cancelTimer = this.#context.env.clock.after(delayMs, () => {
        this.wake()
      })
    } while (this.#again)
  }

  /** Answers after how long to look again, in milliseconds. */
  async #turn(): Promise<number> {
    const pod = this.#pod
    const containers = await this.#context.runtime.list(this.#uid)
    if (!this.#failure && pod.status?.phase === 'Failed' && pod.status.reason) this.#failure = { reason: pod.status.reason, message: pod.status.message ?? '' }
    const deadlineMs = this.#deadlineMs(pod)
    if (deadlineMs <= 0) this.#failure ??= { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
    const deleted = !this.#wanted || pod.metadata.deletionTimestamp !== undefined
    const finished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (!deleted && !finished && !this.#failure) this.#admit(pod, containers)
    if (deleted || this.#failure || finished) return this.#terminate(pod, containers, deleted)
    let delayMs = resyncMs
    try {
      delayMs = await this.#sync(pod, containers)
    } finally {
      await this.#report(await this.#context.runtime.list(this.#uid), false)
    }
    return Math.max(20, Math.min(delayMs, deadlineMs, resyncMs))
  }

  /** Whoever has a start time or containers was let in before, by an earlier run of the agent. */
  #admit(pod: Pod, containers: readonly RuntimeContainer[]): void {
    if (this.#admitted) return
    const rejection = pod.status?.startTime === undefined && containers.length === 0 ? this.#context.admit(pod) : undefined
    this.#admitted = rejection === undefined
    if (!rejection) return
    this.#context.event(pod, 'Warning', rejection.reason, rejection.message)
    this.#failure = { reason: rejection.reason, message: `Pod was rejected: ${rejection.message}` }
  }

  #deadlineMs(pod: Pod): number {
    const seconds = pod.spec?.activeDeadlineSeconds
    return seconds === undefined ? Infinity : parseTime(this.#startTime) + seconds * 1000 - this.#context.env.clock.now()
  }

  async #sync(pod: Pod, containers: readonly RuntimeContainer[]): Promise<number> {
    const context = this.#context
    if (this.#abort.signal.aborted) this.#abort = new AbortController()
    const signal = this.#abort.signal
    if (this.#status === undefined) await this.#report(containers, false)
    const done = this.#isDone(pod, containers)
    if (done) {
      await killContainers(
        context,
        pod,
        containers.filter(c => c.type === 'container' && c.phase === 'running'),
        undefined,
        'Stopping container',
      )
      await this.#sandboxes.stop(containers)
      return resyncMs
    }
    let paths: Map<string, string>
    try {
      paths = await context.ensureVolumes(pod, this.#sandboxes.current(containers)?.address ?? '')
    } catch (fault) {
      context.event(pod, 'Warning', 'FailedMount', fault instanceof Error ? fault.message : String(fault))
      return retryMs
    }
    const sandbox = await this.#sandboxes.ensure(pod, containers)
    if (!sandbox) return retryMs
    if (sandbox.fresh) await this.#report([...containers.filter(c => c.id !== sandbox.container.id), sandbox.container], false)
    const present = sandbox.fresh ? await context.runtime.list(this.#uid) : containers
    const live = present.filter(c => c.labels['app.quarterdeck.sandbox-id'] === sandbox.container.id)
    this.#resizer.keepOnly(live)
    this.#starter.begin(pod, sandbox.container, paths, present, signal)
    context.prober.update(
      pod,
      live.filter(c => c.phase === 'running'),
      sandbox.container.address,
      context.nodeAddress,
    )
    const initDone = await this.#syncInit(pod, live, present)
    let delayMs = initDone.delayMs
    if (initDone.ready) for (const container of pod.spec?.containers ?? []) delayMs = Math.min(delayMs, await this.#syncContainer(pod, container, live, present, false))
    for (const container of pod.spec?.ephemeralContainers ?? []) {
      if (attemptsOf(present, container.name).length === 0) delayMs = Math.min(delayMs, await this.#starter.start(container as Container, 0, container.targetContainerName))
    }
    const after = (await context.runtime.list(this.#uid)).filter(c => c.phase === 'running' && c.type === 'container')
    context.prober.update(pod, after, sandbox.container.address, context.nodeAddress)
    return delayMs
  }

  /** All app containers have ended and none is to run again. */
  #isDone(pod: Pod, containers: readonly RuntimeContainer[]): boolean {
    for (const container of pod.spec?.initContainers ?? []) {
      if (isSidecar(container)) continue
      const [latest] = attemptsOf(containers, container.name)
      if (latest?.phase === 'exited' && latest.exitCode !== 0 && !shouldRestart(pod, container, latest.exitCode, true)) return true
    }
    return (pod.spec?.containers ?? []).every(container => {
      const [latest] = attemptsOf(containers, container.name)
      return latest?.phase === 'exited' && !shouldRestart(pod, container, latest.exitCode, false)
    })
  }

  /** Init containers one after the other; sidecars among them stay and count once started. */
  async #syncInit(pod: Pod, live: readonly RuntimeContainer[], present: readonly RuntimeContainer[]): Promise<{ ready: boolean; delayMs: number }> {
    const mainHasStarted = (pod.spec?.containers ?? []).some(container => attemptsOf(live, container.name).length > 0)
    let delayMs = resyncMs
    for (const container of pod.spec?.initContainers ?? []) {
      const [latest] = attemptsOf(live, container.name)
      if (isSidecar(container)) {
        delayMs = Math.min(delayMs, await this.#syncContainer(pod, container, live, present, true))
        const [now] = attemptsOf(await this.#context.runtime.list(this.#uid), container.name)
        if (!mainHasStarted && !(now?.phase === 'running' && this.#started(container, now.id))) return { ready: false, delayMs: Math.min(delayMs, retryMs) }
        continue
      }
      // Once the app containers run, init containers are history, even if they were cleaned away.
      if (mainHasStarted || (latest?.phase === 'exited' && latest.exitCode === 0)) continue
      if (latest?.phase === 'running') return { ready: false, delayMs }
      delayMs = Math.min(delayMs, await this.#syncContainer(pod, container, live, present, true))
      return { ready: false, delayMs }
    }
    return { ready: true, delayMs }
  }

  #started(container: Container, id: string): boolean {
    return container.startupProbe === undefined || this.#context.prober.result(this.#uid, container.name, 'startup', id) === true
  }

  async #syncContainer(pod: Pod, container: Container, live: readonly RuntimeContainer[], present: readonly RuntimeContainer[], isInit: boolean): Promise<number> {
    const [latest] = attemptsOf(live, container.name)
    const attempts = attemptsOf(present, container.name)
    const previous = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(s => s.name === container.name)
    // Runs that were cleaned away (a reboot of the runtime's disk) still count where the API remembers them.
    const before = attempts[0]?.restartCount ?? (previous?.containerID === undefined ? -1 : previous.restartCount)
    const nextAttempt = before + 1
    if (latest?.phase === 'running') {
      this.#waiting.delete(container.name)
      const message = this.#killReason(container, latest) ?? (await this.#resizer.sync(pod, container, latest, previous))
      if (message === undefined) return resyncMs
      const again = shouldRestart(pod, container, 137, isInit)
      await killContainers(this.#context, pod, [latest], undefined, again ? `${message}, will be restarted` : message)
      return 20
    }
    if (latest?.phase === 'created') {
      await this.#context.runtime.remove(latest.id)
      return this.#starter.start(container, latest.restartCount)
    }
    if (latest?.phase === 'exited') {
      if (!shouldRestart(pod, container, latest.exitCode, isInit)) {
        this.#waiting.delete(container.name)
        return resyncMs
      }
      const key = `${this.#uid}/${container.name}`
      const backoff = this.#context.crashBackoff.next(key, latest.finishedAtMs || latest.createdAtMs)
      if (backoff.waitMs > 0) {
        const message = `back-off ${formatGoDuration(backoff.delayMs)} restarting failed container=${container.name} pod=${podText(pod)}`
        if (this.#waiting.get(container.name)?.message !== message) this.#waiting.set(container.name, { reason: 'CrashLoopBackOff', message })
        this.#context.event(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${container.name} in pod ${podText(pod)}`, container)
        return Math.min(backoff.waitMs, 10_000)
      }
    }
    return this.#starter.start(container, nextAttempt)
  }

  #killReason(container: Container, live: RuntimeContainer): string | undefined {
    const { prober } = this.#context
    if (prober.result(this.#uid, container.name, 'startup', live.id) === false) return `Container ${container.name} failed startup probe`
    if (prober.result(this.#uid, container.name, 'liveness', live.id) === false) return `Container ${container.name} failed liveness probe`
    if (live.hash !== '' && live.hash !== containerHash(container)) return `Container ${container.name} definition changed`
    return undefined
  }

  /** Stops everything; where the pod is deleted, cleans up and lets the API forget it. */
  async #terminate(pod: Pod, containers: readonly RuntimeContainer[], deleted: boolean): Promise<number> {
    const context = this.#context
    context.prober.stopRestarting(this.#uid)
    const running = containers.filter(c => c.type === 'container' && c.phase === 'running')
    if (running.length > 0) {
      await this.#report(containers, false)
      const grace = this.#removedFromApi
        ? Math.min(pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30, 30)
        : (pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30)
      await killContainers(context, pod, running, grace, undefined)
    }
    context.prober.stop(this.#uid)
    await this.#sandboxes.stop(containers)
    const dead = await context.runtime.list(this.#uid)
    if (dead.some(c => c.phase === 'running')) return retryMs
    await this.#report(dead, true)
    if (!deleted) return resyncMs
    await this.#cleanUp(dead)
    if (!this.#removedFromApi) {
      if (!(await context.deleteFromApi(pod))) return retryMs
    }
    this.#stopped = true
    this.#onGone(this.#uid)
    return resyncMs
  }

  async #cleanUp(containers: readonly RuntimeContainer[]): Promise<void> {
    const order = [...containers].sort((a, b) => Number(a.type === 'sandbox') - Number(b.type === 'sandbox'))
    for (const container of order) await this.#context.runtime.remove(container.id)
    await this.#context.forgetPod(this.#uid)
  }

  async #report(containers: readonly RuntimeContainer[], terminating: boolean): Promise<void> {
    if (this.#stopped) return
    const context = this.#context
    const pod = this.#pod
    const uid = this.#uid
    const sandbox = this.#sandboxes.current(containers)
    const messages = await context.terminationMessages(pod, containers)
    const references = await context.imageReferences(containers)
    const address = pod.spec?.hostNetwork
      ? context.nodeAddress
      : sandbox?.address || (terminating || (sandbox && sandbox.phase !== 'running') ? (this.#status?.podIP ?? pod.status?.podIP ?? '') : '')
    this.#status = podStatus(pod, {
      now: context.env.clock.now(),
      containers,
      waiting: this.#waiting,
      terminating,
      sandboxReady: sandbox?.phase === 'running',
      podIP: address,
      hostIP: context.nodeAddress,
      startTime: this.#startTime,
      ...(this.#status ? { previous: this.#status } : {}),
      ...(this.#failure ? { failure: this.#failure } : {}),
      started: (name, id) => {
        const container = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(c => c.name === name)
        return container === undefined || this.#started(container, id)
      },
      ready: (name, id) => {
        const container = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(c => c.name === name)
        return container?.readinessProbe === undefined ? true : context.prober.result(uid, name, 'readiness', id) === true
      },
      imageReference: id => references.get(id) ?? id,
      terminationMessage: container => messages.get(container.id) ?? '',
    })
    context.statuses.set(pod, this.#status)
  }
}
