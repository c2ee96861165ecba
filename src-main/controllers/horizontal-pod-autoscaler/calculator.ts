/**
 * How many replicas a metric asks for. Pure, in thousandths of the metric's unit; the rules for pods without measurements
 * and pods that are not ready yet are Kubernetes': they may damp a change, never turn it round.
 */
import { isPodReady, podCondition, podRequests } from '../../api/core/v1/pod-questions.ts'
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import { milliValue, parseQuantity } from '../../api/quantity.ts'
import { parseTime } from '../../api/time.ts'

export interface PodMetric {
  readonly value: number
  readonly atMs: number
  readonly windowMs: number
}
export type PodMetrics = ReadonlyMap<string, PodMetric>

/** Shares by which a ratio may differ from 1 without anything being done. */
export interface Tolerances {
  readonly down: number
  readonly up: number
}

export interface Proposal {
  readonly replicas: number
  /** Mean of the measured pods, or the object's value. */
  readonly usage: number
  /** Percent of the requests; only for utilization targets. */
  readonly utilization?: number
}

export class CalculationError extends Error {}

/** The processor use of a starting pod says nothing yet. */
const cpuInitializationMs = 300_000
const initialReadinessMs = 30_000
const maxInt32 = 2 ** 31 - 1

const isWithin = (ratio: number, { down, up }: Tolerances): boolean => ratio >= 1 - down && ratio <= 1 + up

export interface PodGroups {
  readonly ready: number
  readonly unready: readonly string[]
  readonly missing: readonly string[]
  readonly ignored: readonly string[]
}

export function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, nowMs: number): PodGroups {
  const unready: string[] = []
  const missing: string[] = []
  const ignored: string[] = []
  let ready = 0
  for (const pod of pods) {
    const name = pod.metadata.name ?? ''
    const metric = metrics.get(name)
    if (pod.metadata.deletionTimestamp || pod.status?.phase === 'Failed') ignored.push(name)
    else if (pod.status?.phase === 'Pending') unready.push(name)
    else if (!metric) missing.push(name)
    else if (resource === 'cpu' && isStarting(pod, metric, nowMs)) unready.push(name)
    else ready++
  }
  return { ready, unready, missing, ignored }
}

function isStarting(pod: Pod, metric: PodMetric, nowMs: number): boolean {
  const condition = podCondition(pod, 'Ready')
  const started = pod.status?.startTime
  if (!condition || started === undefined) return true
  const startedMs = parseTime(started)
  const changedMs = condition.lastTransitionTime === undefined ? 0 : parseTime(condition.lastTransitionTime)
  const isUnready = condition.status === 'False'
  if (startedMs + cpuInitializationMs > nowMs) return isUnready || metric.atMs < changedMs + metric.windowMs
  return isUnready && startedMs + initialReadinessMs > changedMs
}

interface Measure {
  ratio(metrics: PodMetrics): { ratio: number; usage: number; utilization?: number }
  /** What a pod without a measurement counts for when fewer replicas are proposed. */
  assumed(pod: string): number
}

interface Question {
  readonly pods: readonly Pod[]
  readonly metrics: PodMetrics
  /** `cpu`, `memory`, or '' for other metrics. */
  readonly resource: string
  readonly current: number
  readonly tolerances: Tolerances
  readonly nowMs: number
}

function propose(question: Question, measureOf: (pods: readonly Pod[]) => Measure): Proposal {
  const { pods, current, tolerances } = question
  if (pods.length === 0) throw new CalculationError('no pods returned by selector while calculating replica count')
  const groups = groupPods(pods, question.metrics, question.resource, question.nowMs)
  const metrics = new Map(question.metrics)
  for (const name of [...groups.ignored, ...groups.unready]) metrics.delete(name)
  if (metrics.size === 0) throw new CalculationError('did not receive metrics for targeted pods (pods might be unready)')
  const measure = measureOf(pods)
  const { ratio, ...measured } = measure.ratio(metrics)
  const stay: Proposal = { replicas: current, ...measured }
  const growsWithUnready = groups.unready.length > 0 && ratio > 1
  if (!growsWithUnready && groups.missing.length === 0) return isWithin(ratio, tolerances) ? stay : { replicas: Math.ceil(ratio * groups.ready), ...measured }
  const assume = (name: string, value: number): unknown => metrics.set(name, { value, atMs: 0, windowMs: 0 })
  if (ratio !== 1) for (const name of groups.missing) assume(name, ratio < 1 ? measure.assumed(name) : 0)
  if (growsWithUnready) for (const name of groups.unready) assume(name, 0)
  const again = measure.ratio(metrics).ratio
  if (isWithin(again, tolerances) || (ratio < 1 && again > 1) || (ratio > 1 && again < 1)) return stay
  const replicas = Math.ceil(again * metrics.size)
  return (again < 1 && replicas > current) || (again > 1 && replicas < current) ? stay : { replicas, ...measured }
}

/** For a target in percent of what the pods request. */
export function byUtilization(question: Question, target: number, container: string): Proposal {
  return propose(question, pods => {
    const requests = requestsOf(pods, container, question.resource)
    return {
      ratio(metrics) {
        let used = 0
        let requested = 0
        let count = 0
        for (const [name, { value }] of metrics) {
          const request = requests.get(name)
          if (request === undefined) continue
          used += value
          requested += request
          count++
        }
        if (requested === 0) throw new CalculationError('no metrics returned matched known pods')
        const utilization = Math.trunc((used * 100) / requested)
        return { ratio: utilization / target, utilization, usage: Math.trunc(used / count) }
      },
      assumed: name => Math.trunc(((requests.get(name) ?? 0) * Math.max(100, target)) / 100),
    }
  })
}

/** For a target that is a mean over the pods. */
export function byAverage(question: Question, target: number): Proposal {
  return propose(question, () => ({
    ratio(metrics) {
      const usage = Math.trunc([...metrics.values()].reduce((sum, metric) => sum + metric.value, 0) / metrics.size)
      return { ratio: usage / target, usage }
    },
    assumed: () => target,
  }))
}

/** For one value that does not belong to pods. From zero replicas the ratio itself is the answer. */
export function byValue(value: number, target: number, current: number, pods: readonly Pod[], tolerances: Tolerances): Proposal {
  const ratio = value / target
  if (current === 0) return { replicas: Math.ceil(ratio), usage: value }
  if (isWithin(ratio, tolerances)) return { replicas: current, usage: value }
  if (pods.length === 0) throw new CalculationError('unable to calculate ready pods: no pods returned by selector while calculating replica count')
  const ready = pods.filter(pod => pod.status?.phase === 'Running' && isPodReady(pod)).length
  return { replicas: Math.min(maxInt32, Math.ceil(ratio * ready)), usage: value }
}

/** For one value that is shared by all pods. `running`: how many there are now. */
export function byShare(value: number, target: number, running: number, tolerances: Tolerances): Proposal {
  const isClose = running > 0 && isWithin(value / (target * running), tolerances)
  return { replicas: isClose ? running : Math.min(maxInt32, Math.ceil(value / target)), usage: running > 0 ? Math.ceil(value / running) : value }
}

/** Requests of each pod by its name: the whole pod's, or those of one container. */
export function requestsOf(pods: readonly Pod[], container: string, resource: string): Map<string, number> {
  return new Map(pods.map(pod => [pod.metadata.name ?? '', requestOf(pod, container, resource)]))
}

function requestOf(pod: Pod, container: string, resource: string): number {
  const name = pod.metadata.name ?? ''
  const own = pod.spec?.resources?.requests
  if (container === '' && own && Object.keys(own).length > 0) {
    const text = own[resource]
    if (text !== undefined) return milliValue(parseQuantity(text))
    const sum = podRequests(pod).get(resource)
    if (sum === undefined) throw new CalculationError(`missing pod-level request for ${resource} in Pod ${name}`)
  }
  const sidecars = (pod.spec?.initContainers ?? []).filter(c => c.restartPolicy === 'Always')
  const asked: readonly Container[] = [...(pod.spec?.containers ?? []), ...sidecars].filter(c => container === '' || c.name === container)
  if (asked.length === 0) throw new CalculationError(`container ${container} not found in Pod ${name}`)
  let sum = 0
  for (const each of asked) {
    const text = each.resources?.requests?.[resource]
    if (text === undefined) throw new CalculationError(`missing request for ${resource} in container ${each.name} of Pod ${name}`)
    sum += milliValue(parseQuantity(text))
  }
  return sum
}
