import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Machine } from './machine.ts'

export const machines = defineResource<Machine>({
  group: 'infra.quarterdeck.app', version: 'v1alpha1', kind: 'Machine', plural: 'machines', scope: 'Cluster',
  shortNames: ['mach'], generation: true,
  schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'cluster', order: 30 },
})
