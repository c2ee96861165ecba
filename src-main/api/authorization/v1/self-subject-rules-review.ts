import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { SelfSubjectRulesReview } from '../../generated/authorization-v1.ts'

export type { SelfSubjectRulesReview }

export const selfSubjectRulesReviews = defineResource<SelfSubjectRulesReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  scope: 'Cluster',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authorization.v1.SelfSubjectRulesReview',
  columns: [nameColumn()],
})
