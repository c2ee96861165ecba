import { defineResource } from '../../resource.ts'
import { ageColumn, containerColumns, nameColumn, selectorText } from '../../columns.ts'
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Job, JobSpec } from '../../generated/batch-v1.ts'
import { isValidLabelValue } from '../../names.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { podTemplateFaults } from '../../core/v1/pod-validation.ts'
import { deepEqual } from '../../json.ts'
import { humanDuration, parseTime } from '../../time.ts'
import { immutable, nonNegative, templateLabelsFaults } from '../../validation.ts'
import { jobPolicyFaults } from './job-policy.ts'
import { jobStatusFaults } from './job-status.ts'

export type { Job }

export const jobUidLabel = 'batch.kubernetes.io/controller-uid'
export const jobNameLabel = 'batch.kubernetes.io/job-name'
const legacyUidLabel = 'controller-uid'
const legacyNameLabel = 'job-name'
const maxParallelism = 100_000
const maxName = 63

export function jobCondition(job: Job, type: string): boolean {
  return job.status?.conditions?.some(c => c.type === type && c.status === 'True') === true
}

/** Complete or Failed: it never runs a pod again. */
export function isJobFinished(job: Job): boolean {
  return jobCondition(job, 'Complete') || jobCondition(job, 'Failed')
}

function statusText(job: Job): string {
  if (jobCondition(job, 'Complete')) return 'Complete'
  if (jobCondition(job, 'Failed')) return 'Failed'
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  if (jobCondition(job, 'Suspended')) return 'Suspended'
  if (jobCondition(job, 'FailureTarget')) return 'FailureTarget'
  if (jobCondition(job, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet'
  return 'Running'
}

function completionsText(job: Job): string {
  const done = job.status?.succeeded ?? 0
  if (job.spec?.completions !== undefined) return `${done}/${job.spec.completions}`
  const parallelism = job.spec?.parallelism ?? 0
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function durationText(job: Job, now: number): string {
  const started = job.status?.startTime
  if (started === undefined) return ''
  const ended = job.status?.completionTime ?? job.status?.conditions?.find(c => c.type === 'Failed' && c.status === 'True')?.lastTransitionTime
  return humanDuration((ended === undefined ? now : parseTime(ended)) - parseTime(started))
}

/** Defaults of a job's spec; cron jobs leave theirs to the job they make. */
function setDefaults(job: Job): void {
  const spec = job.spec
  if (spec === undefined) return
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1
    spec.parallelism = 1
  }
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647
  const labels = spec.template?.metadata?.labels
  if (labels !== undefined && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels }
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'
  spec.manualSelector ??= false
  for (const rule of spec.podFailurePolicy?.rules ?? []) for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True'
  setPodTemplateDefaults(spec.template)
}

/** Pods of a job are found by the job's uid, unless its writer selects them by hand. */
function selectByUid(job: Job): void {
  const uid = job.metadata.uid ?? ''
  const name = job.metadata.name ?? ''
  if (job.spec === undefined) (job as { spec: unknown }).spec = { template: { metadata: {}, spec: undefined } }
  const template = ((job.spec as JobSpec).template ??= {})
  const labels = ((template.metadata ??= {}).labels ??= {})
  for (const [key, value] of [
    [jobUidLabel, uid],
    [jobNameLabel, name],
    [legacyUidLabel, uid],
    [legacyNameLabel, name],
  ] as const)
    if (labels[key] === undefined) labels[key] = value
  const spec = job.spec as JobSpec
  spec.selector ??= {}
  ;(spec.selector.matchLabels ??= {})[jobUidLabel] ??= uid
  // A name that is no label value is refused for the template's sake alone.
  if (Object.keys(job.metadata.labels ?? {}).length === 0 && isValidLabelValue(name).length === 0) job.metadata.labels = { ...labels }
}

/** Faults of a job's spec, of jobs and of job templates. */
export function jobSpecFaults(spec: JobSpec | undefined, at: FieldPath): FieldErrorList {
  const s = spec ?? ({} as JobSpec)
  const faults: FieldErrorList = []
  for (const field of ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished', 'backoffLimitPerIndex', 'maxFailedIndexes'] as const)
    faults.push(...nonNegative(s[field], at.child(field)))
  if (s.completionMode !== undefined) faults.push(...completionModeFaults(s, at))
  if (s.backoffLimitPerIndex !== undefined && s.completionMode !== 'Indexed')
    faults.push(invalidValue(at.child('backoffLimitPerIndex'), s.backoffLimitPerIndex, 'requires indexed completion mode'))
  if (s.maxFailedIndexes !== undefined) {
    if (s.completions !== undefined && s.maxFailedIndexes > s.completions)
      faults.push(invalidValue(at.child('maxFailedIndexes'), s.maxFailedIndexes, 'must be less than or equal to completions'))
    if (s.backoffLimitPerIndex === undefined) faults.push(required(at.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'))
  }
  if (s.managedBy !== undefined) faults.push(...managedByFaults(s.managedBy, at.child('managedBy')))
  faults.push(...jobPolicyFaults(s, at))
  if (s.podReplacementPolicy !== undefined) {
    const supported = s.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed']
    if (!supported.includes(s.podReplacementPolicy)) faults.push(notSupported(at.child('podReplacementPolicy'), s.podReplacementPolicy, supported))
  }
  return [...faults, ...jobTemplateFaults(s, at.child('template'))]
}

function completionModeFaults(spec: JobSpec, at: FieldPath): FieldErrorList {
  const mode = spec.completionMode ?? ''
  if (mode !== 'NonIndexed' && mode !== 'Indexed') return [notSupported(at.child('completionMode'), mode, ['Indexed', 'NonIndexed'])]
  if (mode !== 'Indexed') return []
  const faults: FieldErrorList = []
  if (spec.completions === undefined) faults.push(required(at.child('completions'), 'when completion mode is Indexed'))
  if ((spec.parallelism ?? 0) > maxParallelism)
    faults.push(invalidValue(at.child('parallelism'), spec.parallelism, `must be less than or equal to ${maxParallelism} when completion mode is Indexed`))
  return faults
}

function managedByFaults(value: string, path: FieldPath): FieldErrorList {
  const slash = value.indexOf('/')
  return slash > 0 && slash < value.length - 1 ? [] : [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
}

function jobTemplateFaults(spec: JobSpec, at: FieldPath): FieldErrorList {
  // An absent template has no restart policy either; Kubernetes then names only the containers and the job's own rule.
  const template = spec.template
  const faults = template?.spec === undefined ? [required(at.child('spec', 'containers'), '')] : podTemplateFaults(template, at)
  const policy = template?.spec?.restartPolicy
  if (policy === undefined || policy === '' || policy === 'Always') faults.push(required(at.child('spec', 'restartPolicy'), 'valid values: "OnFailure", "Never"'))
  else if (policy !== 'OnFailure' && policy !== 'Never') faults.push(notSupported(at.child('spec', 'restartPolicy'), policy, ['Never', 'OnFailure']))
  else if (spec.podFailurePolicy !== undefined && policy !== 'Never')
    faults.push(invalidValue(at.child('spec', 'restartPolicy'), policy, 'only "Never" is supported when podFailurePolicy is specified'))
  return faults
}

function generatedLabelFaults(job: Job, at: FieldPath): FieldErrorList {
  if (job.spec?.manualSelector === true) return []
  const labels = job.spec?.template?.metadata?.labels ?? {}
  const path = at.child('template', 'metadata', 'labels')
  const sorted = Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
  const faults: FieldErrorList = []
  const expect = (key: string, value: string | undefined): void => {
    if (value !== undefined && labels[key] !== value) faults.push(invalidValue(path.key(key), sorted, `must be '${value}'`))
  }
  expect(legacyUidLabel, job.metadata.uid)
  expect(legacyNameLabel, job.metadata.name)
  expect(jobUidLabel, job.metadata.uid)
  expect(jobNameLabel, job.metadata.name)
  return faults
}

const frozen = ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const

export const jobs = defineResource<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  scope: 'Namespaced',
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.batch.v1.Job',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', value: statusText },
    { name: 'Completions', type: 'string', value: completionsText },
    { name: 'Duration', type: 'string', value: durationText },
    ageColumn(),
    ...containerColumns<Job>(j => j.spec?.template?.spec),
    { name: 'Selector', type: 'string', priority: 1, value: j => selectorText(j.spec?.selector) },
  ],
  menu: { area: 'workloads', order: 60 },
  fields: { 'status.successful': j => String(j.status?.succeeded ?? 0) },
  setDefaults,
  prepareForCreate(job) {
    job.status = {}
    if (job.spec?.manualSelector !== true) selectByUid(job)
  },
  validate(job, at) {
    const path = at.child('spec')
    const faults: FieldErrorList = []
    if ((job.metadata.name ?? '').length > maxName) faults.push(invalidValue(path.child('template', 'labels'), job.metadata.name, `must be no more than ${maxName} bytes`))
    faults.push(...generatedLabelFaults(job, path), ...jobSpecFaults(job.spec, path))
    if (job.spec?.selector === undefined) faults.push(required(path.child('selector'), ''))
    return [...faults, ...templateLabelsFaults(job.spec?.selector, job.spec?.template?.metadata?.labels, path)]
  },
  validateUpdate(next, previous, at) {
    const path = at.child('spec')
    const [to, from] = [next.spec, previous.spec]
    const faults: FieldErrorList = []
    if (to?.completions !== from?.completions && !(to?.completionMode === 'Indexed' && to.completions === to.parallelism && to.completions !== undefined)) {
      faults.push(
        to?.completionMode === 'Indexed'
          ? invalidValue(path.child('completions'), to.completions ?? null, 'can only be modified in tandem with spec.parallelism')
          : invalidValue(path.child('completions'), to?.completions ?? null, 'field is immutable'),
      )
    }
    for (const field of frozen) faults.push(...immutable(to?.[field], from?.[field], path.child(field)))
    if (!sameTemplate(to, from, previous)) faults.push(invalidValue(path.child('template', 'spec'), to?.template?.spec ?? null, 'field is immutable'))
    return faults
  },
  validateStatusUpdate: (next, previous, at) => jobStatusFaults(next, previous, at.child('status')),
})

/** What a suspended job asks for may change as well. */
function withoutResources(containers: readonly object[] | undefined): unknown {
  return containers?.map(container => ({ ...container, resources: null }))
}

/** While a job is suspended and has not started, its scheduling may still change. */
function sameTemplate(to: JobSpec | undefined, from: JobSpec | undefined, previous: Job): boolean {
  if (deepEqual(to?.template, from?.template)) return true
  if (previous.spec?.suspend !== true || previous.status?.startTime !== undefined) return false
  const bare = (spec: JobSpec | undefined): unknown => ({
    ...spec?.template,
    metadata: null,
    spec: {
      ...spec?.template?.spec,
      nodeSelector: null,
      tolerations: null,
      affinity: null,
      schedulingGates: null,
      containers: withoutResources(spec?.template?.spec?.containers),
      initContainers: withoutResources(spec?.template?.spec?.initContainers),
    },
  })
  return deepEqual(bare(to), bare(from))
}
