/** Which stage a pod comes to next, and its status there. Pure. */
import type { ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from '../api/generated/core-v1.ts'
import { formatTime } from '../api/time.ts'
import type { Stage } from './settings.ts'

/** The first stage that fits; undefined where the pod stays as it is. */
export function nextStage(pod: Pod, stages: readonly Stage[]): Stage | undefined {
  const deleted = pod.metadata.deletionTimestamp !== undefined
  const phase = pod.status?.phase ?? 'Pending'
  const owner = pod.metadata.ownerReferences?.find(reference => reference.controller)?.kind
  return stages.find(({ when, then }) => {
    if ((when.deleted ?? false) !== deleted) return false
    if (when.phase !== undefined && when.phase !== phase) return false
    if (when.owner !== undefined && when.owner !== owner) return false
    if (Object.entries(when.labels ?? {}).some(([key, value]) => pod.metadata.labels?.[key] !== value)) return false
    // What it is already it does not become.
    return 'gone' in then || then.phase !== phase
  })
}

interface Arrival {
  readonly now: number
  readonly podIP: string
  readonly hostIP: string
}

/** The pod's status once it has come to a phase. What others wrote (PodScheduled, readiness gates) stays. */
export function statusAt(pod: Pod, then: Exclude<Stage['then'], { gone: true }>, { now, podIP, hostIP }: Arrival): PodStatus {
  const time = formatTime(now)
  const running = then.phase === 'Running'
  const previous = new Map(pod.status?.conditions?.map(condition => [condition.type, condition]))
  const condition = (type: string, isTrue: boolean): PodCondition => {
    const before = previous.get(type)
    const status = isTrue ? 'True' : 'False'
    const lastTransitionTime = before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : time
    const reason = isTrue ? {} : { reason: then.phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    return { type, status, lastProbeTime: null as unknown as string, lastTransitionTime, ...(type === 'Initialized' ? {} : reason) }
  }
  const gatesOpen = (pod.spec?.readinessGates ?? []).every(gate => previous.get(gate.conditionType)?.status === 'True')
  const own = [condition('PodReadyToStartContainers', running), condition('Initialized', true), condition('Ready', running && gatesOpen), condition('ContainersReady', running)]
  const ownTypes = new Set(own.map(each => each.type))
  const startTime = pod.status?.startTime ?? time
  const ended: ContainerState = {
    terminated: {
      exitCode: then.exitCode ?? (then.phase === 'Failed' ? 1 : 0),
      reason: then.reason ?? (then.phase === 'Failed' ? 'Error' : 'Completed'),
      startedAt: startTime,
      finishedAt: time,
    },
  }
  const container = (name: string, image: string, state: ContainerState, ready: boolean): ContainerStatus => ({
    name,
    image,
    imageID: `simulated://${image}`,
    containerID: `simulated://${pod.metadata.uid ?? ''}/${name}`,
    ready,
    started: 'running' in state,
    restartCount: 0,
    lastState: {},
    state,
  })
  const initDone: ContainerState = { terminated: { exitCode: 0, reason: 'Completed', startedAt: startTime, finishedAt: startTime } }
  const inits = (pod.spec?.initContainers ?? []).map(each =>
    container(each.name, each.image ?? '', each.restartPolicy === 'Always' && running ? { running: { startedAt: startTime } } : initDone, true),
  )
  return {
    ...pod.status,
    phase: then.phase,
    ...(then.reason === undefined ? {} : { reason: then.reason }),
    conditions: [...own, ...[...previous.values()].filter(each => !ownTypes.has(each.type))],
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP,
    podIPs: [{ ip: podIP }],
    startTime,
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: (pod.spec?.containers ?? []).map(each => container(each.name, each.image ?? '', running ? { running: { startedAt: time } } : ended, running)),
  }
}
