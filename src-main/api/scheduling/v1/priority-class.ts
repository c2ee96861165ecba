import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { PriorityClass } from '../../generated/scheduling-v1.ts'

export type { PriorityClass }

export const priorityClasses = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io', version: 'v1', kind: 'PriorityClass', plural: 'priorityclasses', scope: 'Cluster',
  shortNames: ['pc'], generation: true,
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'config', order: 70 },
})
