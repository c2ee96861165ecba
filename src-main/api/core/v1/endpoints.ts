import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Endpoints } from '../../generated/core-v1.ts'

export type { Endpoints }

export const endpoints = defineResource<Endpoints>({
  group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', scope: 'Namespaced',
  shortNames: ['ep'],
  schema: 'io.k8s.api.core.v1.Endpoints',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'network', order: 30 },
})
