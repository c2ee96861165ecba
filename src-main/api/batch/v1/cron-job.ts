import { defineResource } from '../../resource.ts'
import { ageColumn, ageText, containerColumns, nameColumn, none, selectorText } from '../../columns.ts'
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { CronJob, CronJobSpec } from '../../generated/batch-v1.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { forbiddenField } from '../../field-errors.ts'
import { nonNegative } from '../../validation.ts'
import { isTimeZone, parseSchedule } from './schedule.ts'
import { jobSpecFaults } from './job.ts'

export type { CronJob }
export { nextTime, parseSchedule } from './schedule.ts'

const policies = ['Allow', 'Forbid', 'Replace']
/** A job's name is the cron job's with eleven characters of time behind it. */
const maxName = 52

function scheduleFaults(spec: CronJobSpec, at: FieldPath): FieldErrorList {
  const schedule = spec.schedule ?? ''
  const path = at.child('schedule')
  if (schedule === '') return [required(path, '')]
  if (/^(CRON_)?TZ=/.test(schedule)) return [invalidValue(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')]
  try {
    parseSchedule(schedule)
    return []
  } catch (error) {
    return [invalidValue(path, schedule, error instanceof Error ? error.message : String(error))]
  }
}

function timeZoneFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (name === undefined) return []
  if (name === '') return [invalidValue(path, name, 'timeZone must be nil or non-empty string')]
  if (name.toLowerCase() === 'local') return [invalidValue(path, name, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones')]
  return isTimeZone(name) ? [] : [invalidValue(path, name, `unknown time zone ${name}`)]
}

export const cronJobs = defineResource<CronJob>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  scope: 'Namespaced',
  shortNames: ['cj'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.batch.v1.CronJob',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Schedule', type: 'string', value: c => c.spec?.schedule ?? '' },
    { name: 'Timezone', type: 'string', value: c => c.spec?.timeZone ?? none },
    { name: 'Suspend', type: 'boolean', value: c => (c.spec?.suspend === true ? 'True' : 'False') },
    { name: 'Active', type: 'integer', value: c => c.status?.active?.length ?? 0 },
    { name: 'Last Schedule', type: 'string', value: (c, now) => (c.status?.lastScheduleTime === undefined ? none : ageText(c.status.lastScheduleTime, now)) },
    ageColumn(),
    ...containerColumns<CronJob>(c => c.spec?.jobTemplate?.spec?.template?.spec),
    { name: 'Selector', type: 'string', priority: 1, value: c => selectorText(c.spec?.jobTemplate?.spec?.selector) },
  ],
  menu: { area: 'workloads', order: 70 },
  setDefaults(cronJob) {
    const spec = cronJob.spec
    if (spec === undefined) return
    spec.concurrencyPolicy ||= 'Allow'
    spec.suspend ??= false
    spec.successfulJobsHistoryLimit ??= 3
    spec.failedJobsHistoryLimit ??= 1
    if (spec.jobTemplate !== undefined) {
      spec.jobTemplate.metadata ??= {}
      setPodTemplateDefaults(spec.jobTemplate.spec?.template)
    }
  },
  prepareForCreate(cronJob) {
    cronJob.status = {}
  },
  validate(cronJob, at) {
    const spec = cronJob.spec ?? ({} as CronJobSpec)
    const path = at.child('spec')
    const faults: FieldErrorList = scheduleFaults(spec, path)
    faults.push(...nonNegative(spec.startingDeadlineSeconds, path.child('startingDeadlineSeconds')))
    if (!policies.includes(spec.concurrencyPolicy ?? ''))
      faults.push(spec.concurrencyPolicy ? notSupported(path.child('concurrencyPolicy'), spec.concurrencyPolicy, policies) : required(path.child('concurrencyPolicy'), ''))
    faults.push(...jobSpecFaults(spec.jobTemplate?.spec, path.child('jobTemplate', 'spec')))
    if (spec.jobTemplate?.spec?.manualSelector === true)
      faults.push(forbiddenField(path.child('jobTemplate', 'spec', 'manualSelector'), '`manualSelector` must be unset or set to `false`'))
    faults.push(
      ...nonNegative(spec.successfulJobsHistoryLimit, path.child('successfulJobsHistoryLimit')),
      ...nonNegative(spec.failedJobsHistoryLimit, path.child('failedJobsHistoryLimit')),
    )
    faults.push(...timeZoneFaults(spec.timeZone, path.child('timeZone')))
    if ((cronJob.metadata.name ?? '').length > maxName) faults.push(invalidValue(at.child('metadata', 'name'), cronJob.metadata.name, `must be no more than ${maxName} characters`))
    return faults
  },
})
