/**
 * Which of the names that definitions ask for they get, and what they say about it in their conditions: the part of
 * Kubernetes' naming, establishing, approval and schema controllers that decides. Pure.
 */
import type { CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionNames } from '../../generated/apiextensions-v1.ts'
import { FieldPath } from '../../field-errors.ts'
import { deepEqual } from '../../json.ts'
import { formatTime } from '../../time.ts'
import { approvalOf, isProtectedGroup } from './approval.ts'
import { caBundleFaults } from './ca-bundle.ts'
import { findCondition, isConditionTrue } from './custom-resource-definition.ts'

type Condition = CustomResourceDefinitionCondition

/** `conditions` with one set, its transition time kept while its status stays. */
export function withCondition(conditions: readonly Condition[], next: Omit<Condition, 'lastTransitionTime'>, now: number): Condition[] {
  const old = conditions.find(condition => condition.type === next.type)
  const lastTransitionTime = old && old.status === next.status && old.lastTransitionTime ? old.lastTransitionTime : formatTime(now)
  const made: Condition = { ...old, ...next, lastTransitionTime }
  return old ? conditions.map(condition => (condition === old ? made : condition)) : [...conditions, made]
}

/** Names that the other definitions of the group hold. */
function taken(others: readonly CustomResourceDefinition[], group: string): { resources: Set<string>; kinds: Set<string> } {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const { spec, status } of others) {
    const names = status?.acceptedNames
    if (spec.group !== group || !names) continue
    for (const name of [names.plural, names.singular ?? '', ...(names.shortNames ?? [])]) resources.add(name)
    for (const kind of [names.kind, names.listKind ?? '']) kinds.add(kind)
  }
  return { resources, kinds }
}

interface Claims {
  readonly names: CustomResourceDefinitionNames
  readonly fault: { readonly reason: string; readonly message: string } | undefined
}

const emptyNames: CustomResourceDefinitionNames = { plural: '', kind: '' }

function claim(definition: CustomResourceDefinition, others: readonly CustomResourceDefinition[]): Claims {
  const { resources, kinds } = taken([definition, ...others], definition.spec.group)
  const wanted = definition.spec.names
  const accepted = definition.status?.acceptedNames ?? emptyNames
  const names = { ...accepted }
  let fault: Claims['fault']
  const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`
  const single = (field: 'plural' | 'singular' | 'kind' | 'listKind', used: ReadonlySet<string>, reason: string): void => {
    const name = wanted[field] ?? ''
    if (name === (accepted[field] ?? '') || !used.has(name)) names[field] = name
    else fault = { reason, message: inUse(name) }
  }
  single('plural', resources, 'PluralConflict')
  single('singular', resources, 'SingularConflict')
  const clashes = (wanted.shortNames ?? []).filter(name => !(accepted.shortNames ?? []).includes(name) && resources.has(name)).map(inUse)
  if (clashes.length > 0) fault = { reason: 'ShortNamesConflict', message: clashes.length === 1 ? (clashes[0] ?? '') : `[${[...new Set(clashes)].join(', ')}]` }
  else if (wanted.shortNames) names.shortNames = wanted.shortNames
  else delete names.shortNames
  single('kind', kinds, 'KindConflict')
  single('listKind', kinds, 'ListKindConflict')
  if (wanted.categories) names.categories = wanted.categories
  else delete names.categories
  return { names, fault }
}

/** The status that a definition should have now, or undefined when it has it. `others` are all other definitions. */
export function nextStatus(definition: CustomResourceDefinition, others: readonly CustomResourceDefinition[], now: number): CustomResourceDefinition['status'] | undefined {
  const status = definition.status ?? {}
  let conditions: Condition[] = [...(status.conditions ?? [])]
  let { acceptedNames } = status
  if (!deepEqual(definition.spec.names, acceptedNames ?? emptyNames) || !findCondition(definition, 'NamesAccepted')) {
    const { names, fault } = claim(definition, others)
    acceptedNames = names
    conditions = withCondition(
      conditions,
      fault ? { type: 'NamesAccepted', status: 'False', ...fault } : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
      now,
    )
  }
  conditions = approvalCondition(definition, establishedCondition(definition, conditions, now), now)
  if (deepEqual(conditions, status.conditions ?? []) && deepEqual(acceptedNames ?? emptyNames, status.acceptedNames ?? emptyNames)) return undefined
  return { ...status, conditions, acceptedNames: acceptedNames ?? emptyNames }
}

function establishedCondition(definition: CustomResourceDefinition, conditions: Condition[], now: number): Condition[] {
  if (isConditionTrue(definition, 'Established')) return conditions
  const caBundle = definition.spec.conversion?.webhook?.clientConfig?.caBundle
  const isAccepted = conditions.some(condition => condition.type === 'NamesAccepted' && condition.status === 'True')
  return withCondition(
    conditions,
    isAccepted && caBundle && caBundleFaults(caBundle, FieldPath.root()).length > 0
      ? { type: 'Established', status: 'False', reason: 'InvalidCABundle', message: 'The conversion webhook CABundle is invalid' }
      : isAccepted
        ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
        : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
    now,
  )
}

function approvalCondition(definition: CustomResourceDefinition, conditions: Condition[], now: number): Condition[] {
  if (!isProtectedGroup(definition.spec.group)) return conditions
  const { state, message } = approvalOf(definition.metadata.annotations)
  const reason = { invalid: 'InvalidAnnotation', missing: 'MissingAnnotation', approved: 'ApprovedAnnotation', bypassed: 'UnapprovedAnnotation' }[state]
  return withCondition(conditions, { type: 'KubernetesAPIApprovalPolicyConformant', status: state === 'approved' ? 'True' : 'False', reason, message }, now)
}
