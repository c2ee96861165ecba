/** Status of a deployment: counts, Available, Progressing with its deadline, ReplicaFailure. Pure; texts are Kubernetes'. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/generated/apps-v1.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { maxUnavailable, totalAvailable, totalSize, wanted } from './replica-sets.ts'

export type Conditions = readonly DeploymentCondition[]

/** kubectl writes this number for "no deadline". */
const noDeadline = 2_147_483_647

export function hasDeadline(d: Deployment): boolean {
  return d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== noDeadline
}

export function conditionOf(conditions: Conditions, type: string): DeploymentCondition | undefined {
  return conditions.find(c => c.type === type)
}

export function makeCondition(type: string, status: string, reason: string, message: string, nowMs: number): DeploymentCondition {
  return { type, status, reason, message, lastUpdateTime: formatTime(nowMs), lastTransitionTime: formatTime(nowMs) }
}

/** Unchanged when status and reason are the same; keeps the time of transition when only the reason differs. */
export function withCondition(conditions: Conditions, next: DeploymentCondition): DeploymentCondition[] {
  const present = conditionOf(conditions, next.type ?? '')
  if (present?.status === next.status && present?.reason === next.reason) return [...conditions]
  const keepTime = present?.status === next.status && present?.lastTransitionTime
  return [...conditions.filter(c => c.type !== next.type), keepTime ? { ...next, lastTransitionTime: keepTime } : next]
}

export function withoutCondition(conditions: Conditions, type: string): DeploymentCondition[] {
  return conditions.filter(c => c.type !== type)
}

/** Counts and Available; other conditions as they are in `conditions`. */
export function countedStatus(d: Deployment, sets: readonly ReplicaSet[], current: ReplicaSet | undefined, conditions: Conditions, nowMs: number): DeploymentStatus {
  const sum = (count: (rs: ReplicaSet) => number | undefined): number => sets.reduce((n, rs) => n + (count(rs) ?? 0), 0)
  const available = totalAvailable(sets)
  const enough = available >= wanted(d) - maxUnavailable(d)
  const status: DeploymentStatus = {
    replicas: sum(rs => rs.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(rs => rs.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, totalSize(sets) - available),
    terminatingReplicas: sum(rs => rs.status?.terminatingReplicas),
    conditions: withCondition(
      conditions,
      enough
        ? makeCondition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', nowMs)
        : makeCondition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.', nowMs),
    ),
  }
  if (d.metadata.generation !== undefined) status.observedGeneration = d.metadata.generation
  if (d.status?.collisionCount !== undefined) status.collisionCount = d.status.collisionCount
  for (const field of ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas'] as const) if (status[field] === 0) delete status[field]
  return status
}

export function isComplete(d: Deployment, status: DeploymentStatus): boolean {
  return (
    (status.updatedReplicas ?? 0) === wanted(d) &&
    (status.replicas ?? 0) === wanted(d) &&
    (status.availableReplicas ?? 0) === wanted(d) &&
    (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  )
}

function isProgressing(before: DeploymentStatus, next: DeploymentStatus): boolean {
  const old = (s: DeploymentStatus): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0)
  return (
    (next.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(next) < old(before) ||
    (next.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

function isTimedOut(d: Deployment, condition: DeploymentCondition | undefined, nowMs: number): boolean {
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false
  if (condition.reason === 'ProgressDeadlineExceeded') return true
  return parseTime(condition.lastUpdateTime) + (d.spec.progressDeadlineSeconds ?? 600) * 1000 < nowMs
}

/** Whole status after a step of a rollout. */
export function rolloutStatus(d: Deployment, sets: readonly ReplicaSet[], current: ReplicaSet | undefined, present: Conditions, nowMs: number): DeploymentStatus {
  const status = countedStatus(d, sets, current, present, nowMs)
  const progressing = conditionOf(present, 'Progressing')
  let conditions = [...(status.conditions ?? [])]
  if (!hasDeadline(d)) conditions = withoutCondition(conditions, 'Progressing')
  const settled = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && progressing?.reason === 'NewReplicaSetAvailable'
  if (hasDeadline(d) && !settled) conditions = progressed(d, status, current, conditions, progressing, nowMs)
  const failure = replicaFailure(sets, current)
  status.conditions = failure ? withCondition(conditions, { ...failure, lastUpdateTime: formatTime(nowMs) }) : withoutCondition(conditions, 'ReplicaFailure')
  return status
}

function progressed(
  d: Deployment,
  status: DeploymentStatus,
  current: ReplicaSet | undefined,
  conditions: DeploymentCondition[],
  present: DeploymentCondition | undefined,
  nowMs: number,
): DeploymentCondition[] {
  const what = current ? `ReplicaSet "${current.metadata.name ?? ''}"` : `Deployment "${d.metadata.name ?? ''}"`
  if (isComplete(d, status)) {
    return withCondition(conditions, makeCondition('Progressing', 'True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`, nowMs))
  }
  if (isProgressing(d.status ?? {}, status)) {
    const next = makeCondition('Progressing', 'True', 'ReplicaSetUpdated', `${what} is progressing.`, nowMs)
    const kept = present?.status === 'True' && present.lastTransitionTime ? { ...next, lastTransitionTime: present.lastTransitionTime } : next
    // Removed first: its lastUpdateTime must move on even where status and reason stay.
    return [...withoutCondition(conditions, 'Progressing'), kept]
  }
  if (isTimedOut(d, present, nowMs)) {
    return withCondition(conditions, makeCondition('Progressing', 'False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`, nowMs))
  }
  return conditions
}

function replicaFailure(sets: readonly ReplicaSet[], current: ReplicaSet | undefined): DeploymentCondition | undefined {
  const failureOf = (rs: ReplicaSet | undefined): DeploymentCondition | undefined => {
    const found = rs?.status?.conditions?.find(c => c.type === 'ReplicaFailure')
    return found && { ...found }
  }
  return failureOf(current) ?? sets.map(failureOf).find(c => c?.status === 'True')
}

/** When to look again so that the deadline is not missed; undefined when there is none to miss. */
export function deadlineCheckMs(d: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = conditionOf(status.conditions ?? [], 'Progressing')
  if (!hasDeadline(d) || !condition || isComplete(d, status) || condition.reason === 'ProgressDeadlineExceeded') return undefined
  return Math.max(1000, parseTime(condition.lastUpdateTime) + (d.spec.progressDeadlineSeconds ?? 600) * 1000 - nowMs + 1000)
}

/** Progressing says Unknown while the deployment is paused. Undefined when nothing changes. */
export function pausedConditions(d: Deployment, conditions: Conditions, nowMs: number): DeploymentCondition[] | undefined {
  if (!hasDeadline(d)) return undefined
  const present = conditionOf(conditions, 'Progressing')
  if (present?.reason === 'ProgressDeadlineExceeded') return undefined
  const paused = present?.reason === 'DeploymentPaused'
  if (d.spec.paused && !paused) return withCondition(conditions, makeCondition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', nowMs))
  if (!d.spec.paused && paused) return withCondition(conditions, makeCondition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', nowMs))
  return undefined
}
