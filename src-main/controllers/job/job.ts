/**
 * Runs a job's pods to completion. Every pod carries a finalizer until its outcome is in the job's status, so that none
 * is lost or counted twice.
 */
import { jobs } from '../../api/batch/v1/job.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Job, JobStatus } from '../../api/generated/batch-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf, splitKey } from '../../api/meta.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, Requeue } from '../../controller-runtime/controller.ts'
import { claimOwned, controllerOf, indexByController } from '../../controller-runtime/ownership.ts'
import { podFromTemplate } from '../../controller-runtime/pod-template.ts'
import { slowStart } from '../../controller-runtime/slow-start.ts'
import {
  backoffLeftMs,
  completedIndexes,
  countsOf,
  finishedCondition,
  formatIndexes,
  freeIndexes,
  indexAnnotation,
  indexesGivenUp,
  indexOf,
  isActive,
  isIndexed,
  isTracked,
  matchedRule,
  outcomeOf,
  trackingFinalizer,
  uncounted,
  wantedActive,
  withCondition,
} from './plan.ts'
import type { Counts, Outcome } from './plan.ts'

/** Before the key of a pod; no namespace has a colon. */
const orphanKey = 'orphan:'

/** spec.managedBy of jobs that this controller runs; absent means the same. */
const ownName = 'kubernetes.io/job-controller'

export const jobController = defineController<Job>({
  name: 'job-controller',
  for: jobs,
  owns: [pods],
  // A pod that nobody controls any more (its job was deleted and left it) is freed under a key of its own.
  watches: [{ resource: pods, keys: (pod: Pod) => (isTracked(pod) && !controllerOf(pod) ? [`${orphanKey}${keyOf(pod)}`] : []) }],
  writes: [{ resource: pods }, { resource: jobs, subresource: 'status' }, { resource: jobs, verbs: ['get', 'delete', 'patch'] }],
  indexes: [indexByController(pods)],
  workers: 5,
  async reconcile(context, key) {
    const { client, cache } = context
    if (key.startsWith(orphanKey)) {
      const orphan = cache.of(pods).get(key.slice(orphanKey.length))
      if (orphan && isTracked(orphan) && !controllerOf(orphan)) await untrack(context, orphan)
      return
    }
    const job = cache.of(jobs).get(key)
    await freeOrphans(context, key, job?.metadata.uid)
    // Somebody else's, whole: not even its pods are touched.
    if (!job || (job.spec?.managedBy !== undefined && job.spec.managedBy !== ownName)) return
    const owned = await claimOwned<Pod>({ client, lister: cache.of(pods), resource: pods, owner: job, ownerResource: jobs, selector: job.spec?.selector })
    if (job.metadata.deletionTimestamp || finishedCondition(job)) return finish(context, owned)
    return step(context, job, owned)
  },
})

/** Pods of a job that is gone (another one may have its name): nobody counts them any more, and their finalizer would keep them for ever. */
async function freeOrphans(context: ControllerContext, key: string, uid: string | undefined): Promise<void> {
  const { namespace, name } = splitKey(key)
  for (const pod of context.cache.of(pods).list(namespace)) {
    const owner = pod.metadata.ownerReferences?.find(o => o.controller)
    if (owner?.kind === 'Job' && owner.name === name && owner.uid !== uid && isTracked(pod)) await untrack(context, pod)
  }
}

/** A finished (or deleted) job: its pods are freed. */
async function finish(context: ControllerContext, owned: readonly Pod[]): Promise<void> {
  for (const pod of owned.filter(isTracked)) await untrack(context, pod)
}

async function step(context: ControllerContext, job: Job, owned: readonly Pod[]): Promise<Requeue | undefined> {
  const nowMs = context.env.clock.now()
  const status = account(job, owned, nowMs)
  // First the outcome is written down, then the pods are let go: a crash in between loses nothing.
  if (
    !deepEqual(status.uncountedTerminatedPods ?? {}, job.status?.uncountedTerminatedPods ?? {}) ||
    status.startTime !== job.status?.startTime ||
    status.failedIndexes !== job.status?.failedIndexes
  ) {
    await write(context, job, withCounts(status, countsOf(status, owned)))
    return undefined
  }
  const waiting = new Set([...(status.uncountedTerminatedPods?.succeeded ?? []), ...(status.uncountedTerminatedPods?.failed ?? [])])
  for (const pod of owned) if (isTracked(pod) && (waiting.has(pod.metadata.uid ?? '') || !isActive(pod))) await untrack(context, pod)
  const counts = countsOf(status, owned)
  const outcome = outcomeOf(job, counts, nowMs)
  if (outcome) return conclude(context, job, status, counts, outcome)
  return job.spec?.suspend ? suspend(context, job, status, counts) : run(context, job, status, counts)
}

/** The status with newly finished pods noted and those that were let go counted for good. */
function account(job: Job, owned: readonly Pod[], nowMs: number): JobStatus {
  const { uncountedTerminatedPods: before, ...rest } = job.status ?? {}
  const status: JobStatus = { ...rest }
  const tracked = new Set(owned.filter(isTracked).map(p => p.metadata.uid ?? ''))
  const fresh = uncounted(job, owned)
  const still = { succeeded: [] as string[], failed: [] as string[] }
  for (const outcome of ['succeeded', 'failed'] as const) {
    for (const uid of before?.[outcome] ?? []) {
      if (tracked.has(uid)) still[outcome].push(uid)
      else status[outcome] = (status[outcome] ?? 0) + 1
    }
    still[outcome].push(...fresh[outcome])
  }
  status.uncountedTerminatedPods = { ...(still.succeeded.length > 0 ? { succeeded: still.succeeded } : {}), ...(still.failed.length > 0 ? { failed: still.failed } : {}) }
  if (isIndexed(job) && fresh.succeeded.length > 0) {
    const done = completedIndexes(job)
    for (const pod of owned) if (fresh.succeeded.includes(pod.metadata.uid ?? '')) done.add(indexOf(pod))
    status.completedIndexes = formatIndexes(done)
  }
  if (job.spec?.backoffLimitPerIndex !== undefined) status.failedIndexes = formatIndexes(indexesGivenUp({ ...job, status }, owned))
  const fatal = owned
    .filter(isTracked)
    .map(pod => matchedRule(job, pod))
    .find(rule => rule?.action === 'FailJob')
  if (fatal) status.conditions = withCondition(status.conditions ?? [], 'FailureTarget', 'True', 'PodFailurePolicy', fatal.message, nowMs)
  if (!status.startTime && !job.spec?.suspend) status.startTime = formatTime(nowMs)
  return status
}

function withCounts(status: JobStatus, counts: Counts): JobStatus {
  const next: JobStatus = { ...status, active: counts.active.length, ready: counts.ready, terminating: counts.terminating }
  if (next.active === 0) delete next.active
  return next
}

async function conclude(context: ControllerContext, job: Job, status: JobStatus, counts: Counts, outcome: Outcome): Promise<Requeue | undefined> {
  const nowMs = context.env.clock.now()
  const early = outcome.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget'
  const conditions = withCondition(status.conditions ?? [], early, 'True', outcome.reason, outcome.message, nowMs)
  const left = counts.active.length + (status.uncountedTerminatedPods?.succeeded ?? []).length + (status.uncountedTerminatedPods?.failed ?? []).length
  if (left > 0 || counts.terminating > 0) {
    for (const pod of counts.active) await remove(context, job, pod)
    await write(context, job, withCounts({ ...status, conditions }, counts))
    return undefined // the pods' next changes bring us back
  }
  const final = withCondition(conditions, outcome.type, 'True', outcome.reason, outcome.message, nowMs)
  await write(context, job, {
    ...withCounts(status, counts),
    conditions: final,
    ...(outcome.type === 'Complete' ? { completionTime: formatTime(notBefore(status.startTime, nowMs)) } : {}),
  })
  if (outcome.type === 'Complete') context.events.event(job, 'Normal', 'Completed', 'Job completed')
  else context.events.event(job, 'Warning', outcome.reason, outcome.message)
  return undefined
}

/** A clock that was set back must not let a job end before it began: the API refuses that. */
function notBefore(startTime: string | undefined, nowMs: number): number {
  return startTime === undefined ? nowMs : Math.max(nowMs, parseTime(startTime))
}

async function suspend(context: ControllerContext, job: Job, status: JobStatus, counts: Counts): Promise<undefined> {
  for (const pod of counts.active) await remove(context, job, pod)
  const conditions = withCondition(status.conditions ?? [], 'Suspended', 'True', 'JobSuspended', 'Job suspended', context.env.clock.now())
  const { startTime: _start, ...rest } = withCounts(status, counts)
  if (job.status?.startTime || !deepEqual(conditions, job.status?.conditions)) context.events.event(job, 'Normal', 'Suspended', 'Job suspended')
  await write(context, job, { ...rest, conditions })
}

async function run(context: ControllerContext, job: Job, status: JobStatus, counts: Counts): Promise<Requeue | undefined> {
  const nowMs = context.env.clock.now()
  let next = withCounts(status, counts)
  if (status.conditions?.some(c => c.type === 'Suspended' && c.status === 'True')) {
    next = { ...next, conditions: withCondition(status.conditions, 'Suspended', 'False', 'JobResumed', 'Job resumed', nowMs), startTime: formatTime(nowMs) }
    context.events.event(job, 'Normal', 'Resumed', 'Job resumed')
  }
  const difference = wantedActive(job, counts) - counts.active.length
  const waitMs = difference > 0 ? backoffLeftMs(job, counts, nowMs) : 0
  await write(context, job, next)
  for (const pod of counts.active.slice(0, Math.max(0, -difference))) await remove(context, job, pod)
  if (difference > 0 && (waitMs === 0 || job.spec?.backoffLimitPerIndex !== undefined)) await create(context, job, counts, difference)
  const deadlineMs = job.spec?.activeDeadlineSeconds !== undefined && next.startTime ? parseTime(next.startTime) + job.spec.activeDeadlineSeconds * 1000 - nowMs : undefined
  const delays = [...(waitMs > 0 ? [waitMs] : []), ...(deadlineMs !== undefined ? [Math.max(1000, deadlineMs)] : [])]
  return delays.length > 0 ? { requeueAfterMs: Math.min(...delays) } : undefined
}

async function create(context: ControllerContext, job: Job, counts: Counts, count: number): Promise<void> {
  const indexes = isIndexed(job) ? freeIndexes(job, counts, count, context.env.clock.now()) : undefined
  const { fault } = await slowStart(indexes?.length ?? count, async i => {
    const made = await context.client.resource(pods).create(jobPod(job, indexes?.[i]))
    context.events.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name ?? ''}`)
  })
  if (!fault) return
  context.events.event(job, 'Warning', 'FailedCreate', `Error creating: ${fault instanceof Error ? fault.message : String(fault)}`)
  throw fault
}

function jobPod(job: Job, index: number | undefined): Pod {
  const pod = podFromTemplate(job, job.spec?.template)
  const tracked: Pod = { ...pod, metadata: { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), trackingFinalizer] } }
  if (index === undefined || !tracked.spec) return tracked
  const name = 'JOB_COMPLETION_INDEX'
  const withIndex = <C extends { env?: { name: string; value?: string }[] }>(c: C): C =>
    c.env?.some(e => e.name === name) ? c : { ...c, env: [...(c.env ?? []), { name, value: String(index) }] }
  return {
    ...tracked,
    metadata: {
      ...tracked.metadata,
      generateName: `${job.metadata.name ?? ''}-${index}-`,
      labels: { ...tracked.metadata.labels, [indexAnnotation]: String(index) },
      annotations: { ...tracked.metadata.annotations, [indexAnnotation]: String(index) },
    },
    spec: {
      ...tracked.spec,
      hostname: `${job.metadata.name ?? ''}-${index}`,
      containers: tracked.spec.containers.map(withIndex),
      ...(tracked.spec.initContainers ? { initContainers: tracked.spec.initContainers.map(withIndex) } : {}),
    },
  }
}

async function remove(context: ControllerContext, job: Job, pod: Pod): Promise<void> {
  try {
    await context.client.resource(pods).delete(pod.metadata.name ?? '', { namespace: pod.metadata.namespace ?? '' })
    context.events.event(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name ?? ''}`)
  } catch (fault) {
    ignoreNotFound(fault)
  }
}

async function untrack(context: ControllerContext, pod: Pod): Promise<void> {
  const finalizers = (pod.metadata.finalizers ?? []).filter(f => f !== trackingFinalizer)
  const metadata = { uid: pod.metadata.uid, resourceVersion: pod.metadata.resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null }
  await context.client
    .resource(pods)
    .patch(pod.metadata.name ?? '', 'merge', { metadata }, { namespace: pod.metadata.namespace ?? '' })
    .catch(ignoreNotFound)
}

async function write(context: ControllerContext, job: Job, status: JobStatus): Promise<void> {
  if (deepEqual(status, job.status)) return
  await context.client
    .resource(jobs)
    .updateStatus({ ...job, status })
    .catch(ignoreNotFound)
}

function ignoreNotFound(fault: unknown): void {
  if (!isNotFound(fault)) throw fault
}
