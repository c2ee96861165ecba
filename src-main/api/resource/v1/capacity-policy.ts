/** How much of a device's capacity one request may take. */
import { forbiddenField, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity } from '../../generated/resource-v1.ts'
import { addQuantity, compareQuantity, formatQuantity, tryParseQuantity, zeroQuantity, type Quantity } from '../../quantity.ts'
import { setFaults } from './lists.ts'

const maxValues = 10

const quantity = (text: string | undefined): Quantity => tryParseQuantity(text ?? '0') ?? zeroQuantity

/** Devices that one request takes whole have no policy. */
export function capacityFaults(capacity: DeviceCapacity, shared: boolean, at: FieldPath): FieldErrorList {
  const policy = capacity.requestPolicy
  if (policy === undefined) return []
  const path = at.child('requestPolicy')
  if (!shared) return [forbiddenField(path, 'allowMultipleAllocations must be true')]
  const values = policy.validValues ?? []
  if (values.length > 0 && policy.validRange !== undefined)
    return [forbiddenField(path, 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time')]
  if (values.length > 0) return valuesFaults(policy, values, capacity.value, path)
  return policy.validRange === undefined ? [] : rangeFaults(policy, policy.validRange, capacity.value, path)
}

function valuesFaults(policy: CapacityRequestPolicy, values: readonly string[], capacity: string, at: FieldPath): FieldErrorList {
  if (policy.default === undefined) return [required(at.child('default'), 'required when validValues is defined')]
  const path = at.child('validValues')
  const faults = values.flatMap((value, i) =>
    i > 0 && compareQuantity(quantity(values[i - 1]), quantity(value)) > 0 ? [invalidValue(path.index(i), value, 'values must be sorted in ascending order')] : [],
  )
  faults.push(
    ...setFaults(
      values,
      maxValues,
      path,
      (value, item) => (compareQuantity(quantity(value), quantity(capacity)) > 0 ? [invalidValue(item, value, `option is larger than capacity value: ${capacity}`)] : []),
      value => String(quantity(value).nano),
    ),
  )
  const wanted = quantity(policy.default)
  if (!values.some(value => compareQuantity(quantity(value), wanted) === 0))
    faults.push(invalidValue(path, policy.default, 'default value is not valid according to the requestPolicy'))
  return faults
}

function rangeFaults(policy: CapacityRequestPolicy, range: CapacityRequestPolicyRange, capacity: string, at: FieldPath): FieldErrorList {
  if (policy.default === undefined) return [required(at.child('default'), 'required when validRange is defined')]
  const path = at.child('validRange')
  if (range.min === undefined) return [required(path.child('min'), 'required when validRange is defined')]
  const { min, max, step } = range
  const faults: FieldErrorList = []
  const larger = (a: string, b: string): boolean => compareQuantity(quantity(a), quantity(b)) > 0
  if (larger(min, capacity)) faults.push(invalidValue(path.child('min'), min, `min is larger than capacity value: ${capacity}`))
  if (larger(min, policy.default)) faults.push(invalidValue(path.child('default'), policy.default, `default is less than min: ${min}`))
  if (max !== undefined) {
    if (larger(min, max)) faults.push(invalidValue(path.child('max'), min, `min is larger than max: ${max}`))
    if (larger(max, capacity)) faults.push(invalidValue(path.child('max'), max, `max is larger than capacity value: ${capacity}`))
    if (larger(policy.default, max)) faults.push(invalidValue(path.child('default'), policy.default, `default is more than max: ${max}`))
  }
  return step === undefined ? faults : [...faults, ...stepFaults(policy.default, { min, step, ...(max === undefined ? {} : { max }) }, capacity, path)]
}

function stepFaults(wanted: string, { min, max, step }: { min: string; max?: string; step: string }, capacity: string, path: FieldPath): FieldErrorList {
  const [size, from] = [quantity(step), quantity(min)]
  if (size.nano <= 0n) return [invalidValue(path.child('step'), step, 'must be greater than zero')]
  const faults: FieldErrorList = []
  const one = addQuantity(from, size)
  if (compareQuantity(one, quantity(capacity)) > 0)
    faults.push(invalidValue(path.child('step'), step, `one step ${formatQuantity(one)} is larger than capacity value: ${capacity}`))
  for (const value of [wanted, ...(max === undefined ? [] : [max])])
    if ((quantity(value).nano - from.nano) % size.nano !== 0n)
      faults.push(invalidValue(path.child('step'), value, `value is not a multiple of a given step (${step}) from (${min})`))
  return faults
}
