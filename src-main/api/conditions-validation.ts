/** Faults of metav1 conditions. Pure. */
import { duplicate, invalidValue, notSupported, required, tooLong } from './field-errors.ts'
import type { FieldErrorList, FieldPath } from './field-errors.ts'
import type { Condition } from './generated/meta-v1.ts'
import { byteLength } from './names.ts'
import { qualifiedNameFaults } from './validation.ts'

const statuses = ['False', 'True', 'Unknown']
const maxReasonBytes = 1024
const maxMessageBytes = 32 * 1024
const reasonPattern = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/
const reasonText =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"

export function conditionReasonFaults(reason: string, path: FieldPath): FieldErrorList {
  return reasonPattern.test(reason) ? [] : [invalidValue(path, reason, reasonText)]
}

/** Types are unique; each condition is whole. */
export function conditionsFaults(conditions: readonly Condition[] | undefined, path: FieldPath): FieldErrorList {
  const types = new Set<string>()
  return (conditions ?? []).flatMap((condition, i) => {
    const repeated = types.has(condition.type) ? [duplicate(path.index(i), condition.type)] : []
    types.add(condition.type)
    return [...repeated, ...conditionFaults(condition, path.index(i))]
  })
}

function conditionFaults(condition: Condition, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!condition.type) faults.push(required(at.child('type'), 'is required'))
  else faults.push(...qualifiedNameFaults(condition.type, at.child('type')))
  if (!condition.status) faults.push(required(at.child('status'), ''))
  else if (!statuses.includes(condition.status)) faults.push(notSupported(at.child('status'), condition.status, statuses))
  const generation = condition.observedGeneration
  if (generation !== undefined && generation < 0) faults.push(invalidValue(at.child('observedGeneration'), generation, 'must be greater than or equal to zero'))
  if (!condition.lastTransitionTime) faults.push(required(at.child('lastTransitionTime'), ''))
  if (!condition.reason) faults.push(required(at.child('reason'), ''))
  else {
    faults.push(...conditionReasonFaults(condition.reason, at.child('reason')))
    if (byteLength(condition.reason) > maxReasonBytes) faults.push(tooLong(at.child('reason'), '', maxReasonBytes))
  }
  if (byteLength(condition.message ?? '') > maxMessageBytes) faults.push(tooLong(at.child('message'), '', maxMessageBytes))
  return faults
}
