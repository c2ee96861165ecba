import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue } from '../../field-errors.ts'
import type { ResourceClaim } from '../../generated/resource-v1.ts'
import { immutableText, sameValue } from '../../validation.ts'
import { claimStatusFaults } from './claim-status-validation.ts'
import { deviceClaimFaults, dropDisabledClaimFields, setDeviceClaimDefaults } from './device-claim-validation.ts'

export type { ResourceClaim }

function stateText(claim: ResourceClaim): string {
  const deleted = claim.metadata.deletionTimestamp !== undefined
  const states = deleted ? ['deleted'] : []
  if (claim.status?.allocation === undefined) states.push(...(deleted ? [] : ['pending']))
  else states.push('allocated', ...((claim.status.reservedFor?.length ?? 0) > 0 ? ['reserved'] : []))
  return states.join(',')
}

/** Reports of drivers on devices that are no longer allocated go with the allocation. */
function dropReleasedDevices(next: ResourceClaim, previous: ResourceClaim): void {
  const before = previous.status?.allocation?.devices?.results ?? []
  const now = next.status?.allocation?.devices?.results ?? []
  const keyOf = (one: { driver: string; pool: string; device: string; shareID?: string }): string => [one.driver, one.pool, one.device, one.shareID ?? ''].join('/')
  const kept = new Set(now.map(keyOf))
  const released = new Set(before.map(keyOf).filter(key => !kept.has(key)))
  if (released.size === 0 || next.status?.devices === undefined) return
  const devices = next.status.devices.filter(device => !released.has(keyOf(device)))
  if (devices.length > 0) next.status.devices = devices
  else delete next.status.devices
}

export const resourceClaims = defineResource<ResourceClaim>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  scope: 'Namespaced',
  schema: 'io.k8s.api.resource.v1.ResourceClaim',
  subresources: { status: true },
  columns: [nameColumn(), { name: 'State', type: 'string', value: stateText }, ageColumn()],
  menu: { area: 'workloads', order: 90 },
  setDefaults(claim) {
    setDeviceClaimDefaults(claim.spec?.devices)
  },
  prepareForCreate(claim) {
    claim.status = {}
    dropDisabledClaimFields(claim.spec?.devices)
  },
  prepareForUpdate(claim) {
    dropDisabledClaimFields(claim.spec?.devices)
  },
  prepareForStatusUpdate(next, previous) {
    for (const result of next.status?.allocation?.devices?.results ?? []) delete result.skipNodeOperations
    dropReleasedDevices(next, previous)
  },
  validate: (claim, at) => deviceClaimFaults(claim.spec?.devices, at.child('spec', 'devices')),
  validateUpdate: (next, previous, at) => (sameValue(next.spec, previous.spec) ? [] : [invalidValue(at.child('spec'), null, immutableText)]),
  validateStatusUpdate: (next, previous, at) => claimStatusFaults(next, previous, at.child('status')),
})
