/**
 * A pod's status from its spec, its containers and what its worker knows: phases, container states and conditions with
 * Kubernetes' reasons and messages. Pure.
 */
import { isSidecar, podQosClass } from '../../api/core/v1/pod-questions.ts'
import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from '../../api/generated/core-v1.ts'
import { formatTime } from '../../api/time.ts'
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import { shouldRestart } from './restart-policy.ts'

export interface Waiting {
  readonly reason: string
  readonly message?: string
}

export interface PodFacts {
  readonly now: number
  /** All containers of the pod, sandboxes included. */
  readonly containers: readonly RuntimeContainer[]
  /** Why a container that does not run waits, by its name. */
  readonly waiting: ReadonlyMap<string, Waiting>
  /** Results of probes, by container name; absent where there is no such probe or no result yet. */
  readonly ready: (name: string, containerID: string) => boolean
  readonly started: (name: string, containerID: string) => boolean
  readonly imageReference: (imageID: string) => string
  readonly terminationMessage: (container: RuntimeContainer) => string
  readonly sandboxReady: boolean
  readonly podIP: string
  readonly hostIP: string
  readonly startTime: string
  /** The whole pod has failed (DeadlineExceeded, Evicted, NodeAffinity …): overrides the phase. */
  readonly failure?: { readonly reason: string; readonly message: string }
  /** What was computed last: newer than what the API shows until the watch has caught up. */
  readonly previous?: PodStatus
  /** The pod is being or has been stopped for good: nothing runs again. */
  readonly terminating: boolean
}

type OwnCondition = Omit<PodCondition, 'lastTransitionTime' | 'lastProbeTime'>

/** Status as it is to be; times of conditions carry over from `pod.status` where they did not change. */
export function podStatus(pod: Pod, facts: PodFacts): PodStatus {
  const spec = pod.spec
  const init = (spec?.initContainers ?? []).map(container => containerStatus(pod, container, facts, true))
  const main = (spec?.containers ?? []).map(container => containerStatus(pod, container, facts, false))
  const ephemeral = (spec?.ephemeralContainers ?? []).map(container => containerStatus(pod, container as Container, facts, false))
  const phase = facts.failure ? 'Failed' : phaseOf(pod, [...init, ...main], facts.terminating)
  const neverStarted = facts.failure !== undefined && facts.containers.length === 0 && pod.status?.containerStatuses === undefined
  const status: PodStatus = {
    phase,
    conditions: conditionsOf(pod, phase, init, main, facts),
    hostIP: facts.hostIP,
    hostIPs: [{ ip: facts.hostIP }],
    startTime: facts.startTime,
    // A pod that was turned away had no containers: what it says is its reason.
    ...(neverStarted ? {} : { containerStatuses: main }),
    qosClass: podQosClass(pod),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...(facts.podIP === '' ? {} : { podIP: facts.podIP, podIPs: [{ ip: facts.podIP }] }),
    ...(init.length > 0 && !neverStarted ? { initContainerStatuses: init } : {}),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
    ...(facts.failure ? { reason: facts.failure.reason, message: facts.failure.message } : {}),
  }
  return status
}

/** Newest first. */
export function attemptsOf(containers: readonly RuntimeContainer[], name: string): RuntimeContainer[] {
  return containers.filter(c => c.type === 'container' && c.name === name).sort((a, b) => b.restartCount - a.restartCount || b.createdAtMs - a.createdAtMs)
}

function containerStatus(pod: Pod, container: Container, facts: PodFacts, isInit: boolean): ContainerStatus {
  const [latest, before] = attemptsOf(facts.containers, container.name)
  const previous = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.ephemeralContainerStatuses ?? [])].find(
    s => s.name === container.name,
  )
  const waiting = facts.waiting.get(container.name)
  const base = { name: container.name, image: container.image ?? '' }
  if (!latest) {
    // After a garbage collection or a reboot the API's memory is all there is of earlier runs.
    const ended = previous?.state?.terminated ?? previous?.lastState?.terminated
    const known = ended && facts.terminating ? { terminated: ended } : undefined
    return {
      ...base,
      imageID: previous?.imageID ?? '',
      restartCount: previous?.restartCount ?? 0,
      ready: false,
      started: false,
      state: known ?? { waiting: waiting ? stateWaiting(waiting) : { reason: (pod.spec?.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating' } },
      ...(ended && !known ? { lastState: { terminated: ended } } : { lastState: {} }),
    }
  }
  const state: ContainerState =
    latest.phase === 'running'
      ? { running: { startedAt: formatTime(latest.startedAtMs) } }
      : latest.phase === 'created'
        ? { waiting: waiting ? stateWaiting(waiting) : { reason: 'ContainerCreating' } }
        : waiting && !facts.terminating
          ? { waiting: stateWaiting(waiting) }
          : terminatedState(latest, facts)
  const lastEnded = latest.phase === 'exited' && 'waiting' in state ? latest : before?.phase === 'exited' ? before : undefined
  const running = latest.phase === 'running'
  const started = running && facts.started(container.name, latest.id)
  const ready = isInit && !isSidecar(container) ? latest.phase === 'exited' && latest.exitCode === 0 : started && facts.ready(container.name, latest.id)
  return {
    ...base,
    imageID: facts.imageReference(latest.imageID),
    containerID: `docker://${latest.id}`,
    restartCount: latest.restartCount,
    ready,
    started,
    state,
    lastState: lastEnded ? terminatedState(lastEnded, facts) : {},
    ...(container.resources ? { resources: container.resources, ...(container.resources.requests ? { allocatedResources: container.resources.requests } : {}) } : {}),
  }
}

function stateWaiting(waiting: Waiting): { reason: string; message?: string } {
  return waiting.message === undefined ? { reason: waiting.reason } : { reason: waiting.reason, message: waiting.message }
}

function terminatedState(container: RuntimeContainer, facts: PodFacts): ContainerState {
  const failedToStart = container.startedAtMs === 0
  const reason = failedToStart ? 'StartError' : container.oomKilled ? 'OOMKilled' : container.exitCode === 0 ? 'Completed' : 'Error'
  const message = container.error || facts.terminationMessage(container)
  return {
    terminated: {
      exitCode: container.exitCode,
      reason,
      containerID: `docker://${container.id}`,
      startedAt: formatTime(container.startedAtMs),
      finishedAt: formatTime(container.finishedAtMs),
      ...(message ? { message } : {}),
    },
  }
}

/** Kubernetes' phase of a pod from its containers' states. */
export function phaseOf(pod: Pod, statuses: readonly ContainerStatus[], terminal: boolean): string {
  const byName = new Map(statuses.map(status => [status.name, status]))
  let initPending = 0
  let sidecarPending = 0
  let initFailedForGood = 0
  let unknown = 0
  let running = 0
  let waiting = 0
  for (const container of pod.spec?.initContainers ?? []) {
    const state = byName.get(container.name)
    const ended = state?.state?.terminated ?? state?.lastState?.terminated
    if (isSidecar(container)) {
      if (state?.state?.running) {
        running++
        if (!state.started) sidecarPending++
      } else if (state?.state?.waiting && !ended) {
        sidecarPending++
        waiting++
      } else if (!state) {
        sidecarPending++
        unknown++
      }
    } else if (state?.state?.running || !ended) initPending++
    else if (ended.exitCode !== 0 && !shouldRestart(pod, container, ended.exitCode, true)) initFailedForGood++
    else if (ended.exitCode !== 0) initPending++
  }
  let stopped = 0
  let stoppedForGood = 0
  let succeeded = 0
  for (const container of pod.spec?.containers ?? []) {
    const state = byName.get(container.name)
    const ended = state?.state?.terminated ?? (state?.state?.waiting ? state.lastState?.terminated : undefined)
    if (state?.state?.running) running++
    else if (ended) {
      stopped++
      if (!shouldRestart(pod, container, ended.exitCode, false)) stoppedForGood++
      if (state?.state?.terminated?.exitCode === 0) succeeded++
    } else if (state?.state?.waiting) waiting++
    else unknown++
  }
  const hasRun = running > 0 || stopped > 0
  if (initFailedForGood > 0) return 'Failed'
  if (terminal && running === 0 && (stopped > 0 || waiting > 0)) return stopped > 0 && stopped === succeeded && waiting === 0 ? 'Succeeded' : 'Failed'
  if (initPending > 0 || (sidecarPending > 0 && !hasRun) || waiting > 0) return 'Pending'
  if (running > 0 && unknown === 0) return 'Running'
  if (stopped > 0 && unknown === 0) {
    if (stopped !== stoppedForGood) return 'Running'
    return stopped === succeeded ? 'Succeeded' : 'Failed'
  }
  return 'Pending'
}

function conditionsOf(pod: Pod, phase: string, init: readonly ContainerStatus[], main: readonly ContainerStatus[], facts: PodFacts): PodCondition[] {
  const gates = pod.spec?.readinessGates ?? []
  const containersReady = containersReadyCondition(pod, phase, init, main)
  const own: OwnCondition[] = [
    { type: 'PodReadyToStartContainers', status: facts.sandboxReady ? 'True' : 'False' },
    initializedCondition(pod, phase, init, main),
    readyCondition(
      pod,
      gates.map(gate => gate.conditionType),
      containersReady,
    ),
    containersReady,
  ]
  const present = pod.status?.conditions ?? []
  const out = own.map((condition): PodCondition => {
    const before = facts.previous?.conditions?.find(c => c.type === condition.type) ?? present.find(c => c.type === condition.type)
    const lastTransitionTime = before?.status === condition.status && before.lastTransitionTime ? before.lastTransitionTime : formatTime(facts.now)
    const generation = pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }
    return { ...condition, ...generation, lastTransitionTime }
  })
  const owned = new Set(own.map(c => c.type))
  const kept = present.filter(c => !owned.has(c.type))
  if (!present.some(c => c.type === 'PodScheduled')) kept.push({ type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(facts.now) })
  return [...out, ...kept]
}

function initializedCondition(pod: Pod, phase: string, init: readonly ContainerStatus[], main: readonly ContainerStatus[]): OwnCondition {
  const type = 'Initialized'
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' }
  if (main.some(c => c.state?.running || c.state?.terminated || c.lastState?.terminated)) return { type, status: 'True' }
  const incomplete = (pod.spec?.initContainers ?? [])
    .filter(container => {
      const status = init.find(s => s.name === container.name)
      return isSidecar(container) ? !status?.started : status?.state?.terminated?.exitCode !== 0
    })
    .map(container => container.name)
  if (incomplete.length === 0) return { type, status: 'True' }
  return { type, status: 'False', reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${incomplete.join(' ')}]` }
}

function containersReadyCondition(pod: Pod, phase: string, init: readonly ContainerStatus[], main: readonly ContainerStatus[]): OwnCondition {
  const type = 'ContainersReady'
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' }
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map(container => init.find(s => s.name === container.name))
  const unready = [...sidecars, ...main].filter(status => !status?.ready).map(status => status?.name ?? '')
  if (unready.length === 0) return { type, status: 'True' }
  return { type, status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
}

function readyCondition(pod: Pod, gates: readonly string[], containersReady: OwnCondition): OwnCondition {
  const type = 'Ready'
  if (containersReady.status !== 'True') return { ...containersReady, type }
  const messages: string[] = []
  for (const gate of gates) {
    const condition = pod.status?.conditions?.find(c => c.type === gate)
    if (!condition) messages.push(`corresponding condition of pod readiness gate "${gate}" does not exist.`)
    else if (condition.status !== 'True') messages.push(`the status of pod readiness gate "${gate}" is not "True", but ${condition.status}`)
  }
  return messages.length === 0 ? { type, status: 'True' } : { type, status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') }
}
