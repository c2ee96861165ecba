import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { invalidValue, notSupported, required, type FieldErrorList, type FieldPath } from '../../field-errors.ts'
import { isDns1123Subdomain } from '../../names.ts'
import type { Machine } from './machine.ts'

// These values reach SSH, sudo and scripts on hosts: only what such names may look like, whatever quoting follows.
const userName = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/
const hostAddress = /^[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?$/
const fingerprint = /^SHA256:[A-Za-z0-9+/]{43}$/
const privileges = ['auto', 'root', 'sudo', 'doas']
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export const machines = defineResource<Machine>({
  group: 'infra.quarterdeck.app', version: 'v1alpha1', kind: 'Machine', plural: 'machines', scope: 'Cluster',
  shortNames: ['mach'], generation: true,
  schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Phase', type: 'string', value: machine => machine.status?.phase ?? 'Pending' },
    { name: 'Address', type: 'string', value: machine => machine.spec.address },
    { name: 'Node', type: 'string', value: machine => machine.status?.nodeName ?? none },
    ageColumn(),
    { name: 'User', type: 'string', priority: 1, value: machine => machine.spec.user ?? 'root' },
    { name: 'System', type: 'string', priority: 1, value: machine => machine.status?.facts?.prettyName ?? none },
    { name: 'Message', type: 'string', priority: 1, value: machine => machine.status?.message ?? '' },
  ],
  menu: { area: 'cluster', order: 30 },
  setDefaults(machine) {
    // Decoding keeps unknown fields of this kind; a body without a spec is refused by validation, not by a crash.
    const spec = machine.spec as Machine['spec'] | undefined
    if (spec === undefined || spec === null || typeof spec !== 'object') return
    spec.port ??= 22
    spec.user ??= 'root'
    spec.privilege ??= 'auto'
  },
  validate(machine, at) {
    const spec = machine.spec as unknown
    const path = at.child('spec')
    if (spec === null || typeof spec !== 'object' || Array.isArray(spec)) return [required(path, '')]
    return [...validateAddress(spec as Record<string, unknown>, path), ...validateRest(spec as Record<string, unknown>, path)]
  },
})

function validateAddress(spec: Record<string, unknown>, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { address, port, user } = spec
  if (address === undefined || address === '') faults.push(required(path.child('address'), ''))
  else if (typeof address !== 'string' || !hostAddress.test(address)) faults.push(invalidValue(path.child('address'), address, 'must be a host name or an IP address'))
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) faults.push(invalidValue(path.child('port'), port, 'must be between 1 and 65535, inclusive'))
  if (typeof user !== 'string' || !userName.test(user)) faults.push(invalidValue(path.child('user'), user, 'must be a user name'))
  const key = spec['hostKeyFingerprint']
  if (key !== undefined && (typeof key !== 'string' || !fingerprint.test(key))) faults.push(invalidValue(path.child('hostKeyFingerprint'), key, 'must be SHA256: and 43 base64 characters, as ssh-keygen -l prints it'))
  return faults
}

function validateRest(spec: Record<string, unknown>, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { secretName, nodeName, nodeAddress, privilege, nodeTaints, nodeLabels } = spec
  if (secretName === undefined || secretName === '') faults.push(required(path.child('secretName'), ''))
  for (const [name, value] of [['secretName', secretName], ['nodeName', nodeName]] as const) {
    if (value === undefined || value === '') continue
    const wrong = typeof value === 'string' ? isDns1123Subdomain(value) : ['must be a string']
    for (const detail of wrong) faults.push(invalidValue(path.child(name), value, detail))
  }
  if (nodeAddress !== undefined && (typeof nodeAddress !== 'string' || !hostAddress.test(nodeAddress))) faults.push(invalidValue(path.child('nodeAddress'), nodeAddress, 'must be an IP address'))
  if (typeof privilege !== 'string' || !privileges.includes(privilege)) faults.push(notSupported(path.child('privilege'), privilege, privileges))
  for (const name of ['paused', 'forceRemove'] as const) if (spec[name] !== undefined && typeof spec[name] !== 'boolean') faults.push(invalidValue(path.child(name), spec[name], 'must be true or false'))
  if (spec['retry'] !== undefined && !Number.isSafeInteger(spec['retry'])) faults.push(invalidValue(path.child('retry'), spec['retry'], 'must be an integer'))
  if (nodeLabels !== undefined && (nodeLabels === null || typeof nodeLabels !== 'object' || Object.values(nodeLabels).some(value => typeof value !== 'string'))) faults.push(invalidValue(path.child('nodeLabels'), nodeLabels, 'must be a map of strings'))
  if (nodeTaints !== undefined && (!Array.isArray(nodeTaints) || nodeTaints.some(taint => taint === null || typeof taint !== 'object' || typeof taint.key !== 'string' || !effects.includes(String(taint.effect))))) {
    faults.push(invalidValue(path.child('nodeTaints'), nodeTaints, 'must be a list of taints with key and effect'))
  }
  return faults
}
