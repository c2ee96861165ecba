import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { SubjectAccessReview } from '../../generated/authorization-v1.ts'

export type { SubjectAccessReview }

export const subjectAccessReviews = defineResource<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  scope: 'Cluster',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authorization.v1.SubjectAccessReview',
  columns: [nameColumn()],
})
