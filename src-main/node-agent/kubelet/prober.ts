/**
 * Runs the probes of running containers: one timer a probe. Results are kept by container id, so a container that runs
 * anew starts without any. After an agent's restart, what the API said before stands until the first new result.
 */
import type { Container, Pod, Probe } from '../../api/generated/core-v1.ts'
import { isSidecar } from '../../api/core/v1/pod-questions.ts'
import type { Env } from '../../base/env.ts'
import type { ContainerRuntime, RuntimeContainer } from '../container-runtime/runtime.ts'
import { runProbe } from './probe-runner.ts'
import type { ProbeResult } from './probe-runner.ts'

type ProbeKind = 'startup' | 'liveness' | 'readiness'
const titles: Record<ProbeKind, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' }

interface ProbeState {
  readonly containerID: string
  readonly kind: ProbeKind
  passed: boolean | undefined
  streak: number
  lastPassed: boolean | undefined
  cancel: () => void
}

export interface ProberOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly onUnhealthy: (pod: Pod, container: Container, reason: 'Unhealthy', message: string) => void
  /** A result changed: the pod's worker looks again. */
  readonly onChange: (podUID: string) => void
}

export class Prober {
  readonly #options: ProberOptions
  /** By pod uid, then by `container/kind`. */
  readonly #states = new Map<string, Map<string, ProbeState>>()
  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Starts and stops probes so that they fit the running containers. `wasReady` gives the API's memory after an agent's restart. */
  update(pod: Pod, running: readonly RuntimeContainer[], podIP: string, hostIP: string): void {
    const uid = pod.metadata.uid ?? ''
    const states = this.#states.get(uid) ?? new Map<string, ProbeState>()
    this.#states.set(uid, states)
    const wanted = new Set<string>()
    const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(isSidecar)]
    for (const container of containers) {
      const live = running.find(c => c.name === container.name)
      if (!live) continue
      for (const [kind, probe] of probesOf(container)) {
        const key = `${container.name}/${kind}`
        wanted.add(key)
        const state = states.get(key)
        if (state?.containerID === live.id) continue
        state?.cancel()
        states.set(key, this.#start(pod, container, live, kind, probe, pod.spec?.hostNetwork ? hostIP : podIP))
      }
    }
    for (const [key, state] of states)
      if (!wanted.has(key)) {
        state.cancel()
        states.delete(key)
      }
  }

  stop(podUID: string): void {
    for (const state of this.#states.get(podUID)?.values() ?? []) state.cancel()
    this.#states.delete(podUID)
  }

  /** Liveness and startup stop while the pod terminates; readiness goes on so that endpoints leave in time. */
  stopRestarting(podUID: string): void {
    const states = this.#states.get(podUID)
    for (const [key, state] of states ?? [])
      if (state.kind !== 'readiness') {
        state.cancel()
        states?.delete(key)
      }
  }

  /** Undefined without a result yet. */
  result(podUID: string, container: string, kind: ProbeKind, containerID: string): boolean | undefined {
    const state = this.#states.get(podUID)?.get(`${container}/${kind}`)
    return state?.containerID === containerID ? state.passed : undefined
  }

  #start(pod: Pod, container: Container, live: RuntimeContainer, kind: ProbeKind, probe: Probe, podIP: string): ProbeState {
    const { env } = this.#options
    const before = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(
      s => s.name === container.name && s.containerID === `docker://${live.id}`,
    )
    const adopted = kind === 'startup' ? (before?.started ? true : undefined) : kind === 'readiness' ? (before?.ready ? true : undefined) : undefined
    const state: ProbeState = { containerID: live.id, kind, passed: adopted, streak: 0, lastPassed: undefined, cancel: () => {} }
    const periodMs = (probe.periodSeconds ?? 10) * 1000
    const loop = (delayMs: number): void => {
      let cancelled = false
      const cancelTimer = env.clock.after(delayMs, () => {
        void this.#once(pod, container, kind, probe, podIP, state, () => cancelled).then(done => {
          if (!cancelled && !done) loop(periodMs)
        })
      })
      state.cancel = () => {
        cancelled = true
        cancelTimer()
      }
    }
    const initialMs = Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - (env.clock.now() - live.startedAtMs))
    loop(Math.min(initialMs, (probe.initialDelaySeconds ?? 0) * 1000))
    return state
  }

  /** True when this probe has nothing more to do. */
  async #once(pod: Pod, container: Container, kind: ProbeKind, probe: Probe, podIP: string, state: ProbeState, cancelled: () => boolean): Promise<boolean> {
    const { env, runtime } = this.#options
    const uid = pod.metadata.uid ?? ''
    const startupPending = kind !== 'startup' && container.startupProbe !== undefined && this.result(uid, container.name, 'startup', state.containerID) !== true
    if (startupPending) return false
    let result: ProbeResult = await runProbe(runtime, env.clock, probe, { containerID: state.containerID, container, podIP })
    // As upstream: a probe that could not be carried out is tried at most three times before it counts.
    for (let attempt = 1; attempt < 3 && result.kind === 'error'; attempt++)
      result = await runProbe(runtime, env.clock, probe, { containerID: state.containerID, container, podIP })
    if (cancelled()) return true
    const passed = result.kind === 'success'
    if (result.kind === 'failure') this.#options.onUnhealthy(pod, container, 'Unhealthy', `${titles[kind]} probe failed: ${result.message}`)
    if (result.kind === 'error') this.#options.onUnhealthy(pod, container, 'Unhealthy', `${titles[kind]} probe errored and resulted in unknown state: ${result.message}`)
    state.streak = passed === state.lastPassed ? state.streak + 1 : 1
    state.lastPassed = passed
    const needed = passed ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3)
    if (state.streak < needed || state.passed === passed) return kind === 'startup' && state.passed === true
    state.passed = passed
    this.#options.onChange(uid)
    return kind === 'startup' && passed
  }
}

function probesOf(container: Container): [ProbeKind, Probe][] {
  const out: [ProbeKind, Probe][] = []
  if (container.startupProbe) out.push(['startup', container.startupProbe])
  if (container.livenessProbe) out.push(['liveness', container.livenessProbe])
  if (container.readinessProbe) out.push(['readiness', container.readinessProbe])
  return out
}
