import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Secret } from '../../generated/core-v1.ts'

export type { Secret }

export const secrets = defineResource<Secret>({
  group: '', version: 'v1', kind: 'Secret', plural: 'secrets', scope: 'Namespaced',
  schema: 'io.k8s.api.core.v1.Secret',
  columns: [
    nameColumn(),
    { name: 'Type', type: 'string', value: o => o.type ?? '' },
    { name: 'Data', type: 'string', value: o => Object.keys(o.data ?? {}).length },
    ageColumn(),
  ],
  menu: { area: 'config', order: 20 },
})
