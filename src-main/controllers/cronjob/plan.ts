/** When a CronJob runs next and which of its finished jobs are kept. Pure. */
import { nextTime, parseSchedule } from '../../api/batch/v1/schedule.ts'
import type { CronJob, Job } from '../../api/generated/batch-v1.ts'
import { parseTime } from '../../api/time.ts'

/** More missed runs than this are not looked through one by one, as upstream. */
const maxMissed = 100

export interface Due {
  /** The newest moment that has come and was not yet served. */
  readonly dueMs: number | undefined
  /** The next one. */
  readonly nextMs: number | undefined
  readonly tooMany: boolean
}

/** Throws a ScheduleError for text that is no schedule. */
export function dueTime(cronJob: CronJob, nowMs: number): Due {
  const { spec } = cronJob
  const schedule = parseSchedule(spec.schedule)
  let from = parseTime(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? '')
  if (spec.startingDeadlineSeconds !== undefined) from = Math.max(from, nowMs - spec.startingDeadlineSeconds * 1000)
  let dueMs: number | undefined
  let missed = 0
  let at = nextTime(schedule, from, spec.timeZone)
  while (at !== undefined && at <= nowMs) {
    dueMs = at
    // After many of them only the newest matters: look from shortly before now.
    at = nextTime(schedule, ++missed === maxMissed ? Math.max(at, nowMs - 3_600_000) : at, spec.timeZone)
  }
  return { dueMs, nextMs: at, tooMany: missed > maxMissed }
}

export function finishedAs(job: Job): 'Complete' | 'Failed' | undefined {
  const condition = job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')
  return condition?.type as 'Complete' | 'Failed' | undefined
}

/** Finished jobs beyond the history limits, oldest first. */
export function jobsToRemove(cronJob: CronJob, jobs: readonly Job[]): Job[] {
  const oldest = (list: readonly Job[], limit: number | undefined): Job[] =>
    limit === undefined ? [] : [...list].sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1)).slice(0, Math.max(0, list.length - limit))
  return [
    ...oldest(
      jobs.filter(job => finishedAs(job) === 'Complete'),
      cronJob.spec.successfulJobsHistoryLimit,
    ),
    ...oldest(
      jobs.filter(job => finishedAs(job) === 'Failed'),
      cronJob.spec.failedJobsHistoryLimit,
    ),
  ]
}

function startOf(job: Job): string {
  return `${job.status?.startTime ?? job.metadata.creationTimestamp ?? ''}/${job.metadata.name ?? ''}`
}

/** The name of a run: the CronJob's with the minute since 1970. */
export function jobName(cronJob: CronJob, dueMs: number): string {
  return `${cronJob.metadata.name ?? ''}-${Math.floor(dueMs / 60_000)}`
}
