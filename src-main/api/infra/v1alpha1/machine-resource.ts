/** Machine as a resource: its schema, defaults, validation and columns. The types are in machine.ts. */
import { structuralTypeFaults } from '../../structural-types.ts'
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required, tooMany } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Subdomain, isIP } from '../../names.ts'
import { validateLabels } from '../../selectors.ts'
import { taintsFaults } from '../../core/v1/node.ts'
import { portFaults } from '../../validation.ts'
import type { Taint } from '../../generated/core-v1.ts'
import type { Machine, MachineJumpHost } from './machine.ts'

const text = { type: 'string' } as const
const texts = { type: 'array', items: text } as const
const integer = { type: 'integer', format: 'int64' } as const
const flag = { type: 'boolean' } as const
const struct = (properties: Record<string, unknown>, needed: readonly string[] = []): Record<string, unknown> => ({
  type: 'object',
  properties,
  ...(needed.length > 0 ? { required: needed } : {}),
})
const listOf = (items: unknown): Record<string, unknown> => ({ type: 'array', items })
const mapListOf = (key: string, items: unknown): Record<string, unknown> => ({ type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })

const specSchema = struct({
  address: text,
  port: { type: 'integer', format: 'int32' },
  user: text,
  secretName: text,
  hostKeyFingerprint: text,
  jumpHosts: listOf(struct({ address: text, port: { type: 'integer', format: 'int32' }, user: text, hostKeyFingerprint: text }, ['address', 'hostKeyFingerprint'])),
  nodeName: text,
  nodeLabels: { type: 'object', additionalProperties: text },
  nodeTaints: listOf(struct({ key: text, value: text, effect: text }, ['key', 'effect'])),
  nodeAddress: text,
  privilege: text,
  paused: flag,
  forceRemove: flag,
  retry: integer,
})

const statusSchema = struct({
  phase: text,
  message: text,
  reason: text,
  observedGeneration: integer,
  seenHostKeyFingerprint: text,
  nodeName: text,
  agentVersion: text,
  leftovers: texts,
  facts: struct({
    hostname: text,
    machineID: text,
    distribution: text,
    distributionVersion: text,
    prettyName: text,
    architecture: text,
    kernel: text,
    initSystem: text,
    cgroupVersion: integer,
    cpus: integer,
    memoryBytes: integer,
    diskFreeBytes: integer,
    dockerVersion: text,
    agentVersion: text,
    addresses: texts,
  }),
  conditions: mapListOf(
    'type',
    struct({ type: text, status: text, reason: text, message: text, lastTransitionTime: { type: 'string', format: 'date-time' }, observedGeneration: integer }, ['type', 'status']),
  ),
  preflight: mapListOf('check', struct({ check: text, title: text, state: text, message: text, fix: text }, ['check'])),
  steps: mapListOf('name', struct({ name: text, title: text, state: text, startedAt: text, finishedAt: text, changes: texts, message: text }, ['name'])),
})

/** Structural schema of Machine, as a CustomResourceDefinition would give it. */
export const machineSchema: Record<string, unknown> = struct({ apiVersion: text, kind: text, metadata: { type: 'object' }, spec: specSchema, status: statusSchema })

// These values reach SSH, sudo and scripts on hosts: only what such names may look like, whatever quoting follows.
// A leading hyphen would be read as an option.
const hostPattern = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/
const userPattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/
const fingerprintPattern = /^SHA256:[A-Za-z0-9+/]{43}$/
const privileges = ['auto', 'doas', 'root', 'sudo']
const maxHost = 253
const maxJumpHosts = 8

function addressFaults(value: string, path: FieldPath): FieldErrorList {
  if (value === '') return [required(path, '')]
  return value.length <= maxHost && (isIP(value).length === 0 || hostPattern.test(value)) ? [] : [invalidValue(path, value, 'must be a host name or an IP address')]
}

/** Where and as whom to log in: the host itself, or one on the way. */
function loginFaults(login: Partial<MachineJumpHost>, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = addressFaults(login.address ?? '', path.child('address'))
  if (login.port !== undefined) faults.push(...portFaults(login.port, path.child('port')))
  if (login.user !== undefined && !userPattern.test(login.user)) faults.push(invalidValue(path.child('user'), login.user, 'must be a user name'))
  if (login.hostKeyFingerprint !== undefined && !fingerprintPattern.test(login.hostKeyFingerprint))
    faults.push(invalidValue(path.child('hostKeyFingerprint'), login.hostKeyFingerprint, 'must be SHA256: and 43 base64 characters, as ssh-keygen -l prints it'))
  return faults
}

function nameFaults(value: string | undefined, path: FieldPath): FieldErrorList {
  return value === undefined || value === '' ? [] : isDns1123Subdomain(value).map(fault => invalidValue(path, value, fault))
}

function validate(machine: Machine, at: FieldPath): FieldErrorList {
  const path = at.child('spec')
  const spec: Partial<Machine['spec']> | null | undefined = machine.spec
  if (spec === undefined || spec === null) return [required(path, '')]
  const typeFaults = structuralTypeFaults(spec, specSchema, path)
  if (typeFaults.length > 0) return typeFaults
  const faults: FieldErrorList = loginFaults(spec, path)
  const hops = spec.jumpHosts ?? []
  if (hops.length > maxJumpHosts) faults.push(tooMany(path.child('jumpHosts'), hops.length, maxJumpHosts))
  hops.forEach((hop, at) => {
    faults.push(...loginFaults(hop, path.child('jumpHosts').index(at)))
    if (!hop.hostKeyFingerprint) faults.push(required(path.child('jumpHosts').index(at).child('hostKeyFingerprint'), ''))
  })
  if (!spec.secretName) faults.push(required(path.child('secretName'), ''))
  faults.push(...nameFaults(spec.secretName, path.child('secretName')), ...nameFaults(spec.nodeName, path.child('nodeName')))
  if (spec.nodeAddress !== undefined) faults.push(...isIP(spec.nodeAddress).map(fault => invalidValue(path.child('nodeAddress'), spec.nodeAddress, fault)))
  if (spec.privilege !== undefined && !privileges.includes(spec.privilege)) faults.push(notSupported(path.child('privilege'), spec.privilege, privileges))
  return [...faults, ...validateLabels(spec.nodeLabels, path.child('nodeLabels')), ...taintsFaults(spec.nodeTaints as Taint[] | undefined, path.child('nodeTaints'))]
}

/** Whether the spec is an object at all: a patch may have put anything there, and validation comes later. */
function isSpec(spec: unknown): spec is Machine['spec'] {
  return typeof spec === 'object' && spec !== null && !Array.isArray(spec)
}

export const machines = defineResource<Machine>({
  group: 'infra.quarterdeck.app',
  version: 'v1alpha1',
  kind: 'Machine',
  plural: 'machines',
  scope: 'Cluster',
  shortNames: ['mach'],
  generation: true,
  schema: machineSchema,
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Address', type: 'string', value: m => m.spec?.address ?? '' },
    { name: 'Phase', type: 'string', value: m => (m.metadata.deletionTimestamp === undefined ? (m.status?.phase ?? 'Pending') : 'Removing') },
    { name: 'Node', type: 'string', value: m => m.status?.nodeName ?? none },
    ageColumn(),
    { name: 'User', type: 'string', priority: 1, value: m => m.spec?.user ?? 'root' },
    { name: 'System', type: 'string', priority: 1, value: m => m.status?.facts?.prettyName ?? none },
    { name: 'Message', type: 'string', priority: 1, value: m => m.status?.message ?? '' },
  ],
  menu: { area: 'cluster', order: 30 },
  fields: { 'spec.address': m => m.spec?.address ?? '', 'status.phase': m => m.status?.phase ?? '' },
  setDefaults(machine) {
    // A body without a spec is refused by validation, not by a crash.
    const spec: unknown = machine.spec
    if (!isSpec(spec)) return
    spec.port ??= 22
    spec.user ??= 'root'
    spec.privilege ??= 'auto'
  },
  prepareForCreate(machine) {
    delete machine.status
  },
  validate,
  validateUpdate(next, previous, at) {
    // The node keeps the name under which it joined: another name would leave the old node behind.
    const [to, from] = [next.spec?.nodeName ?? next.metadata.name, previous.spec?.nodeName ?? previous.metadata.name]
    return previous.status?.nodeName !== undefined && to !== from ? [forbiddenField(at.child('spec', 'nodeName'), 'may not change once the node has joined')] : []
  },
})
