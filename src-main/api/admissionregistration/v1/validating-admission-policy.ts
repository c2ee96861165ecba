import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { FieldPath, required } from '../../field-errors.ts'
import type { ValidatingAdmissionPolicy } from '../../generated/admissionregistration-v1.ts'
import { setMatchDefaults } from '../rules.ts'
import { paramKindText } from './policy-columns.ts'
import { validatingPolicyFaults } from './policy-validation.ts'

export type { ValidatingAdmissionPolicy }

export const validatingAdmissionPolicies = defineResource<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  listKind: 'ValidatingAdmissionPolicyList',
  plural: 'validatingadmissionpolicies',
  scope: 'Cluster',
  categories: ['api-extensions'],
  subresources: { status: true },
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy',
  columns: [
    nameColumn(),
    { name: 'Validations', type: 'integer', value: o => o.spec?.validations?.length ?? 0 },
    { name: 'ParamKind', type: 'string', value: o => paramKindText(o.spec?.paramKind) },
    ageColumn(),
  ],
  setDefaults(policy) {
    if (!policy.spec) return
    policy.spec.failurePolicy ??= 'Fail'
    setMatchDefaults(policy.spec.matchConstraints)
  },
  prepareForCreate(policy) {
    policy.status = {}
  },
  validate: validatingPolicyFaults,
  validateStatusUpdate: policy =>
    (policy.status?.typeChecking?.expressionWarnings ?? []).flatMap((warning, i) => {
      const at = FieldPath.root('status').child('typeChecking').child('expressionWarnings').index(i)
      return [...(warning.warning ? [] : [required(at.child('warning'), '')]), ...(warning.fieldRef?.trim() ? [] : [required(at.child('fieldRef'), '')])]
    }),
  menu: { area: 'access', order: 90 },
})
