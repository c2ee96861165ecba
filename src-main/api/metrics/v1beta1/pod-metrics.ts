import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { KubernetesObject } from '../../meta.ts'
import { formatQuantity, addQuantity, parseQuantity } from '../../quantity.ts'
import { timestampSchema, usageSchema } from './node-metrics.ts'
import type { Usage } from './node-metrics.ts'

export interface ContainerMetrics {
  name: string
  usage: Usage
}

/** Measured use of a pod's containers; see NodeMetrics for the times. */
export interface PodMetrics extends KubernetesObject {
  timestamp: string
  window: string
  containers: ContainerMetrics[]
}

/** Sum over the containers, as a quantity. */
export function podUsage(metrics: PodMetrics, resource: string): string {
  const values = (metrics.containers ?? []).map(c => c.usage?.[resource]).filter(v => v !== undefined)
  if (values.length === 0) return '0'
  return formatQuantity(values.map(v => parseQuantity(v)).reduce((a, b) => addQuantity(a, b)))
}

export const podMetrics = defineResource<PodMetrics>({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  plural: 'pods',
  singular: '',
  scope: 'Namespaced',
  verbs: ['get', 'list'],
  storage: 'virtual',
  schema: {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      timestamp: timestampSchema,
      window: { type: 'string' },
      containers: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, usage: usageSchema } } },
    },
  },
  columns: [
    nameColumn(),
    { name: 'cpu', type: 'string', value: m => podUsage(m, 'cpu') },
    { name: 'memory', type: 'string', value: m => podUsage(m, 'memory') },
    { name: 'window', type: 'string', value: m => m.window ?? '' },
  ],
})
