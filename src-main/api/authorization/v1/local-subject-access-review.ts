import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { LocalSubjectAccessReview } from '../../generated/authorization-v1.ts'

export type { LocalSubjectAccessReview }

export const localSubjectAccessReviews = defineResource<LocalSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  scope: 'Namespaced',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
  columns: [nameColumn()],
})
