import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { DaemonSet } from '../../generated/apps-v1.ts'

export type { DaemonSet }

export const daemonSets = defineResource<DaemonSet>({
  group: 'apps', version: 'v1', kind: 'DaemonSet', plural: 'daemonsets', scope: 'Namespaced',
  shortNames: ['ds'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 50 },
})
