import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { FieldPath, duplicate, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ValidatingAdmissionPolicyBinding } from '../../generated/admissionregistration-v1.ts'
import { isDns1123Subdomain } from '../../names.ts'
import { matchResourcesFaults, paramRefFaults, setMatchDefaults } from '../rules.ts'
import { paramRefText } from './policy-columns.ts'

export type { ValidatingAdmissionPolicyBinding }

const actions = ['Audit', 'Deny', 'Warn']

function actionFaults(given: readonly string[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, action] of given.entries()) {
    if (!actions.includes(action)) faults.push(notSupported(at.index(i), action, actions))
    if (seen.has(action)) faults.push(duplicate(at.index(i), action))
    seen.add(action)
  }
  if (seen.has('Deny') && seen.has('Warn'))
    faults.push(
      invalidValue(at, [...given], 'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'),
    )
  if (seen.size === 0) faults.push(required(at, ''))
  return faults
}

/** Faults of the name of a binding's policy. */
export function policyNameFaults(name: string | undefined, at: FieldPath): FieldErrorList {
  return name ? isDns1123Subdomain(name).map(text => invalidValue(at, name, text)) : [required(at, '')]
}

export const validatingAdmissionPolicyBindings = defineResource<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  scope: 'Cluster',
  categories: ['api-extensions'],
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding',
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
      ...actionFaults(spec?.validationActions ?? [], at.child('validationActions')),
    ]
  },
  menu: { area: 'access', order: 100 },
})
