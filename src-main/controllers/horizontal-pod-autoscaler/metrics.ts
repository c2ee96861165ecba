/** Reads measurements: of pods from metrics.k8s.io, others from the APIs that adapters serve (custom and external metrics). */
import type { LabelSelector } from '../../api/meta.ts'
import { podMetrics } from '../../api/metrics/v1beta1/pod-metrics.ts'
import type { PodMetrics as PodMetricsObject } from '../../api/metrics/v1beta1/pod-metrics.ts'
import { milliValue, parseQuantity } from '../../api/quantity.ts'
import { labelSelectorToString } from '../../api/selectors.ts'
import { parseTime } from '../../api/time.ts'
import type { Client } from '../../client/client.ts'
import type { PodMetric, PodMetrics } from './calculator.ts'

/** What a custom metric's sample covers when it does not say. */
const defaultWindowMs = 60_000
const minuteMs = 60_000

interface MetricValue {
  readonly describedObject?: { readonly name?: string }
  readonly timestamp?: string
  readonly windowSeconds?: number
  readonly value: string
}

const textOf = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault))

/** `1m30s`, as Go writes durations. */
function durationMs(text: string): number {
  let ms = 0
  for (const [, number = '0', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)) ms += Number(number) * ({ h: 60 * minuteMs, m: minuteMs, s: 1000, ms: 1 }[unit] ?? 0)
  return ms
}

/** Measured use of the pods that a selector finds: whole pods, or one container of each. Pods with a gap are absent. */
export async function resourceMetrics(client: Client, namespace: string, selector: string, resource: string, container: string): Promise<PodMetrics> {
  const { items } = await client
    .resource(podMetrics)
    .list({ namespace, labelSelector: selector })
    .catch((fault: unknown) => {
      throw new Error(`unable to fetch metrics from resource metrics API: ${textOf(fault)}`)
    })
  if (items.length === 0) throw new Error('no metrics returned from resource metrics API')
  return new Map(items.flatMap(item => toMetric(item, resource, container)))
}

function toMetric(item: PodMetricsObject, resource: string, container: string): [string, PodMetric][] {
  const of = container === '' ? item.containers : item.containers.filter(c => c.name === container)
  const amounts = of.map(c => c.usage[resource])
  if (amounts.length === 0 || amounts.includes(undefined)) return []
  const value = amounts.reduce((sum, text) => sum + milliValue(parseQuantity(text ?? '0')), 0)
  return [[item.metadata.name ?? '', { value, atMs: parseTime(item.timestamp), windowMs: durationMs(item.window) }]]
}

async function values(client: Client, api: string, urls: readonly string[]): Promise<readonly MetricValue[]> {
  let told = ''
  for (const url of urls) {
    const answer = await client.raw({ method: 'GET', url })
    const { body } = answer
    const object = (body.kind === 'object' ? body.object : JSON.parse((await client.text(body)) || '{}')) as { items?: MetricValue[]; message?: string }
    if (answer.status < 300 && object.items) {
      if (object.items.length === 0) throw new Error(`no metrics returned from ${api} metrics API`)
      return object.items
    }
    told = object.message ?? `status ${answer.status}`
    if (answer.status !== 404) break
  }
  throw new Error(`unable to fetch metrics from ${api} metrics API: ${told}`)
}

function query(of: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(Object.entries(of).filter(([, value]) => value !== '')).toString()
  return text === '' ? '' : `?${text}`
}

const selectorText = (selector: LabelSelector | undefined): string => (selector ? labelSelectorToString(selector) : '')
const customVersions = ['v1beta2', 'v1beta1'] as const

/** A metric of each pod. */
export async function podsMetric(client: Client, namespace: string, selector: string, metric: string, metricSelector: LabelSelector | undefined): Promise<PodMetrics> {
  const rest = `namespaces/${namespace}/pods/*/${encodeURIComponent(metric)}${query({ labelSelector: selector, metricLabelSelector: selectorText(metricSelector) })}`
  const found = await values(
    client,
    'custom',
    customVersions.map(version => `/apis/custom.metrics.k8s.io/${version}/${rest}`),
  )
  return new Map(
    found.map(({ describedObject, value, timestamp, windowSeconds }) => [
      describedObject?.name ?? '',
      {
        value: milliValue(parseQuantity(value)),
        atMs: timestamp === undefined ? 0 : parseTime(timestamp),
        windowMs: windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000,
      },
    ]),
  )
}

/** A metric of one object; `path` is its `plural.group/name` below the namespace, or `metrics` for the namespace itself. */
export async function objectMetric(client: Client, namespace: string, path: string, metric: string, metricSelector: LabelSelector | undefined): Promise<number> {
  const rest = `namespaces/${namespace}/${path}/${encodeURIComponent(metric)}${query({ metricLabelSelector: selectorText(metricSelector) })}`
  const [found] = await values(
    client,
    'custom',
    customVersions.map(version => `/apis/custom.metrics.k8s.io/${version}/${rest}`),
  )
  return milliValue(parseQuantity(found?.value ?? '0'))
}

/** The sum of a metric that comes from outside the cluster. */
export async function externalMetric(client: Client, namespace: string, metric: string, selector: LabelSelector | undefined): Promise<number> {
  const url = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric)}${query({ labelSelector: selectorText(selector) })}`
  return (await values(client, 'external', [url])).reduce((sum, each) => sum + milliValue(parseQuantity(each.value)), 0)
}
