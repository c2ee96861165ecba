/** Validation of everything in a pod spec that steers placement: affinity, tolerations, topology spread. */
import type { Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration, TopologySpreadConstraint } from '../../generated/core-v1.ts'
import { duplicate, forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Label, isQualifiedName, isValidLabelValue } from '../../names.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { nameFaults, qualifiedNameFaults } from '../../validation.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
const tolerationOperators = ['Equal', 'Exists', 'Lt', 'Gt']
const notEmpty = 'can not be empty'

export function tolerationsFaults(tolerations: readonly Toleration[] | undefined, at: FieldPath): FieldErrorList {
  return (tolerations ?? []).flatMap((toleration, i) => tolerationFaults(toleration, at.index(i)))
}

function tolerationFaults(t: Toleration, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (t.key) faults.push(...qualifiedNameFaults(t.key, at.child('key')))
  else if (t.operator !== 'Exists')
    faults.push(invalidValue(at.child('operator'), t.operator ?? '', 'operator must be Exists when `key` is empty, which means "match all values and all keys"'))
  if (t.tolerationSeconds !== undefined && t.effect !== 'NoExecute')
    faults.push(invalidValue(at.child('effect'), t.effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  switch (t.operator ?? '') {
    case '':
    case 'Equal':
      faults.push(...isValidLabelValue(t.value ?? '').map(text => invalidValue(at.child('operator'), t.value ?? '', text)))
      break
    case 'Exists':
      if (t.value) faults.push(invalidValue(at.child('operator'), operatorValue(t), "value must be empty when `operator` is 'Exists'"))
      break
    default:
      faults.push(notSupportedInOrder(at.child('operator'), t.operator, tolerationOperators))
  }
  if (t.effect && !taintEffects.includes(t.effect)) faults.push(notSupportedInOrder(at.child('effect'), t.effect, taintEffects))
  return faults
}

/** Kubernetes prints the whole toleration here. */
function operatorValue(t: Toleration): unknown {
  return { Key: t.key ?? '', Operator: t.operator ?? '', Value: t.value ?? '', Effect: t.effect ?? '', TolerationSeconds: t.tolerationSeconds ?? null }
}

export function nodeSelectorRequirementFaults(requirement: NodeSelectorRequirement, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) faults.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"))
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) faults.push(forbiddenField(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) faults.push(required(at.child('values'), "must be specified single value when `operator` is 'Lt' or 'Gt'"))
      break
    default:
      faults.push(invalidValue(at.child('operator'), requirement.operator ?? '', 'not a valid selector operator'))
  }
  faults.push(...qualifiedNameFaults(requirement.key ?? '', at.child('key')))
  for (const [i, value] of values.entries()) faults.push(...nameFaults(value, at.child('values').index(i), isValidLabelValue))
  return faults
}

function nodeFieldRequirementFaults(requirement: NodeSelectorRequirement, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (requirement.operator === 'In' || requirement.operator === 'NotIn') {
    if ((requirement.values?.length ?? 0) !== 1) faults.push(required(at.child('values'), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
  } else faults.push(invalidValue(at.child('operator'), requirement.operator ?? '', 'not a valid selector operator'))
  if (requirement.key !== 'metadata.name') faults.push(invalidValue(at.child('key'), requirement.key ?? '', 'not a valid field selector key'))
  else for (const [i, value] of (requirement.values ?? []).entries()) faults.push(...nodeNameFaults(value, at.child('values').index(i)))
  return faults
}

function nodeNameFaults(value: string, path: FieldPath): FieldErrorList {
  return nameFaults(value, path, v => (isDns1123Label(v).length > 0 && v.includes(' ') ? isDns1123Label(v) : []))
}

export function nodeSelectorTermFaults(term: NodeSelectorTerm | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, requirement] of (term?.matchExpressions ?? []).entries()) faults.push(...nodeSelectorRequirementFaults(requirement, at.child('matchExpressions').index(i)))
  for (const [i, requirement] of (term?.matchFields ?? []).entries()) faults.push(...nodeFieldRequirementFaults(requirement, at.child('matchFields').index(i)))
  return faults
}

export function nodeSelectorFaults(selector: NodeSelector | undefined, at: FieldPath): FieldErrorList {
  if (selector === undefined) return []
  const path = at.child('nodeSelectorTerms')
  const terms = selector.nodeSelectorTerms ?? []
  if (terms.length === 0) return [required(path, 'must have at least one node selector term')]
  return terms.flatMap((term, i) => nodeSelectorTermFaults(term, path.index(i)))
}

export function affinityFaults(affinity: Affinity | undefined, at: FieldPath): FieldErrorList {
  if (affinity === undefined) return []
  const faults: FieldErrorList = []
  const node = affinity.nodeAffinity
  if (node !== undefined) {
    const path = at.child('nodeAffinity')
    faults.push(...nodeSelectorFaults(node.requiredDuringSchedulingIgnoredDuringExecution, path.child('requiredDuringSchedulingIgnoredDuringExecution')))
    for (const [i, preferred] of (node.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const item = path.child('preferredDuringSchedulingIgnoredDuringExecution').index(i)
      faults.push(...weightFaults(preferred.weight, item), ...nodeSelectorTermFaults(preferred.preference, item.child('preference')))
    }
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity[kind]
    for (const [i, term] of (terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      faults.push(...podAffinityTermFaults(term, at.child(kind, 'requiredDuringSchedulingIgnoredDuringExecution').index(i)))
    for (const [i, weighted] of (terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const item = at.child(kind, 'preferredDuringSchedulingIgnoredDuringExecution').index(i)
      faults.push(...weightFaults(weighted.weight, item), ...podAffinityTermFaults(weighted.podAffinityTerm, item.child('podAffinityTerm')))
    }
  }
  return faults
}

function weightFaults(weight: number | undefined, at: FieldPath): FieldErrorList {
  const value = weight ?? 0
  return value <= 0 || value > 100 ? [invalidValue(at.child('weight'), value, 'must be in the range 1-100')] : []
}

function podAffinityTermFaults(term: PodAffinityTerm | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (term?.labelSelector !== undefined) faults.push(...validateLabelSelector(term.labelSelector, at.child('labelSelector')))
  if (term?.namespaceSelector !== undefined) faults.push(...validateLabelSelector(term.namespaceSelector, at.child('namespaceSelector')))
  for (const name of term?.namespaces ?? []) faults.push(...nameFaults(name, at.child('namespace'), isDns1123Label))
  faults.push(
    ...labelKeysFaults(term?.matchLabelKeys, term?.labelSelector, at.child('matchLabelKeys')),
    ...labelKeysFaults(term?.mismatchLabelKeys, term?.labelSelector, at.child('mismatchLabelKeys')),
  )
  for (const [i, key] of (term?.matchLabelKeys ?? []).entries()) {
    if (term?.mismatchLabelKeys?.includes(key) === true) faults.push(invalidValue(at.child('matchLabelKeys').index(i), key, 'exists in both matchLabelKeys and mismatchLabelKeys'))
  }
  const topologyKey = term?.topologyKey ?? ''
  if (topologyKey === '') faults.push(required(at.child('topologyKey'), notEmpty))
  return [...faults, ...isQualifiedName(topologyKey).map(text => invalidValue(at.child('topologyKey'), topologyKey, text))]
}

function labelKeysFaults(keys: readonly string[] | undefined, selector: PodAffinityTerm['labelSelector'], at: FieldPath): FieldErrorList {
  if ((keys?.length ?? 0) === 0) return []
  if (selector === undefined) return [forbiddenField(at, 'must not be specified when labelSelector is not set')]
  return (keys ?? []).flatMap((key, i) => qualifiedNameFaults(key, at.index(i)))
}

export function topologySpreadFaults(constraints: readonly TopologySpreadConstraint[] | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const pairs = (constraints ?? []).map(c => `{${c.topologyKey ?? ''}, ${c.whenUnsatisfiable ?? ''}}`)
  for (const [i, constraint] of (constraints ?? []).entries()) {
    const path = at.index(i)
    if ((constraint.maxSkew ?? 0) <= 0) faults.push(invalidValue(path.child('maxSkew'), constraint.maxSkew ?? 0, 'must be greater than zero'))
    if (!constraint.topologyKey) faults.push(required(path.child('topologyKey'), notEmpty))
    else faults.push(...qualifiedNameFaults(constraint.topologyKey, path.child('topologyKey')))
    const when = constraint.whenUnsatisfiable ?? ''
    if (when !== 'DoNotSchedule' && when !== 'ScheduleAnyway') faults.push(notSupported(path.child('whenUnsatisfiable'), when, ['DoNotSchedule', 'ScheduleAnyway']))
    if (pairs.indexOf(pairs[i] ?? '', i + 1) >= 0) faults.push(duplicate(path.child('{topologyKey, whenUnsatisfiable}'), pairs[i]))
    faults.push(...spreadPolicyFaults(constraint, path))
  }
  return faults
}

function spreadPolicyFaults(constraint: TopologySpreadConstraint, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { minDomains } = constraint
  if (minDomains !== undefined) {
    if (minDomains <= 0) faults.push(invalidValue(path.child('minDomains'), minDomains, 'must be greater than zero'))
    if (constraint.whenUnsatisfiable !== 'DoNotSchedule')
      faults.push(invalidValue(path.child('minDomains'), minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${constraint.whenUnsatisfiable ?? ''}`))
  }
  for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
    const value = constraint[name]
    if (value !== undefined && value !== 'Honor' && value !== 'Ignore') faults.push(notSupported(path.child(name), value, ['Honor', 'Ignore']))
  }
  faults.push(...labelKeysFaults(constraint.matchLabelKeys, constraint.labelSelector, path.child('matchLabelKeys')))
  if (constraint.labelSelector !== undefined) faults.push(...validateLabelSelector(constraint.labelSelector, path.child('labelSelector')))
  return faults
}
