/**
 * Which status a job may be given: counts and verdicts that fit one another and never go back. Most rules look at what
 * changes alone, so that a status that once passed can always be written on.
 */
import { duplicate, invalidValue, invalidWithoutValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Job, JobStatus } from '../../generated/batch-v1.ts'
import { parseTime } from '../../time.ts'
import { nonNegative, sameValue } from '../../validation.ts'

const counts = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const
const terminal = ['Failed', 'Complete', 'FailureTarget']

const holds = (job: Job, type: string): boolean => (job.status?.conditions ?? []).some(condition => condition.type === type && condition.status === 'True')
const isFinished = (job: Job): boolean => holds(job, 'Complete') || holds(job, 'Failed')

/** A status and the one before it. */
interface Change {
  readonly next: Job
  readonly previous: Job
  readonly status: JobStatus
  readonly before: JobStatus
  changed(field: keyof JobStatus): boolean
  /** A condition came or went. */
  turned(type: string): boolean
}

export function jobStatusFaults(next: Job, previous: Job, at: FieldPath): FieldErrorList {
  const [status, before] = [next.status ?? {}, previous.status ?? {}]
  const change: Change = {
    next,
    previous,
    status,
    before,
    changed: field => !sameValue(status[field], before[field]),
    turned: type => holds(next, type) !== holds(previous, type),
  }
  return [
    ...counts.flatMap(count => nonNegative(status[count], at.child(count))),
    ...uncountedFaults(status, at.child('uncountedTerminatedPods')),
    ...verdictFaults(change, at.child('conditions')),
    ...timesFaults(change, at),
    ...finishedFaults(change, at),
    ...indexesFaults(change, at),
    ...backwardFaults(change, at),
  ]
}

/** Each pod once, in one of both lists. */
function uncountedFaults(status: JobStatus, at: FieldPath): FieldErrorList {
  const seen = new Set<string>()
  const uncounted = status.uncountedTerminatedPods
  return (['succeeded', 'failed'] as const).flatMap(list =>
    (uncounted?.[list] ?? []).flatMap((uid, i) => {
      const path = at.child(list).index(i)
      if (uid === '') return [invalidValue(path, uid, 'must not be empty')]
      if (seen.has(uid)) return [duplicate(path, uid)]
      seen.add(uid)
      return []
    }),
  )
}

function verdictFaults({ next, previous, changed, turned }: Change, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const refuse = (text: string): void => {
    faults.push(invalidWithoutValue(path, text))
  }
  const [complete, failed, met, target] = ['Complete', 'Failed', 'SuccessCriteriaMet', 'FailureTarget'].map(type => holds(next, type))
  if ((turned('Complete') || turned('Failed')) && complete && failed) refuse('cannot set Complete=True and Failed=true conditions')
  if ((turned('Complete') || turned('FailureTarget')) && complete && target) refuse('cannot set Complete=True and FailureTarget=true conditions')
  if ((turned('Failed') || changed('failedIndexes')) && failed && !target) refuse('cannot set Failed=True condition without the FailureTarget=true condition')
  if ((turned('Complete') || turned('SuccessCriteriaMet')) && complete && !met) refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition')
  if (met && failed) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions')
  if (met && target) refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions')
  if (next.spec?.successPolicy !== undefined && !met && complete) refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True')
  for (const type of terminal) if (holds(previous, type) && !holds(next, type)) refuse(`cannot disable the terminal ${type}=True condition`)
  if (holds(previous, 'SuccessCriteriaMet') && !met) refuse('cannot disable the SuccessCriteriaMet=True condition')
  if (holds(previous, 'Complete') && !holds(previous, 'SuccessCriteriaMet') && met) refuse('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions')
  return faults
}

function timesFaults({ next, previous, status, before, changed, turned }: Change, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const path = at.child('completionTime')
  const { startTime, completionTime } = status
  const isComplete = holds(next, 'Complete')
  if (turned('Complete') || changed('completionTime')) {
    if (completionTime !== undefined && !isComplete) faults.push(invalidValue(path, completionTime, 'cannot set completionTime when there is no Complete=True condition'))
    if (completionTime === undefined && isComplete) faults.push(required(path, 'completionTime is required for Complete jobs'))
  }
  const isBefore = startTime !== undefined && completionTime !== undefined && parseTime(completionTime) < parseTime(startTime)
  if ((changed('startTime') || changed('completionTime')) && isBefore) faults.push(invalidValue(path, completionTime, 'must be equal to or after `startTime`'))
  if (completionTime !== undefined && before.completionTime !== undefined && changed('completionTime')) faults.push(invalidValue(path, completionTime, 'field is immutable'))
  const isResuming = holds(previous, 'Suspended') && (status.conditions ?? []).some(one => one.type === 'Suspended' && one.status === 'False')
  if (before.startTime !== undefined && changed('startTime') && !isResuming && next.spec?.suspend !== true)
    faults.push(invalidValue(at.child('startTime'), startTime ?? null, 'field is immutable for unsuspended job once set'))
  return faults
}

function finishedFaults({ next, previous, status, changed }: Change, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const finished = isFinished(next)
  const turned = finished !== isFinished(previous)
  const { active = 0, terminating = 0, ready = 0, uncountedTerminatedPods: uncounted } = status
  if (finished) {
    if ((turned || changed('active')) && active > 0) faults.push(invalidValue(at.child('active'), active, 'active>0 is invalid for finished job'))
    const neverStarts = next.spec?.suspend === true && next.spec.completions === 0
    if ((turned || changed('startTime')) && !neverStarts && status.startTime === undefined) faults.push(required(at.child('startTime'), 'startTime is required for finished job'))
    const left = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0)
    if ((turned || changed('uncountedTerminatedPods')) && left > 0) faults.push(invalidValue(at.child('uncountedTerminatedPods'), uncounted, 'must be empty for finished job'))
    if ((turned || changed('terminating')) && terminating > 0) faults.push(invalidValue(at.child('terminating'), terminating, 'terminating>0 is invalid for finished job'))
  }
  if ((changed('ready') || changed('active')) && ready > active) faults.push(invalidValue(at.child('ready'), ready, 'cannot set more ready pods than active'))
  return faults
}

function backwardFaults({ next, status, before }: Change, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const [failed, succeeded] = [status.failed ?? 0, status.succeeded ?? 0]
  if (failed < (before.failed ?? 0)) faults.push(invalidValue(at.child('failed'), failed, 'cannot decrease the failed counter'))
  // An indexed job of which all pods run at once may be made smaller.
  const shrinks = next.spec?.completionMode === 'Indexed' && next.spec.completions === next.spec.parallelism
  if (!shrinks && succeeded < (before.succeeded ?? 0)) faults.push(invalidValue(at.child('succeeded'), succeeded, 'cannot decrease the succeeded counter'))
  return faults
}

type Intervals = { readonly intervals: readonly (readonly [number, number])[] } | { readonly fault: string }

/** `1,3-5` in rising order below `completions`. */
function parseIndexes(text: string, completions: number): Intervals {
  const intervals: [number, number][] = []
  for (const part of text === '' ? [] : text.split(',')) {
    const limits = part.split('-')
    if (limits.length > 2) return { fault: `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'` }
    for (const limit of limits) {
      if (!/^[+-]?\d+$/.test(limit)) return { fault: `cannot convert string to integer for index: ${JSON.stringify(limit)}` }
      if (Number(limit) >= completions) return { fault: `too large index: ${JSON.stringify(limit)}` }
    }
    const [from = 0, to = from] = limits.map(Number)
    if (limits.length > 1 && from >= to) return { fault: `non-increasing order, previous: ${from}, current: ${to}` }
    const last = intervals.at(-1)?.[1]
    if (last !== undefined && last >= from) return { fault: `non-increasing order, previous: ${last}, current: ${from}` }
    intervals.push([from, to])
  }
  return { intervals }
}

function indexesFaults({ next, status, changed }: Change, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { completions, completionMode, backoffLimitPerIndex } = next.spec ?? {}
  const { completedIndexes = '', failedIndexes } = status
  const [completedPath, failedPath] = [at.child('completedIndexes'), at.child('failedIndexes')]
  const completed = completions === undefined ? undefined : parseIndexes(completedIndexes, completions)
  const failed = completions === undefined || failedIndexes === undefined ? undefined : parseIndexes(failedIndexes, completions)
  if (changed('completedIndexes')) {
    if (completed !== undefined && 'fault' in completed) faults.push(invalidValue(completedPath, completedIndexes, `error parsing completedIndexes: ${completed.fault}`))
    if (completedIndexes !== '' && completionMode !== 'Indexed')
      faults.push(invalidValue(completedPath, completedIndexes, 'cannot set non-empty completedIndexes when non-indexed completion mode'))
  }
  if (changed('failedIndexes') && failedIndexes !== undefined) {
    if (backoffLimitPerIndex === undefined) faults.push(invalidValue(failedPath, failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'))
    else if (failed !== undefined && 'fault' in failed) faults.push(invalidValue(failedPath, failedIndexes, `error parsing failedIndexes: ${failed.fault}`))
  }
  if (completed === undefined || failed === undefined || 'fault' in completed || 'fault' in failed) return faults
  if (!changed('completedIndexes') && !changed('failedIndexes')) return faults
  const overlap = completed.intervals.flatMap(([a, b]) => failed.intervals.filter(([c, d]) => a <= d && c <= b).map(([c]) => Math.max(a, c)))[0]
  if (overlap !== undefined) faults.push(invalidValue(failedPath, failedIndexes, `failedIndexes and completedIndexes overlap at index: ${overlap}`))
  return faults
}
