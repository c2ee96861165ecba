import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { SelfSubjectAccessReview } from '../../generated/authorization-v1.ts'

export type { SelfSubjectAccessReview }

export const selfSubjectAccessReviews = defineResource<SelfSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
  columns: [nameColumn()],
})
