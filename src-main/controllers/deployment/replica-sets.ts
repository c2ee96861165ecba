/** New and old replica sets of a deployment, their revisions and annotations. Pure. */
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts'
import type { PodTemplateSpec } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { controllerRef } from '../../controller-runtime/ownership.ts'
import { intOrPercent } from '../../controller-runtime/int-or-percent.ts'
import { templateHash } from '../../controller-runtime/pod-template.ts'

export const hashLabel = 'pod-template-hash'
export const revisionAnnotation = 'deployment.kubernetes.io/revision'
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'
export const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas'
export const maxAnnotation = 'deployment.kubernetes.io/max-replicas'
const notCopied: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
  'deprecated.deployment.rollback.to',
])
/** Characters of the revision history kept in an annotation, as upstream. */
const maxHistoryLength = 2000

export const wanted = (d: Deployment): number => d.spec.replicas ?? 1
export const sizeOf = (rs: ReplicaSet): number => rs.spec.replicas ?? 1
export const totalSize = (sets: readonly ReplicaSet[]): number => sets.reduce((n, rs) => n + sizeOf(rs), 0)
export const totalAvailable = (sets: readonly ReplicaSet[]): number => sets.reduce((n, rs) => n + (rs.status?.availableReplicas ?? 0), 0)
export const revisionOf = (rs: { metadata: { annotations?: Record<string, string> } }): bigint => revisionIn(rs.metadata.annotations?.[revisionAnnotation])

/** Revisions are 64 bits wide; 0 for what is none. */
function revisionIn(text: string | undefined): bigint {
  return /^\d{1,19}$/.test(text ?? '') ? BigInt(text ?? 0) : 0n
}
const created = (rs: ReplicaSet): string => `${rs.metadata.creationTimestamp ?? ''}/${rs.metadata.name ?? ''}`
export const oldestFirst = (sets: readonly ReplicaSet[]): ReplicaSet[] => [...sets].sort((a, b) => (created(a) < created(b) ? -1 : 1))

export const isRolling = (d: Deployment): boolean => (d.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate'

/** Resolved surge and unavailability; both 0 would never progress, so one may then be unavailable. */
function fenceposts(d: Deployment): { surge: number; unavailable: number } {
  const rolling = d.spec.strategy?.rollingUpdate
  const surge = intOrPercent(rolling?.maxSurge ?? '25%', wanted(d), 'up')
  const unavailable = intOrPercent(rolling?.maxUnavailable ?? '25%', wanted(d), 'down')
  return surge === 0 && unavailable === 0 ? { surge: 0, unavailable: 1 } : { surge, unavailable }
}

export function maxSurge(d: Deployment): number {
  return isRolling(d) ? fenceposts(d).surge : 0
}

export function maxUnavailable(d: Deployment): number {
  if (!isRolling(d) || wanted(d) === 0) return 0
  return Math.min(fenceposts(d).unavailable, wanted(d))
}

/** The replica set whose template is the deployment's, the oldest if there are several. */
export function findNew(d: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const template = withoutHash(d.spec.template)
  return oldestFirst(sets).find(rs => deepEqual(withoutHash(rs.spec.template), template))
}

export function sameTemplate(d: Deployment, rs: ReplicaSet): boolean {
  return deepEqual(withoutHash(d.spec.template), withoutHash(rs.spec.template))
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {}
  const annotations = template?.metadata?.annotations ?? {}
  const { labels: _l, annotations: _a, ...metadata } = template?.metadata ?? {}
  return { metadata: { ...metadata, labels, annotations }, spec: template?.spec }
}

export function oldSets(sets: readonly ReplicaSet[], current: ReplicaSet | undefined): ReplicaSet[] {
  return oldestFirst(sets.filter(rs => rs.metadata.uid !== current?.metadata.uid))
}

export function nextRevision(old: readonly ReplicaSet[]): bigint {
  return old.map(revisionOf).reduce((highest, revision) => (revision > highest ? revision : highest), 0n) + 1n
}

/** Annotations of the new replica set at this revision; the same object contents when nothing changes. */
export function annotationsFor(d: Deployment, present: Record<string, string> | undefined, revision: bigint, exists: boolean): Record<string, string> {
  const next: Record<string, string> = { ...present }
  for (const [key, value] of Object.entries(d.metadata.annotations ?? {})) if (!notCopied.has(key)) next[key] = value
  const before = revisionIn(present?.[revisionAnnotation])
  if (before < revision) {
    next[revisionAnnotation] = String(revision)
    if (before > 0n) next[revisionHistoryAnnotation] = historyWith(present?.[revisionHistoryAnnotation], before)
  }
  return exists ? next : { ...next, ...sizeAnnotations(d) }
}

function historyWith(history: string | undefined, revision: bigint): string {
  const all = history ? [...history.split(','), String(revision)] : [String(revision)]
  while (all.length > 1 && all.join(',').length > maxHistoryLength) all.shift()
  return all.join(',')
}

export function sizeAnnotations(d: Deployment): Record<string, string> {
  return { [desiredAnnotation]: String(wanted(d)), [maxAnnotation]: String(wanted(d) + maxSurge(d)) }
}

/** The replica set to create for the deployment's present template. */
export function makeReplicaSet(d: Deployment, old: readonly ReplicaSet[]): ReplicaSet {
  const hash = templateHash(d.spec.template, d.status?.collisionCount)
  const labels = { ...d.spec.template.metadata?.labels, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${d.metadata.name ?? ''}-${hash}`,
      namespace: d.metadata.namespace ?? '',
      labels,
      annotations: annotationsFor(d, undefined, nextRevision(old), false),
      ownerReferences: [controllerRef(d)],
    },
    spec: {
      replicas: newSize(d, old, 0),
      minReadySeconds: d.spec.minReadySeconds ?? 0,
      selector: { ...d.spec.selector, matchLabels: { ...d.spec.selector.matchLabels, [hashLabel]: hash } },
      template: { ...d.spec.template, metadata: { ...d.spec.template.metadata, labels } },
    },
  }
}

/** How large the new replica set may be now, beside the old ones. */
export function newSize(d: Deployment, old: readonly ReplicaSet[], present: number): number {
  if (!isRolling(d)) return wanted(d)
  const room = wanted(d) + maxSurge(d) - totalSize(old) - present
  if (room <= 0) return present
  return present + Math.min(room, wanted(d) - present)
}

/** Old, empty, settled replica sets beyond the history limit, the earliest revisions first. */
export function beyondHistory(d: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = d.spec.revisionHistoryLimit ?? 10
  const alive = old.filter(rs => !rs.metadata.deletionTimestamp).sort((a, b) => (revisionOf(a) < revisionOf(b) ? -1 : 1))
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(rs => sizeOf(rs) === 0 && (rs.status?.replicas ?? 0) === 0 && (rs.metadata.generation ?? 0) <= (rs.status?.observedGeneration ?? 0))
}
