/** ComponentStatus: what the API server sees of the other parts of the control plane at the moment it is asked. Deprecated upstream, still served. */
import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { ComponentStatus } from '../../generated/core-v1.ts'

export type { ComponentStatus }

const healthOf = (component: ComponentStatus): { status: string; message: string; error: string } => {
  const condition = component.conditions?.find(one => one.type === 'Healthy')
  const status = condition?.status === 'True' ? 'Healthy' : condition?.status === 'False' ? 'Unhealthy' : 'Unknown'
  return { status, message: condition?.message ?? '', error: condition?.error ?? '' }
}

export const componentStatuses = defineResource<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  scope: 'Cluster',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  storage: 'virtual',
  schema: 'io.k8s.api.core.v1.ComponentStatus',
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', value: c => healthOf(c).status },
    { name: 'Message', type: 'string', value: c => healthOf(c).message },
    { name: 'Error', type: 'string', value: c => healthOf(c).error },
  ],
})
