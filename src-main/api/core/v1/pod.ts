import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { Pod } from '../../generated/core-v1.ts'

export type { Pod }

export const pods = defineResource<Pod>({
  group: '', version: 'v1', kind: 'Pod', plural: 'pods', scope: 'Namespaced',
  shortNames: ['po'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.core.v1.Pod',
  subresources: { status: true, others: ['attach', 'binding', 'ephemeralcontainers', 'eviction', 'exec', 'log', 'portforward', 'proxy', 'resize'] },
  columns: [nameColumn()],
  menu: { area: 'workloads', order: 10 },
})
