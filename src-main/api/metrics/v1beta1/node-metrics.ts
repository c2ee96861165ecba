/** NodeMetrics and PodMetrics of metrics.k8s.io: measured values, never stored. Answered by monitoring. */
import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { KubernetesObject } from '../../meta.ts'

/** Quantities by resource name: `cpu`, `memory`. */
export type Usage = Record<string, string>

export interface NodeMetrics extends KubernetesObject {
  /** End of the interval measured. */
  timestamp: string
  /** Length of the interval, as Go writes durations: `30s`. */
  window: string
  usage: Usage
}

const quantity = { type: 'string' } as const
export const usageSchema = { type: 'object', additionalProperties: quantity } as const
export const timestampSchema = { type: 'string', format: 'date-time' } as const

export const nodeMetrics = defineResource<NodeMetrics>({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'NodeMetrics',
  plural: 'nodes',
  singular: '',
  scope: 'Cluster',
  verbs: ['get', 'list'],
  storage: 'virtual',
  schema: { type: 'object', properties: { apiVersion: quantity, kind: quantity, metadata: { type: 'object' }, timestamp: timestampSchema, window: quantity, usage: usageSchema } },
  columns: [
    nameColumn(),
    { name: 'cpu', type: 'string', value: m => m.usage?.['cpu'] ?? '' },
    { name: 'memory', type: 'string', value: m => m.usage?.['memory'] ?? '' },
    { name: 'window', type: 'string', value: m => m.window ?? '' },
  ],
})
