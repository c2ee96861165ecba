import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import type { LimitRange } from '../../generated/core-v1.ts'

export type { LimitRange }

export const limitRanges = defineResource<LimitRange>({
  group: '', version: 'v1', kind: 'LimitRange', plural: 'limitranges', scope: 'Namespaced',
  shortNames: ['limits'],
  schema: 'io.k8s.api.core.v1.LimitRange',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'config', order: 40 },
})
