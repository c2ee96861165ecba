/** Validation of a job's pod failure policy and success policy. */
import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../../generated/batch-v1.ts'
import { duplicate, invalidValue, invalidWithoutValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { qualifiedNameFaults } from '../../validation.ts'

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const maxRules = 20

export function jobPolicyFaults(spec: JobSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const rules = spec.podFailurePolicy?.rules ?? []
  const path = at.child('podFailurePolicy', 'rules')
  if (rules.length > maxRules) faults.push({ type: 'FieldValueTooMany', field: path.toString(), message: `Too many: ${rules.length}: must have at most ${maxRules} items` })
  for (const [i, rule] of rules.entries()) faults.push(...failureRuleFaults(rule, spec, path.index(i)))
  return [...faults, ...successPolicyFaults(spec, at.child('successPolicy'))]
}

function failureRuleFaults(rule: PodFailurePolicyRule, spec: JobSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!rule.action) faults.push(required(at.child('action'), `valid values: [${actions.map(a => `"${a}"`).join(' ')}]`))
  else if (rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined)
    faults.push(invalidValue(at.child('action'), rule.action, 'requires the backoffLimitPerIndex to be set'))
  else if (!actions.includes(rule.action)) faults.push(notSupported(at.child('action'), rule.action, actions))
  const conditions = rule.onPodConditions ?? []
  if (rule.onExitCodes !== undefined) faults.push(...exitCodeFaults(rule.onExitCodes, spec, at.child('onExitCodes')))
  for (const [i, pattern] of conditions.entries()) {
    const path = at.child('onPodConditions').index(i)
    faults.push(...qualifiedNameFaults(pattern.type ?? '', path.child('type')))
    if (!pattern.status) faults.push(required(path.child('status'), 'valid values: ["False" "True" "Unknown"]'))
    else if (!['False', 'True', 'Unknown'].includes(pattern.status)) faults.push(notSupported(path.child('status'), pattern.status, ['False', 'True', 'Unknown']))
  }
  if (rule.onExitCodes !== undefined && conditions.length > 0) faults.push(invalidWithoutValue(at, 'specifying both OnExitCodes and OnPodConditions is not supported'))
  if (rule.onExitCodes === undefined && conditions.length === 0) faults.push(invalidWithoutValue(at, 'specifying one of OnExitCodes and OnPodConditions is required'))
  return faults
}

function exitCodeFaults(codes: NonNullable<PodFailurePolicyRule['onExitCodes']>, spec: JobSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const operators = ['In', 'NotIn']
  if (!codes.operator) faults.push(required(at.child('operator'), 'valid values: ["In" "NotIn"]'))
  else if (!operators.includes(codes.operator)) faults.push(notSupported(at.child('operator'), codes.operator, operators))
  if (codes.containerName !== undefined) {
    const known = [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])].some(c => c.name === codes.containerName)
    if (!known) faults.push(invalidValue(at.child('containerName'), codes.containerName, 'must be one of the container or initContainer names in the pod template'))
  }
  const values = codes.values ?? []
  const path = at.child('values')
  if (values.length === 0) faults.push(invalidValue(path, values, 'at least one value is required'))
  const seen = new Set<number>()
  for (const [i, value] of values.entries()) {
    if (codes.operator === 'In' && value === 0) faults.push(invalidValue(path.index(i), value, 'must not be 0 for the In operator'))
    if (seen.has(value)) faults.push(duplicate(path.index(i), value))
    else if (i > 0 && value < (values[i - 1] ?? 0)) faults.push(invalidValue(path, values, 'must be ordered'))
    seen.add(value)
  }
  return faults
}

function successPolicyFaults(spec: JobSpec, at: FieldPath): FieldErrorList {
  if (spec.successPolicy === undefined) return []
  const faults: FieldErrorList = []
  const rules = spec.successPolicy.rules ?? []
  if (spec.completionMode !== 'Indexed') faults.push(invalidValue(at, spec.successPolicy, 'requires indexed completion mode'))
  if (rules.length === 0) faults.push(required(at.child('rules'), 'at least one rules must be specified when the successPolicy is specified'))
  for (const [i, rule] of rules.entries()) faults.push(...successRuleFaults(rule, spec, at.child('rules').index(i)))
  return faults
}

function successRuleFaults(rule: SuccessPolicyRule, spec: JobSpec, at: FieldPath): FieldErrorList {
  if (rule.succeededCount === undefined && rule.succeededIndexes === undefined) return [required(at, 'at least one of succeededCount or succeededIndexes must be specified')]
  const faults: FieldErrorList = []
  let total = spec.completions ?? 0
  let what = 'the number of specified completions'
  if (rule.succeededIndexes !== undefined) {
    const parsed = countIndexes(rule.succeededIndexes, spec.completions ?? 0)
    if (typeof parsed === 'string') faults.push(invalidValue(at.child('succeededIndexes'), rule.succeededIndexes, `error parsing succeededIndexes: ${parsed}`))
    else {
      total = parsed
      what = 'the number of indexes in the specified succeededIndexes field'
    }
  }
  if (rule.succeededCount !== undefined && faults.length === 0 && rule.succeededCount > total)
    faults.push(invalidValue(at.child('succeededCount'), rule.succeededCount, `must be less than or equal to ${total} (${what})`))
  return faults
}

/** How many indexes `0,2-4` names, or what is wrong with it. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0
  let count = 0
  let last: number | undefined
  for (const item of text.split(',')) {
    const limits = item.split('-')
    if (limits.length > 2) return `the number of limits for a range should be 2, but got: ${limits.length}`
    const [low = '', high = low] = limits
    for (const limit of [low, high]) if (!/^\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`
    const [from, to] = [Number(low), Number(high)]
    if (last !== undefined && from <= last) return `non-increasing order, previous: ${last}, current: ${from}`
    if (from >= completions) return `too large index: ${JSON.stringify(low)}`
    if (limits.length === 2 && to <= from) return `non-increasing order, previous: ${from}, current: ${to}`
    if (to >= completions) return `too large index: ${JSON.stringify(high)}`
    count += to - from + 1
    last = to
  }
  return count
}
