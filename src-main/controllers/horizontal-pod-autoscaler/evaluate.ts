/** One metric of an autoscaler: reads it, asks the calculator, and words its status. */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../../api/generated/autoscaling-v2.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { floatValue, formatQuantity, milliValue, parseQuantity, quantityOfMilli } from '../../api/quantity.ts'
import { labelSelectorToString } from '../../api/selectors.ts'
import type { Client } from '../../client/client.ts'
import { byAverage, byShare, byUtilization, byValue } from './calculator.ts'
import type { Proposal, Tolerances } from './calculator.ts'
import { externalMetric, objectMetric, podsMetric, resourceMetrics } from './metrics.ts'

export interface Evaluation {
  readonly replicas: number
  /** Named in events: `cpu resource utilization (percentage of request)`. */
  readonly name: string
  readonly status: MetricStatus
}

/** `reason` of the condition ScalingActive; `inner` is what its message tells. */
export class MetricFault extends Error {
  readonly reason: string
  readonly inner: string
  constructor(reason: string, what: string, inner: string) {
    super(`${what}: ${inner}`)
    this.reason = reason
    this.inner = inner
  }
}

export interface Target {
  readonly client: Client
  readonly autoscaler: HorizontalPodAutoscaler
  /** Replicas that the target asks for, and has. */
  readonly current: number
  readonly running: number
  readonly selector: string
  readonly pods: readonly Pod[]
  readonly nowMs: number
  /** `services/web` or `ingresses.networking.k8s.io/web` of an object that a metric describes. */
  pathOf(object: { readonly kind: string; readonly name: string; readonly apiVersion?: string }): string
}

const defaultTolerance = 0.1

export function tolerancesOf({ spec }: HorizontalPodAutoscaler): Tolerances {
  const of = (text: string | undefined): number => (text === undefined ? defaultTolerance : floatValue(parseQuantity(text)))
  return { down: of(spec.behavior?.scaleDown?.tolerance), up: of(spec.behavior?.scaleUp?.tolerance) }
}

const textOf = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault))
const milli = (text: string): number => milliValue(parseQuantity(text))
const amount = (value: number, resource = ''): string => formatQuantity(quantityOfMilli(value, resource === 'memory' ? 'BinarySI' : 'DecimalSI'))

/** Wraps what goes wrong below in the words for it. */
async function reading<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (fault) {
    throw new Error(`${what}: ${textOf(fault)}`, { cause: fault })
  }
}

export async function evaluate(spec: MetricSpec, target: Target): Promise<Evaluation> {
  const [reason, what] = failureWords(spec)
  try {
    if (spec.resource && spec.type === 'Resource') return await evaluateResource(spec.resource, '', target)
    if (spec.containerResource && spec.type === 'ContainerResource') return await evaluateResource(spec.containerResource, spec.containerResource.container, target)
    if (spec.pods && spec.type === 'Pods') return await evaluatePods(spec.pods, target)
    if (spec.object && spec.type === 'Object') return await evaluateObject(spec.object, target)
    if (spec.external && spec.type === 'External') return await evaluateExternal(spec.external, target)
  } catch (fault) {
    throw new MetricFault(reason, what, textOf(fault))
  }
  throw new MetricFault('InvalidMetricSourceType', 'invalid metric', `unknown metric source type ${JSON.stringify(spec.type)}`)
}

function failureWords(spec: MetricSpec): [string, string] {
  switch (spec.type) {
    case 'Resource':
      return ['FailedGetResourceMetric', `failed to get ${spec.resource?.name ?? ''} resource metric value`]
    case 'ContainerResource':
      return ['FailedGetContainerResourceMetric', `failed to get ${spec.containerResource?.container ?? ''} container metric value`]
    case 'Pods':
      return ['FailedGetPodsMetric', 'failed to get pods metric value']
    case 'Object':
      return ['FailedGetObjectMetric', 'failed to get object metric value']
    default:
      return ['FailedGetExternalMetric', `failed to get ${spec.external?.metric.name ?? ''} external metric value`]
  }
}

async function evaluateResource({ name, target }: { name: string; target: MetricTarget }, container: string, at: Target): Promise<Evaluation> {
  const { client, autoscaler, selector, pods, current, nowMs } = at
  const { averageUtilization, averageValue } = target
  const what = averageValue === undefined ? 'utilization' : 'usage'
  const ask = async (): Promise<Proposal> => {
    const metrics = await reading(`unable to get metrics for resource ${name}`, resourceMetrics(client, autoscaler.metadata.namespace ?? '', selector, name, container))
    const question = { pods, metrics, resource: name, current, tolerances: tolerancesOf(autoscaler), nowMs }
    if (averageValue !== undefined) return byAverage(question, milli(averageValue))
    if (averageUtilization === undefined) throw new Error('invalid resource metric source: neither an average utilization target nor an average value (usage) target was set')
    return byUtilization(question, averageUtilization, container)
  }
  const { replicas, usage, utilization } = await reading(`failed to get ${name} ${what}`, ask())
  const value: MetricValueStatus = { averageValue: amount(usage, name), ...(utilization === undefined ? {} : { averageUtilization: utilization }) }
  const label = averageValue === undefined ? `${name} ${container === '' ? '' : 'container '}resource utilization (percentage of request)` : `${name} resource`
  const status: MetricStatus =
    container === '' ? { type: 'Resource', resource: { name, current: value } } : { type: 'ContainerResource', containerResource: { name, container, current: value } }
  return { replicas, name: label, status }
}

async function evaluatePods({ metric, target }: NonNullable<MetricSpec['pods']>, at: Target): Promise<Evaluation> {
  const { client, autoscaler, selector, pods, current, nowMs } = at
  const metrics = await reading(`unable to get metric ${metric.name}`, podsMetric(client, autoscaler.metadata.namespace ?? '', selector, metric.name, metric.selector))
  const { replicas, usage } = byAverage({ pods, metrics, resource: '', current, tolerances: tolerancesOf(autoscaler), nowMs }, milli(target.averageValue ?? '0'))
  return { replicas, name: `pods metric ${metric.name}`, status: { type: 'Pods', pods: { metric, current: { averageValue: amount(usage) } } } }
}

async function evaluateObject({ metric, target, describedObject }: NonNullable<MetricSpec['object']>, at: Target): Promise<Evaluation> {
  const { client, autoscaler, pods, current, running } = at
  const namespace = autoscaler.metadata.namespace ?? ''
  const what = `unable to get metric ${metric.name} on ${describedObject.kind} ${namespace}/${describedObject.name}`
  const value = await reading(what, objectMetric(client, namespace, at.pathOf(describedObject), metric.name, metric.selector))
  const tolerances = tolerancesOf(autoscaler)
  const shared = target.averageValue
  if (shared === undefined && target.value === undefined) throw new Error('invalid object metric source: neither a value target nor an average value target was set')
  const { replicas, usage } = shared === undefined ? byValue(value, milli(target.value ?? '0'), current, pods, tolerances) : byShare(value, milli(shared), running, tolerances)
  const name = shared === undefined ? `${describedObject.kind} metric ${metric.name}` : `external metric ${metric.name}(${selectorWords(metric.selector)})`
  return {
    replicas,
    name,
    status: { type: 'Object', object: { describedObject, metric, current: shared === undefined ? { value: amount(usage) } : { averageValue: amount(usage) } } },
  }
}

async function evaluateExternal({ metric, target }: NonNullable<MetricSpec['external']>, at: Target): Promise<Evaluation> {
  const { client, autoscaler, pods, current, running } = at
  const namespace = autoscaler.metadata.namespace ?? ''
  const what = `failed to get ${metric.name} external metric: unable to get external metric ${namespace}/${metric.name}/${selectorWords(metric.selector)}`
  const value = await reading(what, externalMetric(client, namespace, metric.name, metric.selector))
  const tolerances = tolerancesOf(autoscaler)
  const shared = target.averageValue
  if (shared === undefined && target.value === undefined) throw new Error('invalid external metric source: neither a value target nor an average value target was set')
  const { replicas, usage } = shared === undefined ? byValue(value, milli(target.value ?? '0'), current, pods, tolerances) : byShare(value, milli(shared), running, tolerances)
  const status: MetricStatus = { type: 'External', external: { metric, current: shared === undefined ? { value: amount(usage) } : { averageValue: amount(usage) } } }
  return { replicas, name: `external metric ${metric.name}(${selectorWords(metric.selector)})`, status }
}

function selectorWords(selector: NonNullable<MetricSpec['pods']>['metric']['selector']): string {
  return selector ? labelSelectorToString(selector) : 'nil'
}
