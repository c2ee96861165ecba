import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ServiceCIDR } from '../../generated/networking-v1.ts'
import { parseCIDR } from '../../names.ts'
import { immutable } from '../../validation.ts'

export type { ServiceCIDR }

export const serviceCIDRs = defineResource<ServiceCIDR>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  scope: 'Cluster',
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
  subresources: { status: true },
  columns: [nameColumn(), { name: 'CIDRs', type: 'string', value: s => (s.spec?.cidrs ?? []).join(',') }, ageColumn()],
  menu: { area: 'network', order: 70 },
  prepareForCreate(range) {
    range.status = {}
  },
  validate(range, at) {
    const path = at.child('spec', 'cidrs')
    const cidrs = range.spec?.cidrs ?? []
    if (cidrs.length === 0) return [required(path, 'at least one CIDR required')]
    if (cidrs.length > 2) return [invalidValue(path, { CIDRs: cidrs }, 'may only hold up to 2 values')]
    const faults: FieldErrorList = []
    for (const [i, text] of cidrs.entries()) {
      const cidr = parseCIDR(text)
      if (cidr === undefined)
        faults.push(
          invalidValue(
            path.index(i),
            text,
            /(^|\.)0\d|\/0\d/.test(text) ? 'must not have leading 0s in IP or prefix length' : 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
          ),
        )
      else if ((cidr.value & ((1n << BigInt(cidr.bits - cidr.prefix)) - 1n)) !== 0n)
        faults.push(invalidValue(path.index(i), text, 'must not have bits set beyond the prefix length'))
    }
    if (faults.length === 0 && cidrs.length === 2 && parseCIDR(cidrs[0] ?? '')?.bits === parseCIDR(cidrs[1] ?? '')?.bits)
      faults.push(invalidValue(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'))
    return faults
  },
  validateUpdate: (next, previous, at) => immutable(next.spec?.cidrs, previous.spec?.cidrs, at.child('spec', 'cidrs')),
})
