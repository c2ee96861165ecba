import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, selectorText } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../generated/networking-v1.ts'
import { isPort, isPortName, parseCIDR } from '../../names.ts'
import { validateLabelSelector } from '../../selectors.ts'

export type { NetworkPolicy }

const cidrText = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

function cidrFaults(text: string, path: FieldPath): FieldErrorList {
  const cidr = parseCIDR(text)
  if (cidr === undefined) return [invalidValue(path, text, cidrText)]
  const rest = (1n << BigInt(cidr.bits - cidr.prefix)) - 1n
  return (cidr.value & rest) === 0n ? [] : [invalidValue(path, text, 'must not have bits set beyond the prefix length')]
}

function blockFaults(block: IPBlock, at: FieldPath): FieldErrorList {
  if (!block.cidr) return [required(at.child('cidr'), '')]
  const faults = cidrFaults(block.cidr, at.child('cidr'))
  const outer = parseCIDR(block.cidr)
  for (const [i, text] of (block.except ?? []).entries()) {
    const path = at.child('except').index(i)
    const wrong = cidrFaults(text, path)
    faults.push(...wrong)
    const inner = parseCIDR(text)
    if (wrong.length > 0 || inner === undefined || outer === undefined) continue
    const inside = inner.bits === outer.bits && inner.prefix > outer.prefix && inner.value >> BigInt(outer.bits - outer.prefix) === outer.value >> BigInt(outer.bits - outer.prefix)
    if (!inside) faults.push(invalidValue(path, text, 'must be a strict subset of `cidr`'))
  }
  return faults
}

function peerFaults(peer: NetworkPolicyPeer, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (peer.podSelector !== undefined) faults.push(...validateLabelSelector(peer.podSelector, at.child('podSelector')))
  if (peer.namespaceSelector !== undefined) faults.push(...validateLabelSelector(peer.namespaceSelector, at.child('namespaceSelector')))
  if (peer.ipBlock !== undefined) faults.push(...blockFaults(peer.ipBlock, at.child('ipBlock')))
  const selects = peer.podSelector !== undefined || peer.namespaceSelector !== undefined
  if (selects && peer.ipBlock !== undefined) return [forbiddenField(at, 'may not specify both ipBlock and another peer')]
  if (!selects && peer.ipBlock === undefined) faults.push(required(at, 'must specify a peer'))
  return faults
}

function portFaults(port: NetworkPolicyPort, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (port.protocol !== undefined && !['TCP', 'UDP', 'SCTP'].includes(port.protocol)) faults.push(notSupportedInOrder(at.child('protocol'), port.protocol, ['TCP', 'UDP', 'SCTP']))
  const path = at.child('port')
  if (typeof port.port === 'number') faults.push(...isPort(port.port).map(text => invalidValue(path, port.port, text)))
  else if (typeof port.port === 'string') faults.push(...isPortName(port.port).map(text => invalidValue(path, port.port, text)))
  if (port.endPort !== undefined) {
    const end = at.child('endPort')
    if (port.port === undefined) faults.push(invalidValue(end, port.endPort, 'may not be specified when `port` is not specified'))
    else if (typeof port.port === 'string') faults.push(invalidValue(end, port.endPort, 'may not be specified when `port` is non-numeric'))
    else {
      if (port.endPort < port.port) faults.push(invalidValue(end, port.endPort, 'must be greater than or equal to `port`'))
      faults.push(...isPort(port.endPort).map(text => invalidValue(end, port.endPort, text)))
    }
  }
  return faults
}

export const networkPolicies = defineResource<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  scope: 'Namespaced',
  shortNames: ['netpol'],
  generation: true,
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  columns: [nameColumn(), { name: 'Pod-Selector', type: 'string', value: p => selectorText(p.spec?.podSelector) }, ageColumn()],
  menu: { area: 'network', order: 60 },
  setDefaults(policy) {
    const spec = (policy.spec ??= {})
    spec.podSelector ??= {}
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of rule.ports ?? []) port.protocol ??= 'TCP'
    if ((spec.policyTypes?.length ?? 0) === 0) spec.policyTypes = (spec.egress?.length ?? 0) > 0 ? ['Ingress', 'Egress'] : ['Ingress']
  },
  validate(policy, at) {
    const spec = policy.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = validateLabelSelector(spec.podSelector, path.child('podSelector'))
    for (const [i, rule] of (spec.ingress ?? []).entries()) {
      const where = path.child('ingress').index(i)
      for (const [j, port] of (rule.ports ?? []).entries()) faults.push(...portFaults(port, where.child('ports').index(j)))
      for (const [j, peer] of (rule.from ?? []).entries()) faults.push(...peerFaults(peer, where.child('from').index(j)))
    }
    for (const [i, rule] of (spec.egress ?? []).entries()) {
      const where = path.child('egress').index(i)
      for (const [j, port] of (rule.ports ?? []).entries()) faults.push(...portFaults(port, where.child('ports').index(j)))
      for (const [j, peer] of (rule.to ?? []).entries()) faults.push(...peerFaults(peer, where.child('to').index(j)))
    }
    const types = spec.policyTypes ?? []
    if (types.length > 2) faults.push(invalidValue(path.child('policyTypes'), types, 'may not specify more than two policyTypes'))
    else
      for (const [i, type] of types.entries())
        if (type !== 'Ingress' && type !== 'Egress') faults.push(notSupported(path.child('policyTypes').index(i), type, ['Egress', 'Ingress']))
    return faults
  },
})
