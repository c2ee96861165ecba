import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { KubernetesObject } from '../../meta.ts'

export const podMetrics = defineResource<KubernetesObject>({
  group: 'metrics.k8s.io', version: 'v1beta1', kind: 'PodMetrics', plural: 'pods', scope: 'Namespaced',
  verbs: ['get', 'list'], storage: 'virtual',
  schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  columns: [nameColumn()],
})
