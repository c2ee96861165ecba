/** Makes Jobs at the times that CronJobs name. */
import { cronJobs } from '../../api/batch/v1/cron-job.ts'
import { jobs } from '../../api/batch/v1/job.ts'
import { ScheduleError } from '../../api/batch/v1/schedule.ts'
import type { CronJob, CronJobStatus, Job } from '../../api/generated/batch-v1.ts'
import type { ObjectReference } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { StatusError, isNotFound } from '../../api/status-error.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, Requeue } from '../../controller-runtime/controller.ts'
import { controllerIndex, controllerRef, indexByController } from '../../controller-runtime/ownership.ts'
import { dueTime, finishedAs, jobName, jobsToRemove } from './plan.ts'

const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
/** A run that is due is started this long after its second, so that clocks that differ a little agree. */
const slackMs = 100

export const cronJobController = defineController<CronJob>({
  name: 'cronjob-controller',
  for: cronJobs,
  owns: [jobs],
  writes: [{ resource: jobs }, { resource: cronJobs, subresource: 'status' }],
  indexes: [indexByController(jobs)],
  workers: 5,
  async reconcile(context, key) {
    const { cache, client } = context
    const cronJob = cache.of(cronJobs).get(key)
    if (!cronJob || cronJob.metadata.deletionTimestamp) return
    const owned = cache.of(jobs).byIndex(controllerIndex, cronJob.metadata.uid ?? '')
    const status = currentStatus(context, cronJob, owned)
    for (const job of jobsToRemove(cronJob, owned)) await removeJob(context, cronJob, job)
    const requeue = cronJob.spec.suspend ? undefined : await schedule(context, cronJob, status, owned)
    if (!deepEqual(status, cronJob.status ?? {})) await client.resource(cronJobs).updateStatus({ ...cronJob, status })
    return requeue
  },
})

/** Active jobs and the newest success, from the jobs that there are. */
function currentStatus(context: ControllerContext, cronJob: CronJob, owned: readonly Job[]): CronJobStatus {
  const status: CronJobStatus = { ...cronJob.status }
  const known = new Set((cronJob.status?.active ?? []).map(reference => reference.uid))
  for (const job of owned) {
    const finished = finishedAs(job)
    if (finished && known.has(job.metadata.uid)) context.events.event(cronJob, 'Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name ?? ''}, condition: ${finished}`)
    const ended = job.status?.completionTime
    if (finished === 'Complete' && ended !== undefined && !(parseTime(status.lastSuccessfulTime ?? '') >= parseTime(ended))) status.lastSuccessfulTime = ended
  }
  setActive(status, owned.filter(job => !finishedAs(job)).map(referenceTo))
  return status
}

function setActive(status: CronJobStatus, active: ObjectReference[]): void {
  if (active.length > 0) status.active = active
  else delete status.active
}

function referenceTo(job: Job): ObjectReference {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    name: job.metadata.name ?? '',
    namespace: job.metadata.namespace ?? '',
    uid: job.metadata.uid ?? '',
    resourceVersion: job.metadata.resourceVersion ?? '',
  }
}

async function schedule(context: ControllerContext, cronJob: CronJob, status: CronJobStatus, owned: readonly Job[]): Promise<Requeue | undefined> {
  const nowMs = context.env.clock.now()
  let due: ReturnType<typeof dueTime>
  try {
    due = dueTime(cronJob, nowMs)
  } catch (fault) {
    if (!(fault instanceof ScheduleError)) throw fault
    context.events.event(cronJob, 'Warning', 'UnparseableSchedule', `unparseable schedule: ${JSON.stringify(cronJob.spec.schedule)} : ${fault.message}`)
    return undefined
  }
  if (due.tooMany) context.events.event(cronJob, 'Warning', 'TooManyMissedTimes', 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew')
  const requeue = due.nextMs === undefined ? undefined : { requeueAfterMs: due.nextMs - nowMs + slackMs }
  if (due.dueMs === undefined) return requeue
  const active = owned.filter(job => !finishedAs(job))
  const policy = cronJob.spec.concurrencyPolicy ?? 'Allow'
  if (policy === 'Forbid' && active.length > 0) {
    context.events.event(cronJob, 'Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid')
    return requeue
  }
  if (policy === 'Replace') {
    for (const job of active) await removeJob(context, cronJob, job)
    setActive(status, [])
  }
  const made = await startJob(context, cronJob, due.dueMs)
  if (made) setActive(status, [...(status.active ?? []).filter(reference => reference.uid !== made.metadata.uid), referenceTo(made)])
  status.lastScheduleTime = formatTime(due.dueMs)
  return requeue
}

/** Undefined where this run was started before. */
async function startJob(context: ControllerContext, cronJob: CronJob, dueMs: number): Promise<Job | undefined> {
  const template = cronJob.spec.jobTemplate
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(cronJob, dueMs),
      namespace: cronJob.metadata.namespace ?? '',
      labels: { ...template.metadata?.labels },
      annotations: { ...template.metadata?.annotations, [scheduledAnnotation]: formatTime(dueMs) },
      ownerReferences: [controllerRef(cronJob)],
    },
    ...(template.spec ? { spec: template.spec } : {}),
  }
  try {
    const made = await context.client.resource(jobs).create(job)
    context.events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name ?? ''}`)
    return made
  } catch (fault) {
    if (fault instanceof StatusError && fault.reason === 'AlreadyExists') return undefined
    if (!(fault instanceof StatusError && (fault.status.details?.causes ?? []).some(c => c.reason === 'NamespaceTerminating'))) {
      context.events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${fault instanceof Error ? fault.message : String(fault)}`)
    }
    throw fault
  }
}

async function removeJob(context: ControllerContext, cronJob: CronJob, job: Job): Promise<void> {
  const { name = '', namespace = '' } = job.metadata
  try {
    await context.client.resource(jobs).delete(name, { namespace, propagationPolicy: 'Background' })
    context.events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
  } catch (fault) {
    if (!isNotFound(fault)) throw fault
  }
}
