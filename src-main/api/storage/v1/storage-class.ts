import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { StorageClass } from '../../generated/storage-v1.ts'

export type { StorageClass }

export const storageClasses = defineResource<StorageClass>({
  group: 'storage.k8s.io', version: 'v1', kind: 'StorageClass', plural: 'storageclasses', scope: 'Cluster',
  shortNames: ['sc'],
  schema: 'io.k8s.api.storage.v1.StorageClass',
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'storage', order: 30 },
})
