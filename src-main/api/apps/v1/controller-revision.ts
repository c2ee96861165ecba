import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ControllerRevision } from '../../generated/apps-v1.ts'

export type { ControllerRevision }

export const controllerRevisions = defineResource<ControllerRevision>({
  group: 'apps', version: 'v1', kind: 'ControllerRevision', plural: 'controllerrevisions', scope: 'Namespaced',
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [nameColumn(), ageColumn()],
})
