import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue, notSupported } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../generated/policy-v1.ts'
import { isPathSegmentName } from '../../names.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { intOrPercentFaults, nonNegative, percentAtMost100 } from '../../validation.ts'

export type { PodDisruptionBudget }

const policies = ['AlwaysAllow', 'IfHealthyBudget']

function goSpec(spec: PodDisruptionBudgetSpec): unknown {
  return {
    MinAvailable: spec.minAvailable ?? null,
    Selector: spec.selector ?? null,
    MaxUnavailable: spec.maxUnavailable ?? null,
    UnhealthyPodEvictionPolicy: spec.unhealthyPodEvictionPolicy ?? null,
  }
}

export const podDisruptionBudgets = defineResource<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  scope: 'Namespaced',
  shortNames: ['pdb'],
  generation: true,
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  validateName: isPathSegmentName,
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Min Available', type: 'string', value: p => (p.spec?.minAvailable === undefined ? 'N/A' : String(p.spec.minAvailable)) },
    { name: 'Max Unavailable', type: 'string', value: p => (p.spec?.maxUnavailable === undefined ? 'N/A' : String(p.spec.maxUnavailable)) },
    { name: 'Allowed Disruptions', type: 'integer', value: p => p.status?.disruptionsAllowed ?? 0 },
    ageColumn(),
  ],
  menu: { area: 'config', order: 60 },
  setDefaults(budget) {
    budget.spec ??= {}
  },
  prepareForCreate(budget) {
    budget.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
  },
  validate(budget, at) {
    const spec = budget.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = []
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) faults.push(invalidValue(path, goSpec(spec), 'minAvailable and maxUnavailable cannot be both set'))
    for (const field of ['minAvailable', 'maxUnavailable'] as const)
      faults.push(...intOrPercentFaults(spec[field], path.child(field)), ...percentAtMost100(spec[field], path.child(field)))
    faults.push(...validateLabelSelector(spec.selector, path.child('selector')))
    if (spec.unhealthyPodEvictionPolicy !== undefined && !policies.includes(spec.unhealthyPodEvictionPolicy))
      faults.push(notSupported(path.child('unhealthyPodEvictionPolicy'), spec.unhealthyPodEvictionPolicy, policies))
    return faults
  },
  validateStatusUpdate(next, _previous, at) {
    return (['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap(field => nonNegative(next.status?.[field], at.child('status', field)))
  },
})
