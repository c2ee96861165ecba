import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { IPAddress } from '../../generated/networking-v1.ts'
import { isDns1123Subdomain, isIP, isPathSegmentName } from '../../names.ts'
import { nameFaults, sameValue } from '../../validation.ts'

export type { IPAddress }

function parentText(address: IPAddress): string {
  const parent = address.spec?.parentRef
  if (parent === undefined) return ''
  const resource = parent.group ? `${parent.resource}.${parent.group}` : parent.resource
  return [resource, parent.namespace, parent.name].filter(part => part !== undefined && part !== '').join('/')
}

export const ipAddresses = defineResource<IPAddress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  scope: 'Cluster',
  shortNames: ['ip'],
  schema: 'io.k8s.api.networking.v1.IPAddress',
  columns: [nameColumn(), { name: 'ParentRef', type: 'string', value: parentText }, { ...ageColumn(), unlisted: true }],
  menu: { area: 'network', order: 80 },
  validateName: isIP,
  validate(address, at) {
    const parent = address.spec?.parentRef
    const path = at.child('spec', 'parentRef')
    if (parent === undefined) return [required(path, '')]
    const faults: FieldErrorList = []
    if (parent.group) faults.push(...nameFaults(parent.group, path.child('group'), isDns1123Subdomain))
    if (!parent.resource) faults.push(required(path.child('resource'), ''))
    else faults.push(...nameFaults(parent.resource, path.child('resource'), isPathSegmentName))
    if (!parent.name) faults.push(required(path.child('name'), ''))
    else faults.push(...nameFaults(parent.name, path.child('name'), isPathSegmentName))
    if (parent.namespace) faults.push(...nameFaults(parent.namespace, path.child('namespace'), isPathSegmentName))
    return faults
  },
  validateUpdate: (next, previous, at) =>
    sameValue(next.spec?.parentRef, previous.spec?.parentRef) ? [] : [invalidValue(at.child('spec', 'parentRef'), null, 'field is immutable')],
})
