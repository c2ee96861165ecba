import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { PersistentVolumeClaim } from '../../generated/core-v1.ts'

export type { PersistentVolumeClaim }

export const persistentVolumeClaims = defineResource<PersistentVolumeClaim>({
  group: '', version: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', scope: 'Namespaced',
  shortNames: ['pvc'],
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'storage', order: 10 },
})
