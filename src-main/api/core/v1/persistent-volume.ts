import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { PersistentVolume } from '../../generated/core-v1.ts'

export type { PersistentVolume }

export const persistentVolumes = defineResource<PersistentVolume>({
  group: '', version: 'v1', kind: 'PersistentVolume', plural: 'persistentvolumes', scope: 'Cluster',
  shortNames: ['pv'],
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'storage', order: 20 },
})
