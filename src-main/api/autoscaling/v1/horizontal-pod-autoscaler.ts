/** HorizontalPodAutoscaler of autoscaling/v1: stored as autoscaling/v2; whatever v1 cannot say travels in annotations, as Kubernetes does it. */
import { defineResource } from '../../resource.ts'
import type { HorizontalPodAutoscaler } from '../../generated/autoscaling-v1.ts'
import type { HorizontalPodAutoscaler as V2, MetricSpec } from '../../generated/autoscaling-v2.ts'
import type { KubernetesObject } from '../../meta.ts'
import { autoscalerColumns, autoscalerFaults, horizontalPodAutoscalers } from '../v2/horizontal-pod-autoscaler.ts'

export type { HorizontalPodAutoscaler }

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior'
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions'
const currentMetricsAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics'

const isCpu = (metric: MetricSpec): boolean => metric.type === 'Resource' && metric.resource?.name === 'cpu' && metric.resource.target.averageUtilization !== undefined

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** v1 as v2: the cpu target becomes the first metric, further ones come back from the annotations. */
export function toV2(object: HorizontalPodAutoscaler): V2 {
  const { annotations, ...metadata } = object.metadata
  const kept = Object.fromEntries(
    Object.entries(annotations ?? {}).filter(([key]) => ![metricsAnnotation, behaviorAnnotation, conditionsAnnotation, currentMetricsAnnotation].includes(key)),
  )
  const metrics = (parsed(annotations?.[metricsAnnotation]) ?? []) as MetricSpec[]
  const { targetCPUUtilizationPercentage, ...spec } = object.spec ?? ({} as HorizontalPodAutoscaler['spec'])
  if (targetCPUUtilizationPercentage !== undefined)
    metrics.push({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetCPUUtilizationPercentage } } })
  const behavior = parsed(annotations?.[behaviorAnnotation]) as V2['spec']['behavior'] | undefined
  const { currentCPUUtilizationPercentage, ...status } = object.status ?? { currentReplicas: 0, desiredReplicas: 0 }
  void currentCPUUtilizationPercentage
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...metadata, ...(Object.keys(kept).length > 0 ? { annotations: kept } : {}) },
    spec: { ...spec, ...(metrics.length > 0 ? { metrics } : {}), ...(behavior === undefined ? {} : { behavior }) },
    status: { ...status, currentMetrics: (parsed(annotations?.[currentMetricsAnnotation]) ?? null) as never },
  }
}

function fromV2(stored: KubernetesObject): HorizontalPodAutoscaler {
  const object = stored as V2
  const { metrics, behavior, ...spec } = object.spec
  const cpu = metrics?.find(isCpu)
  const others = (metrics ?? []).filter(metric => metric !== cpu)
  const annotations: Record<string, string> = { ...object.metadata.annotations }
  if (others.length > 0) annotations[metricsAnnotation] = JSON.stringify(others)
  if (behavior !== undefined) annotations[behaviorAnnotation] = JSON.stringify(behavior)
  const { currentMetrics, conditions, currentReplicas, ...status } = object.status ?? { desiredReplicas: 0 }
  if ((conditions?.length ?? 0) > 0) annotations[conditionsAnnotation] = JSON.stringify(conditions)
  const current = currentMetrics?.find(metric => metric.type === 'Resource' && metric.resource?.name === 'cpu')?.resource?.current.averageUtilization
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...object.metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...spec, ...(cpu?.resource?.target.averageUtilization === undefined ? {} : { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization }) },
    status: { ...status, currentReplicas: currentReplicas ?? 0, ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }) },
  }
}

export const horizontalPodAutoscalersV1 = defineResource<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  scope: 'Namespaced',
  shortNames: ['hpa'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  subresources: { status: true },
  conversion: { of: horizontalPodAutoscalers, toStored: toV2, fromStored: fromV2 },
  columns: autoscalerColumns.map(column => ({ ...column, value: (object: HorizontalPodAutoscaler, now: number) => column.value(toV2(object), now) })),
  setDefaults(autoscaler) {
    if (autoscaler.spec === undefined) return
    autoscaler.spec.minReplicas ??= 1
    if (autoscaler.spec.targetCPUUtilizationPercentage === undefined && autoscaler.metadata.annotations?.[metricsAnnotation] === undefined)
      autoscaler.spec.targetCPUUtilizationPercentage = 80
    autoscaler.status ??= { currentReplicas: 0, desiredReplicas: 0 }
  },
  prepareForCreate(autoscaler) {
    autoscaler.status = { currentReplicas: 0, desiredReplicas: 0 }
  },
  validate: (autoscaler, at) => autoscalerFaults(toV2(autoscaler), at),
})
