import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { RuntimeClass } from '../../generated/node-v1.ts'

export type { RuntimeClass }

export const runtimeClasses = defineResource<RuntimeClass>({
  group: 'node.k8s.io', version: 'v1', kind: 'RuntimeClass', plural: 'runtimeclasses', scope: 'Cluster',
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  columns: [
    nameColumn(),
    { name: 'Handler', type: 'string', value: o => o.handler ?? '' },
    ageColumn(),
  ],
  menu: { area: 'config', order: 80 },
})
