import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { TokenReview } from '../../generated/authentication-v1.ts'

export type { TokenReview }

export const tokenReviews = defineResource<TokenReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  verbs: ['create'],
  storage: 'virtual',
  schema: 'io.k8s.api.authentication.v1.TokenReview',
  columns: [nameColumn()],
})
