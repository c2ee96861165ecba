import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { CronJob } from '../../generated/batch-v1.ts'

export type { CronJob }

export const cronJobs = defineResource<CronJob>({
  group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', scope: 'Namespaced',
  shortNames: ['cj'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.batch.v1.CronJob',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 70 },
})
