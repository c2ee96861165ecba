import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../../generated/core-v1.ts'
import { isDns1123Label, isDns1123Subdomain, isIP } from '../../names.ts'
import { nameFaults, portFaults } from '../../validation.ts'
import { nonSpecialAddressFaults } from './service-validation.ts'

export type { Endpoints }

const maxShown = 3

/** `10.0.0.1:80,10.0.0.2:80 + 4 more...` */
function endpointsText(endpoints: Endpoints): string {
  const all = (endpoints.subsets ?? []).flatMap(subsetTexts)
  if (all.length === 0) return none
  const shown = all.slice(0, maxShown).join(',')
  return all.length > maxShown ? `${shown} + ${all.length - maxShown} more...` : shown
}

function subsetTexts(subset: EndpointSubset): string[] {
  const addresses = subset.addresses ?? []
  const ports = subset.ports ?? []
  if (ports.length === 0) return addresses.map(a => a.ip)
  return ports.flatMap(port => addresses.map(a => (a.ip.includes(':') ? `[${a.ip}]:${port.port}` : `${a.ip}:${port.port}`)))
}

function addressFaults(address: EndpointAddress, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = isIP(address.ip ?? '').map(text => invalidValue(at.child('ip'), address.ip ?? '', text))
  if (address.hostname) faults.push(...nameFaults(address.hostname, at.child('hostname'), isDns1123Label))
  if (address.nodeName !== undefined) faults.push(...nameFaults(address.nodeName, at.child('nodeName'), isDns1123Subdomain))
  return faults.length > 0 ? faults : nonSpecialAddressFaults(address.ip, at.child('ip'))
}

function portsFaults(ports: readonly EndpointPort[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, port] of ports.entries()) {
    const path = at.index(i)
    if (ports.length > 1 && !port.name) faults.push(required(path.child('name'), ''))
    else if (port.name) faults.push(...nameFaults(port.name, path.child('name'), isDns1123Label))
    faults.push(...portFaults(port.port ?? 0, path.child('port')))
    if (!port.protocol) faults.push(required(path.child('protocol'), ''))
    else if (!['SCTP', 'TCP', 'UDP'].includes(port.protocol)) faults.push(notSupported(path.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']))
  }
  return faults
}

export const endpoints = defineResource<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  scope: 'Namespaced',
  shortNames: ['ep'],
  schema: 'io.k8s.api.core.v1.Endpoints',
  columns: [nameColumn(), { name: 'Endpoints', type: 'string', value: endpointsText }, ageColumn()],
  menu: { area: 'network', order: 30 },
  setDefaults(object) {
    for (const subset of object.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP'
  },
  validate(object, at) {
    const faults: FieldErrorList = []
    for (const [i, subset] of (object.subsets ?? []).entries()) {
      const path = at.child('subsets').index(i)
      if ((subset.addresses?.length ?? 0) === 0 && (subset.notReadyAddresses?.length ?? 0) === 0) faults.push(required(path, 'must specify `addresses` or `notReadyAddresses`'))
      for (const list of ['addresses', 'notReadyAddresses'] as const)
        for (const [j, address] of (subset[list] ?? []).entries()) faults.push(...addressFaults(address, path.child(list).index(j)))
      faults.push(...portsFaults(subset.ports ?? [], path.child('ports')))
    }
    return faults
  },
  warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
})
