import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { PodDisruptionBudget } from '../../generated/policy-v1.ts'

export type { PodDisruptionBudget }

export const podDisruptionBudgets = defineResource<PodDisruptionBudget>({
  group: 'policy', version: 'v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', scope: 'Namespaced',
  shortNames: ['pdb'], generation: true,
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  subresources: { status: true },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'config', order: 60 },
})
