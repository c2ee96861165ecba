import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { StatefulSet } from '../../generated/apps-v1.ts'

export type { StatefulSet }

export const statefulSets = defineResource<StatefulSet>({
  group: 'apps', version: 'v1', kind: 'StatefulSet', plural: 'statefulsets', scope: 'Namespaced',
  shortNames: ['sts'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 40 },
})
