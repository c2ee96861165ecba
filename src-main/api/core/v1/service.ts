/** Service: a stable address in front of pods. Cluster addresses and node ports are given out by the API server's registry, on create and when the type asks for them. */
import { defineResource } from '../../resource.ts'
import { ageColumn, labelsText, nameColumn, none } from '../../columns.ts'
import type { Service, ServiceSpec } from '../../generated/core-v1.ts'
import { deepEqual } from '../../json.ts'
import { isDns1035Label, isDns1123Label } from '../../names.ts'
import { isHeadless, needsClusterIP, needsHealthCheckNodePort, needsNodePort, validateService, validateServiceStatusUpdate, validateServiceUpdate } from './service-validation.ts'

export type { Service }
export { isHeadless, needsClusterIP, needsHealthCheckNodePort, needsNodePort }

const defaultAffinitySeconds = 10800

function setServiceDefaults(service: Service): void {
  const spec: ServiceSpec = (service.spec ??= {})
  spec.sessionAffinity ||= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: defaultAffinitySeconds } }
  spec.type ||= 'ClusterIP'
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP'
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
  if ((spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0) && !spec.externalTrafficPolicy && spec.type !== 'ExternalName')
    spec.externalTrafficPolicy = 'Cluster'
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  if (spec.type === 'LoadBalancer') for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP'
  if (service.metadata.deletionTimestamp === undefined || service.status !== undefined) (service.status ??= {}).loadBalancer ??= {}
}

/** clusterIP and the first of clusterIPs mean the same; whoever writes only one of them gets both. */
function normalizeClusterIPs(next: Service, previous: Service | undefined): void {
  const spec = next.spec
  if (spec === undefined) return
  const from = previous?.spec
  if (from === undefined) {
    if (spec.clusterIP && (spec.clusterIPs?.length ?? 0) === 0) spec.clusterIPs = [spec.clusterIP]
    return
  }
  const changed = (spec.clusterIP ?? '') !== (from.clusterIP ?? '')
  if (!changed || !deepEqual(spec.clusterIPs ?? [], from.clusterIPs ?? [])) return
  if (!spec.clusterIP) delete spec.clusterIPs
  else spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)]
}

/** What the cluster gave an older version of the service stays with it when the writer left it out. */
function keepAllocated(next: Service, previous: Service): void {
  const [spec, from] = [next.spec, previous.spec]
  if (spec === undefined || from === undefined) return
  if (needsClusterIP(previous) && needsClusterIP(next)) {
    if (!spec.clusterIP && (spec.clusterIPs?.length ?? 0) === 0 && from.clusterIP !== undefined) {
      spec.clusterIP = from.clusterIP
      if (from.clusterIPs !== undefined) spec.clusterIPs = [...from.clusterIPs]
    }
    if (spec.ipFamilyPolicy === undefined && from.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy = from.ipFamilyPolicy
    if ((spec.ipFamilies?.length ?? 0) === 0 && from.ipFamilies !== undefined) spec.ipFamilies = [...from.ipFamilies]
  }
  if (needsNodePort(previous) && needsNodePort(next)) keepNodePorts(spec, from)
  if (needsHealthCheckNodePort(previous) && needsHealthCheckNodePort(next) && !spec.healthCheckNodePort && from.healthCheckNodePort !== undefined)
    spec.healthCheckNodePort = from.healthCheckNodePort
}

function keepNodePorts(spec: ServiceSpec, from: ServiceSpec): void {
  const given = new Map((from.ports ?? []).filter(p => p.nodePort).map(p => [`${p.protocol ?? ''}/${p.port}`, p.nodePort]))
  const used = new Set((spec.ports ?? []).filter(p => p.nodePort).map(p => `${p.protocol ?? ''}/${p.nodePort ?? 0}`))
  for (const port of spec.ports ?? []) {
    const nodePort = given.get(`${port.protocol ?? ''}/${port.port}`)
    if (!port.nodePort && nodePort !== undefined && !used.has(`${port.protocol ?? ''}/${nodePort}`)) port.nodePort = nodePort
  }
}

/** Fields that only made sense for the type of before go with it, unless the writer set them anew. */
function dropOfOldType(next: Service, previous: Service): void {
  const [spec, from] = [next.spec, previous.spec]
  if (spec === undefined || from === undefined || spec.type === from.type) return
  if (needsClusterIP(previous) && !needsClusterIP(next)) {
    if (spec.clusterIP === from.clusterIP) delete spec.clusterIP
    if (deepEqual(spec.clusterIPs ?? [], from.clusterIPs ?? [])) delete spec.clusterIPs
    if (deepEqual(spec.ipFamilies ?? [], from.ipFamilies ?? [])) delete spec.ipFamilies
    if (spec.ipFamilyPolicy === from.ipFamilyPolicy) delete spec.ipFamilyPolicy
    if (spec.internalTrafficPolicy === from.internalTrafficPolicy) delete spec.internalTrafficPolicy
  }
  if (needsNodePort(previous) && !needsNodePort(next)) {
    const before = new Set((from.ports ?? []).map(p => p.nodePort))
    for (const port of spec.ports ?? []) if (before.has(port.nodePort)) delete port.nodePort
  }
  if (from.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === from.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts
    if (spec.loadBalancerClass === from.loadBalancerClass) delete spec.loadBalancerClass
  }
  if (needsHealthCheckNodePort(previous) && !needsHealthCheckNodePort(next) && spec.healthCheckNodePort === from.healthCheckNodePort) delete spec.healthCheckNodePort
  if (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) === 0 && spec.externalTrafficPolicy === from.externalTrafficPolicy) delete spec.externalTrafficPolicy
  if (spec.type === 'ExternalName') delete spec.externalTrafficPolicy
}

function externalText(service: Service): string {
  const given = service.status?.loadBalancer?.ingress?.map(i => i.ip || i.hostname || '').filter(t => t !== '') ?? []
  const extra = service.spec?.externalIPs ?? []
  switch (service.spec?.type) {
    case 'ExternalName':
      return service.spec.externalName ?? ''
    case 'LoadBalancer': {
      const all = [...new Set([...given, ...extra])]
      return given.length === 0 && extra.length === 0 ? '<pending>' : all.join(',')
    }
    default:
      return extra.length === 0 ? none : extra.join(',')
  }
}

function portsText(service: Service): string {
  const texts = (service.spec?.ports ?? []).map(p => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol ?? ''}`)
  return texts.length === 0 ? none : texts.join(',')
}

export const services = defineResource<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  scope: 'Namespaced',
  shortNames: ['svc'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.Service',
  subresources: { status: true, others: ['proxy'] },
  columns: [
    nameColumn(),
    { name: 'Type', type: 'string', value: s => s.spec?.type ?? '' },
    { name: 'Cluster-IP', type: 'string', value: s => s.spec?.clusterIPs?.[0] || s.spec?.clusterIP || none },
    { name: 'External-IP', type: 'string', value: externalText },
    { name: 'Port(s)', type: 'string', value: portsText },
    ageColumn(),
    { name: 'Selector', type: 'string', priority: 1, value: s => labelsText(s.spec?.selector) },
  ],
  menu: { area: 'network', order: 10 },
  fields: { 'spec.clusterIP': s => s.spec?.clusterIP ?? '', 'spec.type': s => s.spec?.type ?? '' },
  validateName: name => (isDns1123Label(name).length === 0 ? [] : isDns1035Label(name).length === 0 ? [] : isDns1123Label(name)),
  setDefaults: setServiceDefaults,
  prepareForCreate(service) {
    service.status = { loadBalancer: {} }
    normalizeClusterIPs(service, undefined)
  },
  prepareForUpdate(next, previous) {
    normalizeClusterIPs(next, previous)
    keepAllocated(next, previous)
    dropOfOldType(next, previous)
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatusUpdate,
  warnings(service) {
    const texts: string[] = []
    if ((service.spec?.externalIPs?.length ?? 0) > 0) texts.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters')
    if (service.spec?.externalName && service.spec.type !== 'ExternalName') texts.push('spec.externalName is ignored when spec.type is not "ExternalName"')
    if (service.spec?.trafficDistribution === 'PreferClose') texts.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return texts
  },
})
