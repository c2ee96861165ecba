/** What a replica set (or replication controller) must do next and what its status says. Pure. */
import type { ReplicaSetCondition, ReplicaSetStatus } from '../../api/generated/apps-v1.ts'
import type { Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { formatTime } from '../../api/time.ts'
import { podsToDelete } from '../../controller-runtime/deletion-order.ts'
import { isPodActive, isPodAvailable, isPodReady, isPodTerminal } from '../../api/core/v1/pod-questions.ts'

/** At most this many pods are made or deleted in one go, as upstream. */
export const burstReplicas = 500

export interface ReplicaPlan {
  readonly create: number
  readonly remove: readonly Pod[]
}

/** `related`: active pods of all replica sets with the same owner, for spreading deletions over nodes. */
export function planReplicas(replicas: number, pods: readonly Pod[], related: readonly Pod[], nowMs: number): ReplicaPlan {
  const active = pods.filter(isPodActive)
  const missing = replicas - active.length
  if (missing > 0) return { create: Math.min(missing, burstReplicas), remove: [] }
  if (missing === 0) return { create: 0, remove: [] }
  return { create: 0, remove: podsToDelete(active, related, Math.min(-missing, burstReplicas), nowMs) }
}

/** What replica sets and replication controllers have in common. */
export interface ReplicaOwner extends KubernetesObject {
  spec?: { replicas?: number; minReadySeconds?: number; template?: PodTemplateSpec }
  status?: { conditions?: ReplicaSetCondition[] }
}

export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete'
  readonly message: string
}

export function replicaSetStatus(rs: ReplicaOwner, pods: readonly Pod[], failure: ReplicaFailure | undefined, nowMs: number): ReplicaSetStatus {
  const active = pods.filter(isPodActive)
  const labels = Object.entries(rs.spec?.template?.metadata?.labels ?? {})
  const minReady = rs.spec?.minReadySeconds ?? 0
  const ready = active.filter(isPodReady)
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(p => labels.every(([k, v]) => p.metadata.labels?.[k] === v)).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter(p => isPodAvailable(p, minReady, nowMs)).length,
    terminatingReplicas: pods.filter(p => p.metadata.deletionTimestamp && !isPodTerminal(p)).length,
  }
  if (rs.metadata.generation !== undefined) status.observedGeneration = rs.metadata.generation
  const conditions = conditionsOf(rs.status?.conditions ?? [], failure, nowMs)
  if (conditions.length > 0) status.conditions = conditions
  for (const field of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const) if (status[field] === 0) delete status[field]
  return status
}

function conditionsOf(present: readonly ReplicaSetCondition[], failure: ReplicaFailure | undefined, nowMs: number): ReplicaSetCondition[] {
  const others = present.filter(c => c.type !== 'ReplicaFailure')
  if (!failure) return others
  const known = present.find(c => c.type === 'ReplicaFailure')
  if (known?.reason === failure.reason) return [...present]
  return [...others, { type: 'ReplicaFailure', status: 'True', reason: failure.reason, message: failure.message, lastTransitionTime: formatTime(nowMs) }]
}
