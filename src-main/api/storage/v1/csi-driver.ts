import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none, unset } from '../../columns.ts'
import { duplicate, invalidValue, notSupported, notSupportedInOrder } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { CSIDriver, CSIDriverSpec } from '../../generated/storage-v1.ts'
import { deepEqual } from '../../json.ts'
import { immutable, sameValue } from '../../validation.ts'

export type { CSIDriver }

const groupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType']
const lifecycleModes = ['Persistent', 'Ephemeral']
const minTokenSeconds = 600
const maxTokenSeconds = 2 ** 32
const minUpdatePeriodSeconds = 10

const tokenWarning = 'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes'

function tokenRequestsFaults(spec: CSIDriverSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const audiences = new Set<string>()
  for (const [i, { audience = '', expirationSeconds: seconds }] of (spec.tokenRequests ?? []).entries()) {
    const path = at.index(i)
    if (audiences.has(audience)) {
      faults.push(duplicate(path.child('audience'), audience))
      continue
    }
    audiences.add(audience)
    if (seconds === undefined) continue
    if (seconds < minTokenSeconds) faults.push(invalidValue(path.child('expirationSeconds'), seconds, 'may not specify a duration less than 10 minutes'))
    if (seconds > maxTokenSeconds) faults.push(invalidValue(path.child('expirationSeconds'), seconds, 'may not specify a duration larger than 2^32 seconds'))
  }
  return faults
}

function specFaults(spec: CSIDriverSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (spec.fsGroupPolicy !== undefined && !groupPolicies.includes(spec.fsGroupPolicy)) faults.push(notSupported(at.child('fsGroupPolicy'), spec.fsGroupPolicy, groupPolicies))
  faults.push(...tokenRequestsFaults(spec, at.child('tokenRequests')))
  for (const mode of spec.volumeLifecycleModes ?? []) if (!lifecycleModes.includes(mode)) faults.push(notSupportedInOrder(at.child('volumeLifecycleModes'), mode, lifecycleModes))
  const period = spec.nodeAllocatableUpdatePeriodSeconds
  if (period !== undefined && period < minUpdatePeriodSeconds)
    faults.push(invalidValue(at.child('nodeAllocatableUpdatePeriodSeconds'), period, 'must be greater than or equal to 10 seconds'))
  if (spec.serviceAccountTokenInSecrets !== undefined && (spec.tokenRequests?.length ?? 0) === 0)
    faults.push(invalidValue(at.child('serviceAccountTokenInSecrets'), spec.serviceAccountTokenInSecrets, 'serviceAccountTokenInSecrets is set but no tokenRequests are specified'))
  return faults
}

export const csiDrivers = defineResource<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  scope: 'Cluster',
  schema: 'io.k8s.api.storage.v1.CSIDriver',
  columns: [
    nameColumn(),
    { name: 'AttachRequired', type: 'boolean', value: d => d.spec?.attachRequired ?? true },
    { name: 'PodInfoOnMount', type: 'boolean', value: d => d.spec?.podInfoOnMount ?? false },
    { name: 'StorageCapacity', type: 'boolean', value: d => d.spec?.storageCapacity ?? false },
    { name: 'TokenRequests', type: 'string', value: d => d.spec?.tokenRequests?.map(request => request.audience).join(',') ?? unset },
    { name: 'RequiresRepublish', type: 'boolean', value: d => d.spec?.requiresRepublish ?? false },
    { name: 'Modes', type: 'string', value: d => d.spec?.volumeLifecycleModes?.join(',') || none },
    ageColumn(),
  ],
  menu: { area: 'storage', order: 60 },
  setDefaults(driver) {
    const spec = (driver.spec ??= {})
    spec.attachRequired ??= true
    spec.podInfoOnMount ??= false
    spec.storageCapacity ??= false
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
    if ((spec.volumeLifecycleModes?.length ?? 0) === 0) spec.volumeLifecycleModes = ['Persistent']
    spec.requiresRepublish ??= false
    spec.seLinuxMount ??= false
    spec.preventPodSchedulingIfMissing ??= false
  },
  prepareForUpdate(next, previous) {
    // Counted from the first change on; a new driver has none.
    if (!sameValue(next.spec, previous.spec)) next.metadata.generation = (previous.metadata.generation ?? 0) + 1
  },
  validate: (driver, at) => specFaults(driver.spec, at.child('spec')),
  validateUpdate: (next, previous, at) => [
    ...immutable(next.spec.attachRequired, previous.spec.attachRequired, at.child('spec', 'attachedRequired')),
    ...immutable(next.spec.volumeLifecycleModes, previous.spec.volumeLifecycleModes, at.child('spec', 'volumeLifecycleModes')),
  ],
  warnings(driver, previous) {
    const requests = driver.spec.tokenRequests ?? []
    if (requests.length === 0 || driver.spec.serviceAccountTokenInSecrets !== undefined) return []
    return previous !== undefined && deepEqual(requests, previous.spec.tokenRequests ?? []) ? [] : [tokenWarning]
  },
})
