/** One device of a ResourceSlice. */
import { invalidValue, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Counter, Device, DeviceAttribute, DeviceCounterConsumption, ResourceSliceSpec } from '../../generated/resource-v1.ts'
import { byteLength, isDns1123Label } from '../../names.ts'
import { nameFaults, subdomainFaults } from '../../validation.ts'
import { nodeSelectorFaults } from '../../core/v1/scheduling-validation.ts'
import { capacityFaults } from './capacity-policy.ts'
import { attributeNameFaults } from './device-names.ts'
import { bindingConditionsFaults, deviceTaintFaults } from './device-validation.ts'
import { itemsFaults, mapFaults, setFaults } from './lists.ts'

const maxAttributesAndCapacities = 32
const maxTaints = 16
const maxConsumptions = 2
const maxCounters = 32
const maxValueBytes = 64
const semanticVersion =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/

const labelFaults = (name: string, path: FieldPath): FieldErrorList => nameFaults(name, path, isDns1123Label)

export function sliceDeviceFaults(device: Device, spec: ResourceSliceSpec, at: FieldPath): FieldErrorList {
  const faults = labelFaults(device.name ?? '', at.child('name'))
  const count = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length
  if (count > maxAttributesAndCapacities) faults.push(invalidValue(at, count, `the total number of attributes and capacities must not exceed ${maxAttributesAndCapacities}`))
  const shared = device.allowMultipleAllocations === true
  return [
    ...faults,
    ...mapFaults(device.attributes, Infinity, at.child('attributes'), attributeNameFaults, attributeFaults),
    ...mapFaults(device.capacity, Infinity, at.child('capacity'), attributeNameFaults, (capacity, path) => capacityFaults(capacity, shared, path)),
    ...itemsFaults(device.taints, maxTaints, at.child('taints'), (taint, path) => deviceTaintFaults(taint, path)),
    ...setFaults(device.consumesCounters, maxConsumptions, at.child('consumesCounters'), consumptionFaults, one => one.counterSet),
    ...placeFaults(device, spec.perDeviceNodeSelection === true, at),
    ...bindingConditionsFaults(device, at),
  ]
}

function attributeFaults(attribute: DeviceAttribute, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const field of ['string', 'version'] as const) {
    const value = attribute[field]
    if (value === undefined) continue
    if (field === 'version' && !semanticVersion.test(value)) faults.push(invalidValue(at.child(field), value, 'must be a string compatible with semver.org spec 2.0.0'))
    if (byteLength(value) > maxValueBytes) faults.push(tooLong(at.child(field), '', maxValueBytes))
  }
  const values = Object.values(attribute).filter(value => value !== undefined)
  if (values.length !== 1) faults.push(invalidValue(at, values.length === 0 ? '' : attribute, 'exactly one value must be specified'))
  return faults
}

/** Counters by name: some, not too many, of legal names. */
export function countersFaults(counters: Readonly<Record<string, Counter>> | undefined, path: FieldPath): FieldErrorList {
  return Object.keys(counters ?? {}).length === 0 ? [required(path, '')] : mapFaults(counters, maxCounters, path, labelFaults)
}

function consumptionFaults(consumption: DeviceCounterConsumption, at: FieldPath): FieldErrorList {
  return [
    ...(consumption.counterSet ? labelFaults(consumption.counterSet, at.child('counterSet')) : [required(at.child('counterSet'), '')]),
    ...countersFaults(consumption.counters, at.child('counters')),
  ]
}

const placeText = 'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec'

/** Where the device is, when the slice leaves that to its devices. */
function placeFaults(device: Device, perDevice: boolean, at: FieldPath): FieldErrorList {
  const { nodeName, nodeSelector, allNodes } = device
  if (!perDevice) {
    if (nodeName === undefined && nodeSelector === undefined && allNodes === undefined) return []
    return [invalidValue(at, null, '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec')]
  }
  const faults: FieldErrorList = []
  const set: string[] = []
  if (nodeName === '') faults.push(invalidValue(at.child('nodeName'), nodeName, 'must not be empty'))
  else if (nodeName !== undefined) {
    set.push('`nodeName`')
    faults.push(...subdomainFaults(nodeName, at.child('nodeName')))
  }
  if (nodeSelector !== undefined) {
    set.push('`nodeSelector`')
    faults.push(...nodeSelectorFaults(nodeSelector, at.child('nodeSelector')))
  }
  if (allNodes === true) set.push('`allNodes`')
  else if (allNodes === false) faults.push(invalidValue(at.child('allNodes'), allNodes, 'must be either unset or set to true'))
  if (set.length === 0) faults.push(required(at, placeText))
  else if (set.length > 1) faults.push(invalidValue(at, `{${set.join(', ')}}`, placeText))
  return faults
}
