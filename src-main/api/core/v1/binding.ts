/** Binding: only ever asked for. It has no place in the store; the API server gives the pod of its name its node. */
import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import type { Binding } from '../../generated/core-v1.ts'

export const bindings = defineResource<Binding>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  scope: 'Namespaced',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.core.v1.Binding',
  columns: [nameColumn(), createdAtColumn()],
})
