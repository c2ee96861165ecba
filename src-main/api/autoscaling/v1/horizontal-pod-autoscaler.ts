import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { HorizontalPodAutoscaler } from '../../generated/autoscaling-v1.ts'

export type { HorizontalPodAutoscaler }

export const horizontalPodAutoscalersV1 = defineResource<HorizontalPodAutoscaler>({
  group: 'autoscaling', version: 'v1', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalersv1', scope: 'Namespaced',
  shortNames: ['hpa'], categories: ['all'],
  schema: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
})
