/** autoscaling/v1 Scale as a declaration: for tables, decoding and field ownership of the scale subresource. */
import { ageColumn } from '../../api/columns.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { defineResource } from '../../api/resource.ts'

export interface Scale extends KubernetesObject {
  spec?: { replicas?: number }
  status: { replicas: number; selector?: string }
}

export const scales = defineResource<Scale>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  scope: 'Namespaced',
  schema: 'io.k8s.api.autoscaling.v1.Scale',
  columns: [
    { name: 'Name', type: 'string', format: '', value: scale => scale.metadata.name ?? '' },
    { name: 'Desired', type: 'integer', value: scale => scale.spec?.replicas ?? 0 },
    { name: 'Available', type: 'integer', value: scale => scale.status.replicas },
    ageColumn<Scale>(),
  ],
})
