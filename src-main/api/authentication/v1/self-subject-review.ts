import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { SelfSubjectReview } from '../../generated/authentication-v1.ts'

export type { SelfSubjectReview }

export const selfSubjectReviews = defineResource<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  scope: 'Cluster',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authentication.v1.SelfSubjectReview',
  columns: [nameColumn()],
})
