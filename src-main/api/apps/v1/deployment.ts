import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { Deployment } from '../../generated/apps-v1.ts'

export type { Deployment }

export const deployments = defineResource<Deployment>({
  group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', scope: 'Namespaced',
  shortNames: ['deploy'], categories: ['all'], generation: true,
  schema: 'io.k8s.api.apps.v1.Deployment',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'workloads', order: 20 },
})
