import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { HorizontalPodAutoscaler } from '../../generated/autoscaling-v2.ts'

export type { HorizontalPodAutoscaler }

export const horizontalPodAutoscalers = defineResource<HorizontalPodAutoscaler>({
  group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers', scope: 'Namespaced',
  shortNames: ['hpa'], categories: ['all'],
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 90 },
})
