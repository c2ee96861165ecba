import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { PodTemplate } from '../../generated/core-v1.ts'

export type { PodTemplate }

export const podTemplates = defineResource<PodTemplate>({
  group: '', version: 'v1', kind: 'PodTemplate', plural: 'podtemplates', scope: 'Namespaced',
  schema: 'io.k8s.api.core.v1.PodTemplate',
  columns: [nameColumn()],
})
