import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { ResourceSlice, ResourceSliceSpec } from '../../generated/resource-v1.ts'
import { isDns1123Label } from '../../names.ts'
import { formatTime } from '../../time.ts'
import { immutable, nameFaults, subdomainFaults } from '../../validation.ts'
import { nodeSelectorFaults } from '../../core/v1/scheduling-validation.ts'
import { driverNameFaults, poolNameFaults } from './device-names.ts'
import { setFaults } from './lists.ts'
import { countersFaults, sliceDeviceFaults } from './slice-device-validation.ts'

export type { ResourceSlice }

const maxDevices = 128
/** With taints or counters. */
const maxAdvancedDevices = 64
const maxCounterSets = 8
const placeText = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
const unsetOrTrue = 'must be either unset or set to true'

function placeFaults(spec: Partial<ResourceSliceSpec>, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const set: string[] = []
  if (spec.nodeName === '') faults.push(invalidValue(at.child('nodeName'), '', 'must be either unset or set to a non-empty string'))
  else if (spec.nodeName !== undefined) {
    set.push('`nodeName`')
    faults.push(...subdomainFaults(spec.nodeName, at.child('nodeName')))
  }
  if (spec.nodeSelector !== undefined) {
    set.push('`nodeSelector`')
    const terms = spec.nodeSelector.nodeSelectorTerms ?? []
    faults.push(...nodeSelectorFaults(spec.nodeSelector, at.child('nodeSelector')))
    if (terms.length !== 1) faults.push(invalidValue(at.child('nodeSelector', 'nodeSelectorTerms'), terms, 'must have exactly one node selector term'))
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[field] === true) set.push(`\`${field}\``)
    else if (spec[field] === false) faults.push(invalidValue(at.child(field), false, unsetOrTrue))
  }
  if (set.length === 0) faults.push(required(at, placeText))
  else if (set.length > 1) faults.push(invalidValue(at, `{${set.join(', ')}}`, `${placeText}, but multiple fields are set`))
  return faults
}

function specFaults(spec: Partial<ResourceSliceSpec>, at: FieldPath): FieldErrorList {
  const { name, resourceSliceCount = 0, generation = 0 } = spec.pool ?? {}
  const pool = at.child('pool')
  const faults = [...driverNameFaults(spec.driver, at.child('driver')), ...poolNameFaults(name, pool.child('name'))]
  if (resourceSliceCount <= 0) faults.push(invalidValue(pool.child('resourceSliceCount'), resourceSliceCount, 'must be greater than zero'))
  if (generation < 0) faults.push(invalidValue(pool.child('generation'), generation, 'must be greater than or equal to zero'))
  faults.push(...placeFaults(spec, at))
  if (spec.sharedCounters !== undefined && spec.devices !== undefined) faults.push(invalidValue(at, '', 'only one of `sharedCounters` or `devices` is allowed'))
  const devices = spec.devices ?? []
  const advanced = devices.some(device => (device.taints?.length ?? 0) > 0 || (device.consumesCounters?.length ?? 0) > 0)
  return [
    ...faults,
    ...setFaults(
      devices,
      advanced ? maxAdvancedDevices : maxDevices,
      at.child('devices'),
      (device, path) => sliceDeviceFaults(device, spec as ResourceSliceSpec, path),
      d => d.name,
    ),
    ...setFaults(
      spec.sharedCounters,
      maxCounterSets,
      at.child('sharedCounters'),
      (set, path) => [
        ...(set.name ? nameFaults(set.name, path.child('name'), isDns1123Label) : [required(path.child('name'), '')]),
        ...countersFaults(set.counters, path.child('counters')),
      ],
      set => set.name,
      set => set,
    ),
  ]
}

/** Fields of features that are off in v1.37. */
function dropDisabledFields(slice: ResourceSlice): void {
  delete slice.spec?.partitionTypeAttribute
  delete slice.spec?.skipNodeOperations
  for (const device of slice.spec?.devices ?? []) {
    delete device.nodeAllocatableResources
    for (const one of device.consumesCounters ?? []) delete one.compatibilityGroups
    for (const attribute of Object.values(device.attributes ?? {})) for (const field of ['bools', 'ints', 'strings', 'versions'] as const) delete attribute[field]
  }
}

/** A taint tells since when it holds. */
function stampTaints(slice: ResourceSlice, now: number): void {
  for (const device of slice.spec?.devices ?? []) for (const taint of device.taints ?? []) taint.timeAdded ??= formatTime(now)
}

export const resourceSlices = defineResource<ResourceSlice>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  scope: 'Cluster',
  schema: 'io.k8s.api.resource.v1.ResourceSlice',
  generation: true,
  columns: [
    nameColumn(),
    { name: 'Node', type: 'string', value: s => s.spec?.nodeName ?? '' },
    { name: 'Driver', type: 'string', value: s => s.spec?.driver ?? '' },
    { name: 'Pool', type: 'string', value: s => s.spec?.pool?.name ?? '' },
    ageColumn(),
  ],
  menu: { area: 'cluster', order: 70 },
  fields: {
    'spec.nodeName': s => s.spec?.nodeName ?? '',
    'spec.driver': s => s.spec?.driver ?? '',
    'spec.pool.name': s => s.spec?.pool?.name ?? '',
  },
  prepareForCreate(slice, { now }) {
    dropDisabledFields(slice)
    stampTaints(slice, now)
  },
  prepareForUpdate(slice, _previous, { now }) {
    dropDisabledFields(slice)
    stampTaints(slice, now)
  },
  validate: (slice, at) => specFaults(slice.spec ?? {}, at.child('spec')),
  validateUpdate: (next, previous, at) => [
    ...immutable(next.spec?.pool?.name, previous.spec?.pool?.name, at.child('spec', 'pool', 'name')),
    ...immutable(next.spec?.driver, previous.spec?.driver, at.child('spec', 'driver')),
    ...immutable(next.spec?.nodeName, previous.spec?.nodeName, at.child('spec', 'nodeName')),
  ],
  warnings(slice) {
    const driver = slice.spec?.driver ?? ''
    return driver === driver.toLowerCase() ? [] : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`]
  },
})
