/** What a job's pods amount to and what comes next. Pure; reasons and messages are Kubernetes'. */
import { isPodReady } from '../../api/core/v1/pod-questions.ts'
import type { Job, JobCondition, JobStatus } from '../../api/generated/batch-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { formatTime, parseTime, tryParseTime } from '../../api/time.ts'

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index'
/** Upstream's back-off between failures: 10 s doubling up to 10 min. */
const initialBackoffMs = 10_000
const maxBackoffMs = 600_000

export const isTracked = (pod: Pod): boolean => (pod.metadata.finalizers ?? []).includes(trackingFinalizer)
export const isIndexed = (job: Job): boolean => job.spec?.completionMode === 'Indexed'
export const indexOf = (pod: Pod): number => Number(pod.metadata.annotations?.[indexAnnotation] ?? -1)
const succeeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded'
/** A pod that is being deleted counts as failed at once, so that it is replaced. */
const failed = (pod: Pod): boolean => pod.status?.phase === 'Failed' || (pod.metadata.deletionTimestamp !== undefined && !succeeded(pod))
export const isActive = (pod: Pod): boolean => !succeeded(pod) && !failed(pod)

export function finishedCondition(job: Job): JobCondition | undefined {
  return job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')
}

/** Finished pods that are in no count yet, by outcome. */
export function uncounted(job: Job, pods: readonly Pod[]): { succeeded: string[]; failed: string[] } {
  const known = new Set([...(job.status?.uncountedTerminatedPods?.succeeded ?? []), ...(job.status?.uncountedTerminatedPods?.failed ?? [])])
  const fresh = pods.filter(p => isTracked(p) && !known.has(p.metadata.uid ?? ''))
  const countIndexOnce = (p: Pod): boolean => !isIndexed(job) || (indexOf(p) >= 0 && indexOf(p) < (job.spec?.completions ?? 0) && !completedIndexes(job).has(indexOf(p)))
  return {
    succeeded: fresh.filter(p => succeeded(p) && countIndexOnce(p)).map(p => p.metadata.uid ?? ''),
    failed: fresh.filter(p => failed(p) && matchedRule(job, p)?.action !== 'Ignore').map(p => p.metadata.uid ?? ''),
  }
}

export const completedIndexes = (job: Job): Set<number> => parseIndexes(job.status?.completedIndexes)
export const failedIndexes = (job: Job): Set<number> => parseIndexes(job.status?.failedIndexes)

/** `0,2-4` as a set. */
export function parseIndexes(text: string | undefined): Set<number> {
  const found = new Set<number>()
  for (const part of (text ?? '').split(',').filter(p => p !== '')) {
    const [from, to] = part.split('-').map(Number)
    for (let i = from ?? 0; i <= (to ?? from ?? 0); i++) found.add(i)
  }
  return found
}

export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < sorted.length; i++) {
    const start = sorted[i] ?? 0
    while (sorted[i + 1] === (sorted[i] ?? 0) + 1) i++
    const end = sorted[i] ?? 0
    parts.push(start === end ? String(start) : end === start + 1 ? `${start},${end}` : `${start}-${end}`)
  }
  return parts.join(',')
}

export interface Counts {
  readonly active: readonly Pod[]
  readonly failures: readonly Pod[]
  readonly ready: number
  readonly succeeded: number
  readonly failed: number
  readonly terminating: number
  readonly lastFailureMs: number
}

/** All counts, uncounted pods of `status` included. */
export function countsOf(status: JobStatus, pods: readonly Pod[]): Counts {
  const active = pods.filter(isActive)
  const failures = pods.filter(failed).map(finishedAt)
  return {
    active,
    failures: pods.filter(failed),
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(p => p.metadata.deletionTimestamp && p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed').length,
    succeeded: (status.succeeded ?? 0) + (status.uncountedTerminatedPods?.succeeded ?? []).length,
    failed: (status.failed ?? 0) + (status.uncountedTerminatedPods?.failed ?? []).length,
    lastFailureMs: Math.max(0, ...failures),
  }
}

function finishedAt(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).flatMap(c => (c.state?.terminated?.finishedAt ? [tryParseTime(c.state.terminated.finishedAt) ?? 0] : []))
  return Math.max(0, ...ends, tryParseTime(pod.metadata.deletionTimestamp ?? '') ?? 0)
}

export interface Outcome {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

export function outcomeOf(job: Job, counts: Counts, nowMs: number): Outcome | undefined {
  // What was decided stays so while the last pods end.
  for (const [early, type] of [
    ['FailureTarget', 'Failed'],
    ['SuccessCriteriaMet', 'Complete'],
  ] as const) {
    const decided = job.status?.conditions?.find(c => c.type === early && c.status === 'True')
    if (decided) return { type, reason: decided.reason ?? '', message: decided.message ?? '' }
  }
  const byIndex = indexOutcome(job)
  if (byIndex) return byIndex
  const { backoffLimit = 6, activeDeadlineSeconds, completions, template } = job.spec ?? {}
  const onFailure = template?.spec?.restartPolicy === 'OnFailure'
  const restarts = onFailure
    ? counts.active.flatMap(p => [...(p.status?.containerStatuses ?? []), ...(p.status?.initContainerStatuses ?? [])]).reduce((n, c) => n + c.restartCount, 0)
    : 0
  if (counts.failed > backoffLimit || (onFailure && restarts > 0 && restarts >= backoffLimit))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  if (activeDeadlineSeconds !== undefined && job.status?.startTime && parseTime(job.status.startTime) + activeDeadlineSeconds * 1000 <= nowMs) {
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  }
  const done = completions === undefined ? counts.succeeded > 0 && counts.active.length === 0 : counts.succeeded >= completions
  return done
    ? {
        type: 'Complete',
        reason: 'CompletionsReached',
        message: completions === undefined ? 'Reached expected number of succeeded pods' : 'Reached expected number of succeeded pods',
      }
    : undefined
}

/** How many pods should run now. */
export function wantedActive(job: Job, counts: Counts): number {
  const { parallelism = 1, completions } = job.spec ?? {}
  if (completions === undefined) return counts.succeeded > 0 ? counts.active.length : parallelism
  return Math.max(0, Math.min(parallelism, completions - counts.succeeded - failedIndexes(job).size))
}

/** Milliseconds before the next pod of an index may be made; each index has its own back-off. */
function indexBackoffMs(job: Job, counts: Counts, index: number, nowMs: number): number {
  const failures = failuresOf(job, counts.failures, index)
  return failures.length === 0 ? 0 : backoffMs(failures.length, Math.max(...failures.map(finishedAt)), nowMs)
}

function backoffMs(failures: number, lastMs: number, nowMs: number): number {
  // A failure in the future is one before the clock was set back: nobody knows how long ago.
  if (lastMs > nowMs) return 0
  return Math.max(0, lastMs + Math.min(maxBackoffMs, initialBackoffMs * 2 ** (failures - 1)) - nowMs)
}

/** Milliseconds before the next pod may be made, after failures. */
export function backoffLeftMs(job: Job, counts: Counts, nowMs: number): number {
  if (job.spec?.backoffLimitPerIndex !== undefined) {
    const open = [...new Set(counts.failures.map(indexOf))].filter(index => !failedIndexes(job).has(index) && !completedIndexes(job).has(index))
    return Math.max(0, ...open.map(index => indexBackoffMs(job, counts, index, nowMs)))
  }
  if (counts.failed === 0 || counts.lastFailureMs === 0) return 0
  return backoffMs(counts.failed, counts.lastFailureMs, nowMs)
}

/** The lowest indexes that are neither done, given up, running nor waiting after a failure. */
export function freeIndexes(job: Job, counts: Counts, count: number, nowMs: number): number[] {
  const waiting = job.spec?.backoffLimitPerIndex === undefined ? [] : [...new Set(counts.failures.map(indexOf))].filter(index => indexBackoffMs(job, counts, index, nowMs) > 0)
  const taken = new Set([...completedIndexes(job), ...failedIndexes(job), ...counts.active.map(indexOf), ...waiting])
  const free: number[] = []
  for (let i = 0; i < (job.spec?.completions ?? 0) && free.length < count; i++) if (!taken.has(i)) free.push(i)
  return free
}

export function withCondition(present: readonly JobCondition[], type: string, status: string, reason: string, message: string, nowMs: number): JobCondition[] {
  const known = present.find(c => c.type === type)
  if (known?.status === status && known.reason === reason && known.message === message) return [...present]
  const now = formatTime(nowMs)
  const next = { type, status, reason, message, lastProbeTime: now, lastTransitionTime: known?.status === status && known.lastTransitionTime ? known.lastTransitionTime : now }
  return [...present.filter(c => c.type !== type), next]
}

/* ---- policies ---- */

/** The first rule of the pod failure policy that a failed pod matches, with what it says. */
export function matchedRule(job: Job, pod: Pod): { action: string; message: string } | undefined {
  if (pod.status?.phase !== 'Failed') return undefined
  const where = `${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`
  for (const [i, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const ends = `matching ${rule.action} rule at index ${i}`
    const { onExitCodes } = rule
    if (onExitCodes) {
      const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])]
      const hit = statuses.find(status => {
        const code = status.state?.terminated?.exitCode
        if (code === undefined || code === 0 || (onExitCodes.containerName !== undefined && onExitCodes.containerName !== status.name)) return false
        return onExitCodes.values.includes(code) === (onExitCodes.operator === 'In')
      })
      if (hit) return { action: rule.action, message: `Container ${hit.name} for pod ${where} failed with exit code ${hit.state?.terminated?.exitCode ?? 0} ${ends}` }
    }
    const condition = (rule.onPodConditions ?? []).find(wanted => pod.status?.conditions?.some(c => c.type === wanted.type && c.status === (wanted.status ?? 'True')))
    if (condition) return { action: rule.action, message: `Pod ${where} has condition ${condition.type} ${ends}` }
  }
  return undefined
}

function failuresOf(job: Job, pods: readonly Pod[], index: number): Pod[] {
  return pods.filter(pod => indexOf(pod) === index && failed(pod) && matchedRule(job, pod)?.action !== 'Ignore')
}

/** Indexes that are given up: they failed too often, or a rule says so. */
export function indexesGivenUp(job: Job, pods: readonly Pod[]): Set<number> {
  const given = failedIndexes(job)
  const limit = job.spec?.backoffLimitPerIndex
  if (limit === undefined) return given
  for (const index of new Set(pods.filter(failed).map(indexOf))) {
    if (index < 0 || completedIndexes(job).has(index)) continue
    const failures = failuresOf(job, pods, index)
    if (failures.length > limit || failures.some(pod => matchedRule(job, pod)?.action === 'FailIndex')) given.add(index)
  }
  return given
}

/** An indexed job's end by its success policy or by its failed indexes. */
function indexOutcome(job: Job): Outcome | undefined {
  const done = completedIndexes(job)
  for (const [i, rule] of (job.spec?.successPolicy?.rules ?? []).entries()) {
    const wanted = rule.succeededIndexes === undefined ? undefined : parseIndexes(rule.succeededIndexes)
    const reached = wanted === undefined ? done.size : [...wanted].filter(index => done.has(index)).length
    if (reached >= (rule.succeededCount ?? wanted?.size ?? Infinity)) return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${i}` }
  }
  const lost = failedIndexes(job)
  const { maxFailedIndexes, completions = 0 } = job.spec ?? {}
  if (maxFailedIndexes !== undefined && lost.size > maxFailedIndexes)
    return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message: 'Job has exceeded the specified maximal number of failed indexes' }
  return lost.size > 0 && lost.size + done.size >= completions ? { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' } : undefined
}
