/** Node: a machine that runs pods. Status is the kubelet's; taints and cordon are spec. */
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none, unknown } from '../../columns.ts'
import { duplicate, forbiddenField, invalidValue, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Node, NodeAddress, NodeCondition, Taint } from '../../generated/core-v1.ts'
import { deepEqual } from '../../json.ts'
import { isQualifiedName, isValidLabelValue, parseCIDR } from '../../names.ts'
import { nodeReady } from './pod-questions.ts'
import { quantityFaults } from './resource-validation.ts'

export type { Node }
export { nodeReady }

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
const rolePrefix = 'node-role.kubernetes.io/'

export function nodeCondition(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find(c => c.type === type)
}

/** First address of a type: InternalIP, ExternalIP, Hostname. */
export function nodeAddress(node: Node, type: NodeAddress['type']): string | undefined {
  return node.status?.addresses?.find(a => a.type === type)?.address
}

/** Roles from the labels, in order; empty for a plain worker. */
export function nodeRoles(node: Node): string[] {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return [...roles].sort()
}

/** kubectl's STATUS. */
export function nodeStatusText(node: Node): string {
  const ready = nodeCondition(node, 'Ready')
  const texts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (node.spec?.unschedulable === true) texts.push('SchedulingDisabled')
  return texts.join(',')
}

export function taintsFaults(taints: readonly Taint[] | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, taint] of (taints ?? []).entries()) {
    const path = at.index(i)
    faults.push(...isQualifiedName(taint.key ?? '').map(text => invalidValue(path.child('key'), taint.key ?? '', text)))
    faults.push(...isValidLabelValue(taint.value ?? '').map(text => invalidValue(path.child('value'), taint.value ?? '', text)))
    if (!taint.effect) faults.push(required(path.child('effect'), ''))
    else if (!effects.includes(taint.effect)) faults.push(notSupportedInOrder(path.child('effect'), taint.effect, effects))
    const key = `${taint.effect}/${taint.key}`
    if (seen.has(key))
      faults.push({ ...duplicate(path, goTaint(taint)), message: `Duplicate value: ${JSON.stringify(goTaint(taint))}: taints must be unique by key and effect pair` })
    seen.add(key)
  }
  return faults
}

function goTaint(taint: Taint): unknown {
  return { Key: taint.key ?? '', Value: taint.value ?? '', Effect: taint.effect ?? '', TimeAdded: taint.timeAdded ?? null }
}

function podCIDRFaults(cidrs: readonly string[] | undefined, at: FieldPath): FieldErrorList {
  const list = cidrs ?? []
  const faults: FieldErrorList = []
  for (const [i, text] of list.entries()) {
    const cidr = parseCIDR(text)
    if (cidr === undefined) faults.push(invalidValue(at.index(i), text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'))
    else if ((cidr.value & ((1n << BigInt(cidr.bits - cidr.prefix)) - 1n)) !== 0n) faults.push(invalidValue(at.index(i), text, 'must not have bits set beyond the prefix length'))
  }
  if (list.length > 2) faults.push(invalidValue(at, list, 'may specify no more than one CIDR for each IP family'))
  else if (list.length === 2 && parseCIDR(list[0] ?? '')?.bits === parseCIDR(list[1] ?? '')?.bits)
    faults.push(invalidValue(at, list, 'may specify no more than one CIDR for each IP family'))
  return faults
}

function avoidPodsFaults(node: Node, at: FieldPath): FieldErrorList {
  const name = 'scheduler.alpha.kubernetes.io/preferAvoidPods'
  const text = node.metadata.annotations?.[name]
  if (text === undefined || text === '') return []
  try {
    JSON.parse(text)
    return []
  } catch {
    return [invalidValue(at.child('metadata', 'annotations', 'AvoidPods'), name, 'unexpected end of JSON input')]
  }
}

export const nodes = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  scope: 'Cluster',
  shortNames: ['no'],
  schema: 'io.k8s.api.core.v1.Node',
  subresources: { status: true, others: ['proxy'] },
  columns: [
    nameColumn(),
    { name: 'Status', type: 'string', value: nodeStatusText },
    { name: 'Roles', type: 'string', value: n => nodeRoles(n).join(',') || none },
    ageColumn(),
    { name: 'Version', type: 'string', value: n => n.status?.nodeInfo?.kubeletVersion ?? '' },
    { name: 'Internal-IP', type: 'string', priority: 1, value: n => nodeAddress(n, 'InternalIP') ?? none },
    { name: 'External-IP', type: 'string', priority: 1, value: n => nodeAddress(n, 'ExternalIP') ?? none },
    { name: 'OS-Image', type: 'string', priority: 1, value: n => n.status?.nodeInfo?.osImage || unknown },
    { name: 'Kernel-Version', type: 'string', priority: 1, value: kernelText },
    { name: 'Container-Runtime', type: 'string', priority: 1, value: n => n.status?.nodeInfo?.containerRuntimeVersion || unknown },
  ],
  menu: { area: 'cluster', order: 20 },
  fields: { 'spec.unschedulable': n => String(n.spec?.unschedulable ?? false) },
  setDefaults(node) {
    node.spec ??= {}
    if (node.spec.podCIDR && node.spec.podCIDRs?.[0] !== node.spec.podCIDR) node.spec.podCIDRs = [node.spec.podCIDR]
    else if (!node.spec.podCIDR && node.spec.podCIDRs?.[0] !== undefined) node.spec.podCIDR = node.spec.podCIDRs[0]
    const status = (node.status ??= {})
    ;(status.daemonEndpoints ??= {}).kubeletEndpoint ??= { Port: 0 }
    status.nodeInfo ??= {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: '',
      kubeletVersion: '',
      kubeProxyVersion: '',
      operatingSystem: '',
      architecture: '',
    }
    if (status.allocatable === undefined && status.capacity !== undefined) status.allocatable = { ...status.capacity }
  },
  validate(node, at) {
    const faults: FieldErrorList = [
      ...avoidPodsFaults(node, at),
      ...taintsFaults(node.spec?.taints, at.child('spec', 'taints')),
      ...podCIDRFaults(node.spec?.podCIDRs, at.child('spec', 'podCIDRs')),
    ]
    for (const which of ['capacity', 'allocatable'] as const) {
      for (const [name, text] of Object.entries(node.status?.[which] ?? {})) faults.push(...quantityFaults(name, text, at.child('status', which).key(name)))
    }
    return faults
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    const [to, from] = [next.spec ?? {}, previous.spec ?? {}]
    const seen = new Map<string, string>()
    for (const [i, address] of (next.status?.addresses ?? []).entries()) {
      const key = JSON.stringify([address.type, address.address])
      if (seen.has(key)) faults.push(duplicate(at.child('status', 'addresses').index(i), { Type: address.type, Address: address.address }))
      seen.set(key, key)
    }
    if ((from.podCIDRs?.length ?? 0) > 0 && !deepEqual(to.podCIDRs ?? [], from.podCIDRs))
      faults.push(forbiddenField(at.child('spec', 'podCIDRs'), 'node updates may not change podCIDR except from "" to valid'))
    if (from.providerID && to.providerID !== from.providerID)
      faults.push(forbiddenField(at.child('spec', 'providerID'), 'node updates may not change providerID except from "" to valid'))
    return faults
  },
})

function kernelText(node: Node): string {
  const kernel = node.status?.nodeInfo?.kernelVersion
  if (!kernel) return unknown
  const architecture = node.status?.nodeInfo?.architecture
  return architecture ? `${kernel} (${architecture})` : kernel
}
