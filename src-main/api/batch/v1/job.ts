import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Job } from '../../generated/batch-v1.ts'

export type { Job }

export const jobs = defineResource<Job>({
  group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', scope: 'Namespaced',
  categories: ['all'], generation: true,
  schema: 'io.k8s.api.batch.v1.Job',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 60 },
})
