import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { FieldPath } from '../../field-errors.ts'
import type { MutatingAdmissionPolicyBinding } from '../../generated/admissionregistration-v1.ts'
import { matchResourcesFaults, paramRefFaults, setMatchDefaults } from '../rules.ts'
import { paramRefText } from './policy-columns.ts'
import { policyNameFaults } from './validating-admission-policy-binding.ts'

export type { MutatingAdmissionPolicyBinding }

export const mutatingAdmissionPolicyBindings = defineResource<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  scope: 'Cluster',
  categories: ['api-extensions'],
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding',
  columns: [
    nameColumn(),
    { name: 'PolicyName', type: 'string', value: o => o.spec?.policyName ?? '' },
    { name: 'ParamRef', type: 'string', value: o => paramRefText(o.spec?.paramRef) },
    ageColumn(),
  ],
  setDefaults: binding => setMatchDefaults(binding.spec?.matchResources),
  validate(binding) {
    const at = FieldPath.root('spec')
    const { spec } = binding
    return [
      ...policyNameFaults(spec?.policyName, at.child('policyName')),
      ...paramRefFaults(spec?.paramRef, at.child('paramRef')),
      ...matchResourcesFaults(spec?.matchResources, at.child('matchResources')),
    ]
  },
  menu: { area: 'access', order: 120 },
})
