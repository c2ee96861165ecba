import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { Node } from '../../generated/core-v1.ts'

export type { Node }

export const nodes = defineResource<Node>({
  group: '', version: 'v1', kind: 'Node', plural: 'nodes', scope: 'Cluster',
  shortNames: ['no'],
  schema: 'io.k8s.api.core.v1.Node',
  subresources: { status: true, others: ['proxy'] },
  columns: [nameColumn()],
  menu: { area: 'cluster', order: 20 },
})
