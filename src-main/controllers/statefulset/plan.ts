/** The next steps of a stateful set: pods with fixed names, one after the other. Pure. */
import { isPodAvailable, isPodReady } from '../../api/core/v1/pod-questions.ts'
import type { StatefulSet, StatefulSetStatus } from '../../api/generated/apps-v1.ts'
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '../../api/generated/core-v1.ts'
import { intOrPercent } from '../../controller-runtime/int-or-percent.ts'
import { podFromTemplate } from '../../controller-runtime/pod-template.ts'
import { hashOf, revisionHashLabel } from '../../controller-runtime/revisions.ts'

export const podNameLabel = 'statefulset.kubernetes.io/pod-name'
export const podIndexLabel = 'apps.kubernetes.io/pod-index'

export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const prefix = `${set.metadata.name ?? ''}-`
  const rest = (pod.metadata.name ?? '').startsWith(prefix) ? (pod.metadata.name ?? '').slice(prefix.length) : ''
  return /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : -1
}

export interface Revisions {
  readonly current: string
  readonly update: string
}
export type Action = { readonly kind: 'create'; readonly ordinal: number; readonly revision: string } | { readonly kind: 'delete'; readonly pod: Pod }

const isHealthy = (pod: Pod, set: StatefulSet, nowMs: number): boolean =>
  pod.metadata.deletionTimestamp === undefined && pod.status?.phase === 'Running' && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)

/** Ordered sets get at most one action, parallel ones all that are due. `pods` are the set's own. */
export function planStatefulSet(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, nowMs: number): Action[] {
  const start = set.spec.ordinals?.start ?? 0
  const end = start + (set.spec.replicas ?? 1)
  const parallel = set.spec.podManagementPolicy === 'Parallel'
  const byOrdinal = new Map(pods.map(p => [ordinalOf(set, p), p]))
  const actions: Action[] = []
  for (let ordinal = start; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal)
    const finished = pod && !pod.metadata.deletionTimestamp && (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded')
    if (!pod) actions.push({ kind: 'create', ordinal, revision: revisionFor(set, ordinal, revisions) })
    else if (finished) actions.push({ kind: 'delete', pod })
    if (!parallel && (actions.length > 0 || !pod || !isHealthy(pod, set, nowMs))) return actions.slice(0, 1)
  }
  const condemned = pods
    .filter(p => {
      const o = ordinalOf(set, p)
      return o >= end || (o >= 0 && o < start)
    })
    .sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a))
  for (const pod of condemned) {
    if (!pod.metadata.deletionTimestamp) actions.push({ kind: 'delete', pod })
    if (!parallel) return actions
  }
  if (actions.length > 0 || set.spec.updateStrategy?.type === 'OnDelete') return actions
  return nextUpdate(set, byOrdinal, start, end, revisions, nowMs)
}

/**
 * From the highest ordinal down to the partition. No more than maxUnavailable are unavailable by it; parallel sets replace
 * old pods that are unavailable anyway beyond that.
 */
function nextUpdate(set: StatefulSet, byOrdinal: ReadonlyMap<number, Pod>, start: number, end: number, revisions: Revisions, nowMs: number): Action[] {
  const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {}
  const most = Math.max(1, intOrPercent(maxUnavailable, end - start, 'down'))
  const all = Array.from({ length: end - start }, (_, i) => byOrdinal.get(end - 1 - i))
  const isUnavailable = (pod: Pod | undefined): boolean => !pod || !isHealthy(pod, set, nowMs)
  const unavailable = all.filter(isUnavailable).length
  const old = all.filter((pod): pod is Pod => pod !== undefined && !pod.metadata.deletionTimestamp && hashOf(pod) !== revisions.update && ordinalOf(set, pod) >= partition)
  const left = Math.max(0, most - unavailable)
  const parallel = set.spec.podManagementPolicy === 'Parallel'
  const chosen = parallel ? [...old.filter(isUnavailable), ...old.filter(pod => !isUnavailable(pod)).slice(0, left)] : old.slice(0, left)
  return chosen.map(pod => ({ kind: 'delete', pod }))
}

function revisionFor(set: StatefulSet, ordinal: number, revisions: Revisions): string {
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0
  return set.spec.updateStrategy?.type !== 'OnDelete' && ordinal < partition ? revisions.current : revisions.update
}

export function claimName(template: PersistentVolumeClaim, pod: string): string {
  return `${template.metadata.name ?? ''}-${pod}`
}

export function statefulPod(set: StatefulSet, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const name = `${set.metadata.name ?? ''}-${ordinal}`
  const { generateName: _generated, ...metadata } = podFromTemplate(set, template).metadata
  const claims = (set.spec.volumeClaimTemplates ?? []).map((t): Volume => ({ name: t.metadata.name ?? '', persistentVolumeClaim: { claimName: claimName(t, name) } }))
  const claimed = new Set(claims.map(v => v.name))
  const volumes = [...(template.spec?.volumes ?? []).filter(v => !claimed.has(v.name)), ...claims]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name, labels: { ...metadata.labels, [podNameLabel]: name, [podIndexLabel]: String(ordinal), [revisionHashLabel]: revision } },
    spec: {
      ...template.spec,
      containers: template.spec?.containers ?? [],
      hostname: name,
      ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}),
      ...(volumes.length > 0 ? { volumes } : {}),
    },
  }
}

export function statefulStatus(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, nowMs: number): StatefulSetStatus {
  const alive = pods.filter(p => p.status?.phase !== 'Failed' && p.status?.phase !== 'Succeeded')
  const staying = alive.filter(p => !p.metadata.deletionTimestamp)
  const ready = alive.filter(p => p.status?.phase === 'Running' && isPodReady(p))
  const updated = staying.filter(p => hashOf(p) === revisions.update)
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0
  const complete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    partition === 0 &&
    updated.length === pods.length &&
    updated.length === (set.spec.replicas ?? 1) &&
    ready.length === updated.length
  const current = complete ? revisions.update : revisions.current
  const status: StatefulSetStatus = {
    replicas: alive.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter(p => isPodAvailable(p, set.spec.minReadySeconds ?? 0, nowMs)).length,
    currentReplicas: staying.filter(p => hashOf(p) === current).length,
    updatedReplicas: updated.length,
    currentRevision: set.status?.currentRevision || complete ? current : revisions.update,
    updateRevision: revisions.update,
    collisionCount: set.status?.collisionCount ?? 0,
  }
  for (const field of ['readyReplicas', 'currentReplicas', 'updatedReplicas'] as const) if (status[field] === 0) delete status[field]
  if (set.metadata.generation !== undefined) status.observedGeneration = set.metadata.generation
  return status
}
