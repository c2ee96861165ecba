/** The status of a claim: what was allocated, for whom it is reserved, what drivers report. */
import { conditionsFaults } from '../../conditions-validation.ts'
import { forbiddenField, invalidValue, notSupported, required, tooLong, tooMany } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { AllocatedDeviceStatus, AllocationResult, DeviceRequestAllocationResult, NetworkDeviceData, ResourceClaim } from '../../generated/resource-v1.ts'
import { deepEqual } from '../../json.ts'
import { isDns1123Label, parseCIDR } from '../../names.ts'
import { immutableText, nameFaults } from '../../validation.ts'
import { nodeSelectorFaults } from '../../core/v1/scheduling-validation.ts'
import { requestNames, requestReferenceFaults } from './device-claim-validation.ts'
import { driverNameFaults, poolNameFaults } from './device-names.ts'
import { bindingConditionsFaults, deviceConfigurationFaults, deviceTolerationFaults, rawObjectFaults } from './device-validation.ts'
import { itemsFaults, setFaults } from './lists.ts'

const maxReservations = 256
const maxResults = 32
const maxRequests = 32
const maxConfigurations = 64
const maxConditions = 8
const maxInterfaceName = 256
const maxHardwareAddress = 128
const maxAddresses = 16
const sources = ['FromClaim', 'FromClass']
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

interface DeviceIdentity {
  readonly driver: string
  readonly pool: string
  readonly device: string
  readonly shareID?: string
}

const identityOf = ({ driver, pool, device, shareID }: DeviceIdentity): string => [driver, pool, device, ...(shareID === undefined ? [] : [shareID])].join('/')

export function claimStatusFaults(next: ResourceClaim, previous: ResourceClaim, at: FieldPath): FieldErrorList {
  const { reservedFor = [], devices, allocation } = next.status ?? {}
  const allocated = new Set((allocation?.devices?.results ?? []).map(identityOf))
  const faults = [
    ...setFaults(
      reservedFor,
      maxReservations,
      at.child('reservedFor'),
      consumerFaults,
      consumer => consumer.uid,
      consumer => consumer,
    ),
    ...setFaults(devices, Infinity, at.child('devices'), (device, path) => deviceStatusFaults(device, path, allocated), identityOf),
  ]
  if (reservedFor.length > 0 && allocation === undefined) faults.push(forbiddenField(at.child('reservedFor'), 'may not be specified when `allocated` is not set'))
  else if (next.metadata.deletionTimestamp !== undefined) {
    const known = (previous.status?.reservedFor ?? []).map(one => JSON.stringify(one))
    if (reservedFor.some(one => !known.includes(JSON.stringify(one))))
      faults.push(forbiddenField(at.child('reservedFor'), 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'))
  }
  const before = previous.status?.allocation
  if (allocation === undefined) return faults
  if (before === undefined) return [...faults, ...allocationFaults(allocation, requestNames(next.spec?.devices), at.child('allocation'))]
  return deepEqual(allocation, before) ? faults : [...faults, invalidValue(at.child('allocation'), allocation, immutableText)]
}

function consumerFaults(consumer: { resource?: string; name?: string; uid?: string }, at: FieldPath): FieldErrorList {
  return (['resource', 'name', 'uid'] as const).filter(field => !consumer[field]).map(field => required(at.child(field), ''))
}

function shareFaults(shareID: string | undefined, path: FieldPath): FieldErrorList {
  if (shareID === undefined || uuidPattern.test(shareID)) return []
  if (!uuidPattern.test(shareID.toLowerCase())) return [invalidValue(path, shareID, `error validating uid: invalid UUID length: ${shareID.length}`)]
  return [invalidValue(path, shareID, 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters')]
}

function allocationFaults(allocation: AllocationResult, names: ReadonlySet<string>, at: FieldPath): FieldErrorList {
  const path = at.child('devices')
  return [
    ...itemsFaults(allocation.devices?.results, maxResults, path.child('results'), (result, item) => resultFaults(result, names, item)),
    ...itemsFaults(allocation.devices?.config, maxConfigurations, path.child('config'), (config, item) => [
      ...(!config.source ? [required(item.child('source'), '')] : sources.includes(config.source) ? [] : [notSupported(item.child('source'), config.source, sources)]),
      ...setFaults(
        config.requests,
        maxRequests,
        item.child('requests'),
        (name, one) => requestReferenceFaults(name, one, names),
        name => name,
      ),
      ...deviceConfigurationFaults(config.opaque, item),
    ]),
    ...(allocation.nodeSelector === undefined ? [] : nodeSelectorFaults(allocation.nodeSelector, at.child('nodeSelector'))),
  ]
}

function resultFaults(result: DeviceRequestAllocationResult, names: ReadonlySet<string>, at: FieldPath): FieldErrorList {
  return [
    ...requestReferenceFaults(result.request ?? '', at.child('request'), names),
    ...driverNameFaults(result.driver, at.child('driver')),
    ...poolNameFaults(result.pool, at.child('pool')),
    ...nameFaults(result.device ?? '', at.child('device'), isDns1123Label),
    ...bindingConditionsFaults(result, at),
    ...(result.tolerations ?? []).flatMap((toleration, i) => deviceTolerationFaults(toleration, at.child('tolerations').index(i))),
    ...shareFaults(result.shareID, at.child('shareID')),
  ]
}

function deviceStatusFaults(device: AllocatedDeviceStatus, at: FieldPath, allocated: ReadonlySet<string>): FieldErrorList {
  const faults = [
    ...driverNameFaults(device.driver, at.child('driver')),
    ...poolNameFaults(device.pool, at.child('pool')),
    ...nameFaults(device.device ?? '', at.child('device'), isDns1123Label),
    ...shareFaults(device.shareID, at.child('shareID')),
  ]
  if (!allocated.has(identityOf(device))) faults.push(invalidValue(at, identityOf(device), 'must be an allocated device in the claim'))
  const conditions = device.conditions ?? []
  if (conditions.length > maxConditions) faults.push(tooMany(at.child('conditions'), conditions.length, maxConditions))
  return [
    ...faults,
    ...conditionsFaults(conditions, at.child('conditions')),
    ...(device.data === undefined ? [] : rawObjectFaults(device.data, at.child('data'))),
    ...networkFaults(device.networkData, at.child('networkData')),
  ]
}

function networkFaults(data: NetworkDeviceData | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if ((data?.interfaceName ?? '').length > maxInterfaceName) faults.push(tooLong(at.child('interfaceName'), '', maxInterfaceName))
  if ((data?.hardwareAddress ?? '').length > maxHardwareAddress) faults.push(tooLong(at.child('hardwareAddress'), '', maxHardwareAddress))
  const addressFaults = (address: string, path: FieldPath): FieldErrorList =>
    parseCIDR(address) === undefined ? [invalidValue(path, address, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')] : []
  return [...faults, ...setFaults(data?.ips, maxAddresses, at.child('ips'), addressFaults, address => address)]
}
