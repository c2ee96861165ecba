import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ResourceQuota } from '../../generated/core-v1.ts'

export type { ResourceQuota }

export const resourceQuotas = defineResource<ResourceQuota>({
  group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', scope: 'Namespaced',
  shortNames: ['quota'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'config', order: 30 },
})
