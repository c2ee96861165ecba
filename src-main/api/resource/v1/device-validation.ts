/** Parts that several kinds of this group share: taints, tolerations, selectors, opaque configuration, conditions of binding. */
import { duplicate, invalidValue, notSupported, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { DeviceSelector, DeviceTaint, DeviceToleration, OpaqueDeviceConfiguration } from '../../generated/resource-v1.ts'
import { isObject } from '../../json.ts'
import { byteLength, isValidLabelValue } from '../../names.ts'
import { nameFaults, qualifiedNameFaults } from '../../validation.ts'
import { driverNameFaults } from './device-names.ts'
import { deviceExpressionFaults } from './device-expression.ts'
import { itemsFaults } from './lists.ts'

const effects = ['NoExecute', 'NoSchedule', 'None']
const operators = ['Equal', 'Exists']
const maxParameterBytes = 10 * 1024
const maxSelectors = 32
const maxBindingConditions = 4

function effectFaults(effect: string | undefined, path: FieldPath): FieldErrorList {
  return !effect || effects.includes(effect) ? [] : [notSupported(path, effect, effects)]
}

export function deviceTaintFaults(taint: Partial<DeviceTaint>, at: FieldPath, previous?: Partial<DeviceTaint>): FieldErrorList {
  const faults = qualifiedNameFaults(taint.key ?? '', at.child('key'))
  if (taint.value) faults.push(...nameFaults(taint.value, at.child('value'), isValidLabelValue))
  if (previous !== undefined && previous.effect === taint.effect) return faults
  return [...faults, ...(taint.effect ? effectFaults(taint.effect, at.child('effect')) : [required(at.child('effect'), '')])]
}

export function deviceTolerationFaults(toleration: DeviceToleration, at: FieldPath): FieldErrorList {
  const { key, operator = '', value = '', effect } = toleration
  const faults: FieldErrorList = key ? qualifiedNameFaults(key, at.child('key')) : []
  if (operator === '') faults.push(required(at.child('operator'), ''))
  else if (!operators.includes(operator)) faults.push(notSupported(at.child('operator'), operator, operators))
  else if (operator === 'Equal') faults.push(...nameFaults(value, at.child('value'), isValidLabelValue))
  else if (value !== '') faults.push(invalidValue(at.child('value'), value, 'must be empty for operator `Exists`'))
  return [...faults, ...effectFaults(effect, at.child('effect'))]
}

export function deviceSelectorsFaults(selectors: readonly DeviceSelector[] | undefined, path: FieldPath): FieldErrorList {
  return itemsFaults(selectors, maxSelectors, path, ({ cel }, at) => {
    if (cel === undefined) return [required(at.child('cel'), '')]
    return deviceExpressionFaults(cel.expression ?? '', at.child('cel', 'expression'))
  })
}

export function deviceConfigurationFaults(opaque: OpaqueDeviceConfiguration | undefined, at: FieldPath): FieldErrorList {
  if (opaque === undefined) return [required(at.child('opaque'), '')]
  return [...driverNameFaults(opaque.driver, at.child('opaque', 'driver')), ...rawObjectFaults(opaque.parameters, at.child('opaque', 'parameters'))]
}

/** Free data: a JSON object of at most 10 KiB. */
export function rawObjectFaults(value: unknown, path: FieldPath): FieldErrorList {
  if (value === undefined || value === null) return [required(path, '')]
  if (byteLength(JSON.stringify(value)) > maxParameterBytes) return [tooLong(path, '', maxParameterBytes)]
  return isObject(value) ? [] : [invalidValue(path, '<value omitted>', 'must be a valid JSON object')]
}

interface BindingConditions {
  readonly bindingConditions?: readonly string[]
  readonly bindingFailureConditions?: readonly string[]
}

export function bindingConditionsFaults({ bindingConditions: wanted = [], bindingFailureConditions: failures = [] }: BindingConditions, at: FieldPath): FieldErrorList {
  const [path, failurePath] = [at.child('bindingConditions'), at.child('bindingFailureConditions')]
  const repeated = (list: readonly string[], from: FieldPath): FieldErrorList =>
    list.flatMap((condition, i) => (list.indexOf(condition) < i ? [duplicate(from.index(i), condition)] : []))
  const faults = [
    ...itemsFaults(wanted, maxBindingConditions, path, qualifiedNameFaults),
    ...itemsFaults(failures, maxBindingConditions, failurePath, qualifiedNameFaults),
    ...repeated(wanted, path),
    ...repeated(failures, failurePath),
  ]
  for (const [i, condition] of failures.entries())
    if (wanted.includes(condition)) faults.push(invalidValue(failurePath.index(i), condition, 'bindingFailureConditions must not overlap with bindingConditions'))
  if (wanted.length === 0 && failures.length > 0) faults.push(invalidValue(path, null, 'bindingConditions are required to use bindingFailureConditions'))
  if (failures.length === 0 && wanted.length > 0) faults.push(invalidValue(failurePath, null, 'bindingFailureConditions are required to use bindingConditions'))
  return faults
}
