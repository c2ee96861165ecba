import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { Lease } from '../../generated/coordination-v1.ts'
import { parseTime } from '../../time.ts'
import { nonNegative, oneOf, positive } from '../../validation.ts'

export type { Lease }

/** Whether nobody renewed it within its duration at `now` (milliseconds); a lease without holder or times is free. */
export function isLeaseExpired(lease: Lease, now: number): boolean {
  const { holderIdentity, renewTime, leaseDurationSeconds } = lease.spec ?? {}
  if (!holderIdentity || renewTime === undefined || leaseDurationSeconds === undefined) return true
  return parseTime(renewTime) + leaseDurationSeconds * 1000 < now
}

/** Coordinated leader election is off in v1.37 unless it is asked for: its fields are not kept. */
function dropCoordinated(lease: Lease): void {
  delete lease.spec?.strategy
  delete lease.spec?.preferredHolder
}

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  scope: 'Namespaced',
  schema: 'io.k8s.api.coordination.v1.Lease',
  columns: [nameColumn(), { name: 'Holder', type: 'string', value: l => l.spec?.holderIdentity ?? '' }, ageColumn()],
  menu: { area: 'cluster', order: 50 },
  setDefaults(lease) {
    lease.spec ??= {}
  },
  prepareForCreate: dropCoordinated,
  prepareForUpdate: dropCoordinated,
  validate(lease, at) {
    const spec = lease.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = [
      ...positive(spec.leaseDurationSeconds, path.child('leaseDurationSeconds')),
      ...nonNegative(spec.leaseTransitions, path.child('leaseTransitions')),
    ]
    if (spec.strategy !== undefined) faults.push(...oneOf(spec.strategy, ['OldestEmulationVersion'], path.child('strategy')))
    return faults
  },
})
