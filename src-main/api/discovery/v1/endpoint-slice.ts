import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { duplicate, invalidValue, notSupported, required, tooMany } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '../../generated/discovery-v1.ts'
import { isDns1123Label, isDns1123Subdomain, isIP, isQualifiedName, parseAddress } from '../../names.ts'
import { immutable, nameFaults, portFaults } from '../../validation.ts'
import { nonSpecialAddressFaults } from '../../core/v1/service-validation.ts'
import { isValidLabelValue } from '../../names.ts'

export type { EndpointSlice }

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'

const types = ['FQDN', 'IPv4', 'IPv6']
const maxEndpoints = 1000
const maxAddresses = 100
const maxPorts = 20000
const maxShown = 3

/** Takes new connections: ready unless it says otherwise. */
export function isEndpointReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false
}

/** Still answers, perhaps while it ends. */
export function isEndpointServing(endpoint: Endpoint): boolean {
  return endpoint.conditions?.serving ?? isEndpointReady(endpoint)
}

function shortList(values: readonly string[]): string {
  if (values.length === 0) return '<unset>'
  const shown = values.slice(0, maxShown).join(',')
  return values.length > maxShown ? `${shown} + ${values.length - maxShown} more...` : shown
}

const portText = (port: EndpointPort): string => (port.port === undefined ? '*' : String(port.port))

function addressesFaults(endpoint: Endpoint, type: string, at: FieldPath): FieldErrorList {
  const path = at.child('addresses')
  const addresses = endpoint.addresses ?? []
  if (addresses.length === 0) return [required(path, 'must contain at least 1 address')]
  if (addresses.length > maxAddresses) return [tooMany(path, addresses.length, maxAddresses)]
  const faults: FieldErrorList = []
  for (const [i, address] of addresses.entries()) {
    if (type === 'FQDN') {
      faults.push(...isDns1123Subdomain(address).map(text => invalidValue(path.index(i), address, text)))
      continue
    }
    const wrong = isIP(address).map(text => invalidValue(path.index(i), address, text))
    faults.push(...wrong)
    if (wrong.length > 0) continue
    const bits = parseAddress(address)?.bits
    if (type === 'IPv4' && bits !== 32) faults.push(invalidValue(path, address, 'must be an IPv4 address'))
    if (type === 'IPv6' && bits !== 128) faults.push(invalidValue(path, address, 'must be an IPv6 address'))
    faults.push(...nonSpecialAddressFaults(address, path.index(i)))
  }
  return faults
}

function endpointsFaults(slice: EndpointSlice, at: FieldPath): FieldErrorList {
  const endpoints = slice.endpoints ?? []
  if (endpoints.length > maxEndpoints) return [tooMany(at, endpoints.length, maxEndpoints)]
  const faults: FieldErrorList = []
  for (const [i, endpoint] of endpoints.entries()) {
    const path = at.index(i)
    faults.push(...addressesFaults(endpoint, slice.addressType, path))
    if (endpoint.nodeName !== undefined) faults.push(...nameFaults(endpoint.nodeName, path.child('nodeName'), isDns1123Subdomain))
    for (const key of Object.keys(endpoint.deprecatedTopology ?? {})) faults.push(...nameFaults(key, path.child('deprecatedTopology'), isQualifiedName))
    if (endpoint.hostname !== undefined) faults.push(...nameFaults(endpoint.hostname, path.child('hostname'), isDns1123Label))
    const zones = new Set<string>()
    for (const [j, zone] of (endpoint.hints?.forZones ?? []).entries()) {
      const where = path.child('hints', 'forZones').index(j).child('name')
      if (zones.has(zone.name)) faults.push(duplicate(path.child('hints', 'forZones').index(j), zone.name))
      zones.add(zone.name)
      faults.push(...nameFaults(zone.name, where, isValidLabelValue))
    }
  }
  return faults
}

function portsFaults(ports: readonly EndpointPort[], at: FieldPath): FieldErrorList {
  if (ports.length > maxPorts) return [tooMany(at, ports.length, maxPorts)]
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, port] of ports.entries()) {
    const path = at.index(i)
    const name = port.name ?? ''
    if (name !== '') faults.push(...nameFaults(name, path.child('name'), isDns1123Label))
    if (seen.has(name)) faults.push(duplicate(path.child('name'), name))
    seen.add(name)
    if (!port.protocol) faults.push(required(path.child('protocol'), ''))
    else if (!['SCTP', 'TCP', 'UDP'].includes(port.protocol)) faults.push(notSupported(path.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']))
    if (port.port !== undefined) faults.push(...portFaults(port.port, path.child('port')))
    if (port.appProtocol !== undefined) faults.push(...nameFaults(port.appProtocol, path.child('appProtocol'), isQualifiedName))
  }
  return faults
}

export const endpointSlices = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  scope: 'Namespaced',
  generation: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  columns: [
    nameColumn(),
    { name: 'AddressType', type: 'string', value: s => s.addressType ?? '' },
    { name: 'Ports', type: 'string', value: s => shortList((s.ports ?? []).map(portText)) },
    { name: 'Endpoints', type: 'string', value: s => shortList((s.endpoints ?? []).flatMap(e => e.addresses ?? [])) },
    ageColumn(),
  ],
  menu: { area: 'network', order: 20 },
  setDefaults(slice) {
    for (const port of slice.ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  validate(slice, at) {
    const faults: FieldErrorList = []
    if (!slice.addressType) faults.push(required(at.child('addressType'), ''))
    else if (!types.includes(slice.addressType)) faults.push(notSupported(at.child('addressType'), slice.addressType, types))
    if (faults.length > 0) return faults
    return [...endpointsFaults(slice, at.child('endpoints')), ...portsFaults(slice.ports ?? [], at.child('ports'))]
  },
  validateUpdate: (next, previous, at) => immutable(next.addressType, previous.addressType, at.child('addressType')),
  warnings: slice => (slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
})
