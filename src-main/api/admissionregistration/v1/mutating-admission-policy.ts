import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { MutatingAdmissionPolicy } from '../../generated/admissionregistration-v1.ts'
import { setMatchDefaults } from '../rules.ts'
import { paramKindText } from './policy-columns.ts'
import { mutatingPolicyFaults } from './policy-validation.ts'

export type { MutatingAdmissionPolicy }

export const mutatingAdmissionPolicies = defineResource<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  scope: 'Cluster',
  categories: ['api-extensions'],
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy',
  columns: [
    nameColumn(),
    { name: 'Mutations', type: 'integer', value: o => o.spec?.mutations?.length ?? 0 },
    { name: 'ParamKind', type: 'string', value: o => paramKindText(o.spec?.paramKind) },
    ageColumn(),
  ],
  setDefaults(policy) {
    if (!policy.spec) return
    policy.spec.failurePolicy ??= 'Fail'
    setMatchDefaults(policy.spec.matchConstraints)
  },
  validate: mutatingPolicyFaults,
  menu: { area: 'access', order: 110 },
})
