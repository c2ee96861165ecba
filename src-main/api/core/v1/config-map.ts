import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ConfigMap } from '../../generated/core-v1.ts'

export type { ConfigMap }

export const configMaps = defineResource<ConfigMap>({
  group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', scope: 'Namespaced',
  shortNames: ['cm'],
  schema: 'io.k8s.api.core.v1.ConfigMap',
  columns: [
    nameColumn(),
    { name: 'Data', type: 'string', value: o => Object.keys(o.data ?? {}).length + Object.keys(o.binaryData ?? {}).length },
    ageColumn(),
  ],
  menu: { area: 'config', order: 10 },
})
