/** Validation of services: create and update. Order and wording of faults are those of Kubernetes. */
import type { Service, ServicePort, ServiceSpec } from '../../generated/core-v1.ts'
import { duplicate, forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isCIDR, isDns1123Label, isDns1123Subdomain, isIP, isPort, isPortName, isQualifiedName, parseAddress } from '../../names.ts'
import { validateLabels } from '../../selectors.ts'
import { inRange, portFaults, subdomainFaults } from '../../validation.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const protocols = ['SCTP', 'TCP', 'UDP']
const policies = ['Cluster', 'Local']
const trafficDistributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const maxAffinitySeconds = 86400
const none = 'None'

/** Gets an address of its own. */
export function needsClusterIP(service: Service): boolean {
  const type = service.spec?.type
  return type === 'ClusterIP' || type === 'NodePort' || type === 'LoadBalancer'
}

export function needsNodePort(service: Service): boolean {
  const spec = service.spec
  return spec?.type === 'NodePort' || (spec?.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

/** A load balancer that sends only to nodes with endpoints asks each node by this port. */
export function needsHealthCheckNodePort(service: Service): boolean {
  return service.spec?.type === 'LoadBalancer' && service.spec.externalTrafficPolicy === 'Local'
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === none
}

export function validateService(service: Service, at: FieldPath): FieldErrorList {
  const path = at.child('spec')
  const spec: ServiceSpec = service.spec ?? {}
  const ports = spec.ports ?? []
  const faults: FieldErrorList = []
  if (ports.length === 0 && !isHeadless(service) && spec.type !== 'ExternalName') faults.push(required(path.child('ports'), ''))
  if (spec.type === 'LoadBalancer') {
    for (const [i, port] of ports.entries())
      if (port.port === 10250) faults.push(invalidValue(path.child('ports').index(i), port.port, 'may not expose port 10250 externally since it is used by kubelet'))
    if (isHeadless(service)) faults.push(invalidValue(path.child('clusterIPs').index(0), none, "may not be set to 'None' for LoadBalancer services"))
  } else if (spec.type === 'NodePort' && isHeadless(service)) faults.push(invalidValue(path.child('clusterIPs').index(0), none, "may not be set to 'None' for NodePort services"))
  else if (spec.type === 'ExternalName') faults.push(...externalNameFaults(spec, path))
  faults.push(...portsFaults(spec, path.child('ports')))
  faults.push(...validateLabels(spec.selector, path.child('selector')))
  faults.push(...affinityFaults(spec, path))
  if (!types.includes(spec.type ?? '')) faults.push(spec.type ? notSupported(path.child('type'), spec.type, types) : required(path.child('type'), ''))
  faults.push(...duplicatePortFaults(spec, path.child('ports')))
  faults.push(...clusterIPsFaults(spec, path), ...addressFaults(spec, path), ...loadBalancerFaults(spec, path), ...trafficPolicyFaults(spec, service, path))
  if (spec.trafficDistribution !== undefined && !trafficDistributions.includes(spec.trafficDistribution))
    faults.push(notSupportedInOrder(path.child('trafficDistribution'), spec.trafficDistribution, trafficDistributions))
  return faults
}

function externalNameFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if ((spec.clusterIPs?.length ?? 0) > 0 || spec.clusterIP) faults.push(forbiddenField(at.child('clusterIPs'), 'may not be set for ExternalName services'))
  if ((spec.ipFamilies?.length ?? 0) > 0) faults.push(forbiddenField(at.child('ipFamilies'), 'may not be set for ExternalName services'))
  if (spec.ipFamilyPolicy !== undefined) faults.push(forbiddenField(at.child('ipFamilyPolicy'), 'may not be set for ExternalName services'))
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') faults.push(required(at.child('externalName'), ''))
  else faults.push(...subdomainFaults(name, at.child('externalName')))
  return faults
}

function portsFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const names = new Set<string>()
  const ports = spec.ports ?? []
  for (const [i, port] of ports.entries()) {
    const path = at.index(i)
    if (!port.name && ports.length > 1) faults.push(required(path.child('name'), ''))
    else if (port.name) {
      faults.push(...isDns1123Label(port.name).map(text => invalidValue(path.child('name'), port.name, text)))
      if (names.has(port.name)) faults.push(duplicate(path.child('name'), port.name))
      names.add(port.name)
    }
    faults.push(...portFaults(port.port ?? 0, path.child('port')))
    if (!port.protocol) faults.push(required(path.child('protocol'), ''))
    else if (!protocols.includes(port.protocol)) faults.push(notSupported(path.child('protocol'), port.protocol, protocols))
    faults.push(...targetPortFaults(port, path.child('targetPort')))
    if (port.appProtocol !== undefined) faults.push(...isQualifiedName(port.appProtocol).map(text => invalidValue(path.child('appProtocol'), port.appProtocol, text)))
  }
  return faults
}

function targetPortFaults(port: ServicePort, path: FieldPath): FieldErrorList {
  const target = port.targetPort
  if (typeof target === 'string') return isPortName(target).map(text => invalidValue(path, target, text))
  return target === undefined ? [] : isPort(target).map(text => invalidValue(path, target, text))
}

function affinityFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const affinity = spec.sessionAffinity
  const path = at.child('sessionAffinityConfig')
  if (!affinity) return [required(at.child('sessionAffinity'), '')]
  if (affinity !== 'ClientIP' && affinity !== 'None') return [notSupported(at.child('sessionAffinity'), affinity, ['ClientIP', 'None'])]
  if (affinity === 'None') return spec.sessionAffinityConfig === undefined ? [] : [forbiddenField(path, 'must not be set when session affinity is None')]
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds
  if (seconds === undefined) return [required(path, 'when session affinity type is ClientIP')]
  return seconds <= 0 || seconds > maxAffinitySeconds
    ? [invalidValue(path.child('clientIP', 'timeoutSeconds'), seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`)]
    : []
}

function duplicatePortFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  const nodePorts = new Set<string>()
  const closed = spec.type === 'ClusterIP' || spec.type === undefined
  for (const [i, port] of (spec.ports ?? []).entries()) {
    if (closed && port.nodePort) faults.push(forbiddenField(at.index(i).child('nodePort'), "may not be used when `type` is 'ClusterIP'"))
    const node = `${port.protocol ?? ''}/${port.nodePort ?? 0}`
    if (port.nodePort && nodePorts.has(node)) faults.push(duplicate(at.index(i).child('nodePort'), port.nodePort))
    if (port.nodePort) nodePorts.add(node)
    const key = `${port.protocol ?? ''}/${port.port}`
    if (seen.has(key)) faults.push(duplicate(at.index(i), { Name: '', Protocol: port.protocol ?? '', AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 }))
    seen.add(key)
  }
  return faults
}

function clusterIPsFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  if (spec.type === 'ExternalName') return []
  const path = at.child('clusterIPs')
  const ips = spec.clusterIPs ?? []
  const faults: FieldErrorList = []
  if (!spec.clusterIP && ips.length > 0) faults.push(invalidValue(path, ips, 'must be empty when `clusterIP` is not specified'))
  if (spec.clusterIP && ips.length > 0 && ips[0] !== spec.clusterIP) faults.push(invalidValue(path, ips, 'first value must match `clusterIP`'))
  const families = spec.ipFamilies ?? []
  for (const [i, family] of families.entries()) {
    if (family !== 'IPv4' && family !== 'IPv6') faults.push(notSupported(at.child('ipFamilies').index(i), family, ['IPv4', 'IPv6']))
    if (families.indexOf(family) < i) faults.push(duplicate(at.child('ipFamilies').index(i), family))
    else if (family === 'IPv6' && families.length === 1 && spec.clusterIP !== 'None')
      faults.push(invalidValue(at.child('ipFamilies').index(i), family, 'not configured on this cluster'))
  }
  const policy = spec.ipFamilyPolicy
  if (policy !== undefined && !['SingleStack', 'PreferDualStack', 'RequireDualStack'].includes(policy))
    faults.push(notSupported(at.child('ipFamilyPolicy'), policy, ['SingleStack', 'PreferDualStack', 'RequireDualStack']))
  if (families.length > 1 && new Set(families).size === families.length && (policy === undefined || policy === 'SingleStack') && ips.length < 2 && spec.clusterIP !== none)
    faults.push(invalidValue(at.child('ipFamilyPolicy'), policy ?? 'SingleStack', "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"))
  for (const [i, ip] of ips.entries()) {
    if (ip === none) {
      if (ips.length > 1) faults.push(invalidValue(path.index(i), ip, 'must not be None if another value is specified'))
    } else faults.push(...isIP(ip).map(text => invalidValue(path.index(i), ip, text)))
  }
  if (ips.length > 2) faults.push(invalidValue(path, ips, 'may only hold up to 2 values'))
  if (ips.length > 1 && ips.every(ip => parseAddress(ip)?.bits === parseAddress(ips[0] ?? '')?.bits))
    faults.push(invalidValue(path, ips, 'may specify no more than one IP for each IP family'))
  return faults
}

function addressFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    const path = at.child('externalIPs').index(i)
    const wrong = isIP(ip)
    faults.push(...wrong.map(text => invalidValue(path, ip, text)))
    if (wrong.length === 0) faults.push(...nonSpecialAddressFaults(ip, path))
  }
  return faults
}

/** Addresses that mean the host itself or its link are no addresses of others. */
export function nonSpecialAddressFaults(ip: string, path: FieldPath): FieldErrorList {
  const address = parseAddress(ip)
  if (address === undefined) return [invalidValue(path, ip, 'must be a valid IP address')]
  const first = address.bits === 32 ? Number(address.value >> 24n) : 0
  const v4 = address.bits === 32
  const faults: FieldErrorList = []
  if (address.value === 0n) faults.push(invalidValue(path, ip, `may not be unspecified (${v4 ? '0.0.0.0' : '::'})`))
  if (v4 ? first === 127 : address.value === 1n) faults.push(invalidValue(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'))
  if (v4 ? address.value >> 16n === 0xa9fen : address.value >> 118n === 0x3fan)
    faults.push(invalidValue(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'))
  if (v4 ? address.value >> 8n === 0xe00000n : address.value >> 112n === 0xff02n)
    faults.push(invalidValue(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'))
  return faults
}

function loadBalancerFaults(spec: ServiceSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const balanced = spec.type === 'LoadBalancer'
  if ((spec.loadBalancerSourceRanges?.length ?? 0) > 0) {
    const path = at.child('LoadBalancerSourceRanges')
    if (!balanced) faults.push(forbiddenField(path, "may only be used when `type` is 'LoadBalancer'"))
    for (const [i, range] of (spec.loadBalancerSourceRanges ?? []).entries()) faults.push(...isCIDR(range.trim()).map(text => invalidValue(path.index(i), range, text)))
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balanced)
    faults.push(forbiddenField(at.child('allocateLoadBalancerNodePorts'), "may only be used when `type` is 'LoadBalancer'"))
  if (balanced && spec.allocateLoadBalancerNodePorts === undefined) faults.push(required(at.child('allocateLoadBalancerNodePorts'), ''))
  if (spec.loadBalancerClass !== undefined) {
    const path = at.child('loadBalancerClass')
    if (!balanced) faults.push(forbiddenField(path, "may only be used when `type` is 'LoadBalancer'"))
    faults.push(...isQualifiedName(spec.loadBalancerClass).map(text => invalidValue(path, spec.loadBalancerClass, text)))
  }
  return faults
}

function trafficPolicyFaults(spec: ServiceSpec, service: Service, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const external = spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0)
  const policy = spec.externalTrafficPolicy ?? ''
  if (policy !== '' && !external) faults.push(invalidValue(at.child('externalTrafficPolicy'), policy, 'may only be set for externally-accessible services'))
  else if (external && policy === '') faults.push(required(at.child('externalTrafficPolicy'), ''))
  else if (external && !policies.includes(policy)) faults.push(notSupported(at.child('externalTrafficPolicy'), policy, policies))
  const check = spec.healthCheckNodePort ?? 0
  if (check !== 0 && !needsHealthCheckNodePort(service))
    faults.push(invalidValue(at.child('healthCheckNodePort'), check, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
  else if (check < 0) faults.push(...inRange(check, 1, 65535, at.child('healthCheckNodePort')))
  const internal = spec.internalTrafficPolicy
  if (spec.type !== 'ExternalName') {
    if (internal === undefined) faults.push(required(at.child('internalTrafficPolicy'), ''))
    else if (!policies.includes(internal)) faults.push(notSupported(at.child('internalTrafficPolicy'), internal, policies))
  }
  return faults
}

/** Addresses that a load balancer reported. */
export function validateServiceStatusUpdate(next: Service, _previous: Service, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, ingress] of (next.status?.loadBalancer?.ingress ?? []).entries()) {
    const path = at.child('status', 'loadBalancer', 'ingress').index(i)
    if (ingress.ip) faults.push(...isIP(ingress.ip).map(text => invalidValue(path.child('ip'), ingress.ip, text)))
    if (ingress.ipMode !== undefined && !ingress.ip) faults.push(forbiddenField(path.child('ipMode'), 'may not be specified when `ip` is not set'))
    else if (ingress.ipMode !== undefined && ingress.ipMode !== 'VIP' && ingress.ipMode !== 'Proxy')
      faults.push(notSupported(path.child('ipMode'), ingress.ipMode, ['VIP', 'Proxy']))
    if (ingress.hostname) faults.push(...isDns1123Subdomain(ingress.hostname).map(text => invalidValue(path.child('hostname'), ingress.hostname, text)))
  }
  return faults
}

/** The cluster's address of a service stays; others follow from its type. */
export function validateServiceUpdate(next: Service, previous: Service, at: FieldPath): FieldErrorList {
  const path = at.child('spec')
  const faults: FieldErrorList = []
  if (needsClusterIP(next) && needsClusterIP(previous)) {
    const [to, from] = [next.spec?.clusterIPs ?? [], previous.spec?.clusterIPs ?? []]
    if (from.length > 0 && to.length === 0) faults.push(invalidValue(path.child('clusterIPs').index(0), to, 'primary clusterIP can not be unset'))
    else if (from.length > 0 && to[0] !== from[0]) faults.push(invalidValue(path.child('clusterIPs').index(0), to, 'may not change once set'))
    const [family, before] = [next.spec?.ipFamilies?.[0], previous.spec?.ipFamilies?.[0]]
    if (before !== undefined && family !== undefined && family !== before) faults.push(invalidValue(path.child('ipFamilies').index(0), family, 'may not change once set'))
  }
  const [to, from] = [next.spec?.loadBalancerClass, previous.spec?.loadBalancerClass]
  if (previous.spec?.type === 'LoadBalancer' && next.spec?.type === 'LoadBalancer' && to !== from)
    faults.push(invalidValue(path.child('loadBalancerClass'), to ?? null, immutableClass))
  return faults
}

const immutableClass = 'may not change once set'
