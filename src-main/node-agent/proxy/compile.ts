/**
 * Services and their endpoints → rules of the node's kernel. Pure. One verdict map finds the service by address, protocol
 * and port in one step, whatever their number; each service has a chain that picks an endpoint by chance; each endpoint
 * has a chain that rewrites the destination. Marked packets are masqueraded on their way out.
 */
import { createHash } from 'node:crypto'
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import type { Service, ServicePort } from '../../api/generated/core-v1.ts'
import { agentNames } from '../../api/agent.ts'
import { backendsOf, isForwardable, slicesByService } from './endpoints.ts'
import type { Backend } from './endpoints.ts'
import type { Chain, NftMap, NftSet, Ruleset } from './ruleset.ts'

/** One bit of the packet mark: masquerade. Differs from kube-proxy's, so that remains of another cluster do not matter. */
const masqueradeMark = '0x00100000'
const clearMark = '0xffefffff'
const setMark = `meta mark set meta mark or ${masqueradeMark}`

export interface ProxyInput {
  readonly services: Iterable<Service>
  readonly slices: Iterable<EndpointSlice>
  readonly nodeName: string
  readonly podCIDR: string
  readonly clusterCIDR: string
  readonly serviceCIDR: string
  /** Bridge's address: DNS and the way to the API listen there. */
  readonly gateway: string
  readonly clusterDNS: string
  /** Address of the kubernetes service, and the port of the gateway's listener that leads to the API. */
  readonly apiServiceIP: string
  readonly apiPort: number
  /** False where the kernel does not show bridged packets to nftables: answers between pods of this node would bypass the translation back. */
  readonly bridgeNetfilter: boolean
}

interface Build {
  readonly input: ProxyInput
  readonly ips: Map<string, string>
  readonly nodePorts: Map<string, string>
  readonly refused: Map<string, string>
  readonly clusterIPs: Set<string>
  readonly sets: Map<string, NftSet>
  readonly chains: Map<string, Chain>
}

export function compile(input: ProxyInput): Ruleset {
  const build: Build = { input, ips: new Map(), nodePorts: new Map(), refused: new Map(), clusterIPs: new Set(), sets: new Map(), chains: new Map() }
  addBaseChains(build)
  const slices = slicesByService(input.slices)
  const services = [...input.services].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  let ownDNS = true
  for (const service of services) {
    const spec = service.spec
    const ip = spec?.clusterIP
    if (!spec || spec.type === 'ExternalName' || !ip || ip === 'None' || ip.includes(':')) continue
    if (ip === input.apiServiceIP) continue // the fixed way to the API below
    const own = slices.get(keyOf(service)) ?? []
    if (ip === input.clusterDNS) {
      // A DNS server that runs as pods replaces the agent's own.
      if (!(spec.ports ?? []).some(port => backendsOf(service, port, own, input.nodeName, false).length > 0)) continue
      ownDNS = false
    }
    build.clusterIPs.add(ip)
    for (const port of spec.ports ?? []) addPort(build, service, port, own)
  }
  addFixed(build, input.apiServiceIP, 'tcp', 443, input.apiPort)
  if (ownDNS) {
    addFixed(build, input.clusterDNS, 'udp', 53, 53)
    addFixed(build, input.clusterDNS, 'tcp', 53, 53)
  }
  const verdicts = (elements: Map<string, string>, type: string): NftMap => ({ type: `${type} : verdict`, elements })
  return {
    table: agentNames.nftTable,
    maps: new Map([
      ['service-ips', verdicts(build.ips, 'ipv4_addr . inet_proto . inet_service')],
      ['node-ports', verdicts(build.nodePorts, 'inet_proto . inet_service')],
      ['refused-node-ports', verdicts(build.refused, 'inet_proto . inet_service')],
    ]),
    sets: new Map([...build.sets, ['cluster-ips', { type: 'ipv4_addr', options: '', elements: build.clusterIPs }]]),
    chains: build.chains,
  }
}

function addBaseChains(build: Build): void {
  const { input, chains } = build
  const dispatch = ['ip daddr . meta l4proto . th dport vmap @service-ips', 'fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports']
  chains.set('prerouting', { hook: 'type nat hook prerouting priority -110; policy accept;', rules: dispatch })
  chains.set('output', { hook: 'type nat hook output priority -110; policy accept;', rules: dispatch })
  chains.set('postrouting', {
    hook: 'type nat hook postrouting priority 90; policy accept;',
    rules: [
      `meta mark and ${masqueradeMark} == ${masqueradeMark} meta mark set meta mark and ${clearMark} masquerade`,
      `ip saddr ${input.podCIDR} ip daddr != ${input.clusterCIDR} ip daddr != 224.0.0.0/4 oifname != "${agentNames.bridge}" masquerade`,
    ],
  })
  chains.set('reject-it', { rules: ['meta l4proto tcp reject with tcp reset', 'reject'] })
  // Whatever still goes to a cluster address here found no endpoint: it is refused at once instead of timing out.
  const refuse = ['ct state new ip daddr @cluster-ips goto reject-it']
  chains.set('filter-forward', { hook: 'type filter hook forward priority -10; policy accept;', rules: refuse })
  chains.set('filter-output', { hook: 'type filter hook output priority -10; policy accept;', rules: refuse })
  chains.set('filter-input', {
    hook: 'type filter hook input priority -10; policy accept;',
    rules: ['ct state new fib daddr type local meta l4proto . th dport vmap @refused-node-ports'],
  })
}

/** A service of the node itself: its DNS and the way to the API. */
function addFixed(build: Build, ip: string, protocol: string, port: number, target: number): void {
  const name = `fixed-${protocol}-${port}`
  build.clusterIPs.add(ip)
  build.chains.set(name, { rules: [`meta l4proto ${protocol} dnat to ${build.input.gateway}:${target}`] })
  build.ips.set(`${ip} . ${protocol} . ${port}`, `goto ${name}`)
}

function addPort(build: Build, service: Service, port: ServicePort, slices: readonly EndpointSlice[]): void {
  const { input } = build
  const spec = service.spec
  if (!spec) return
  const protocol = (port.protocol ?? 'TCP').toLowerCase()
  const id = digest(`${keyOf(service)}/${port.name ?? ''}/${protocol}/${port.port}`)
  const all = backendsOf(service, port, slices, input.nodeName, false)
  const internal = spec.internalTrafficPolicy === 'Local' ? all.filter(backend => backend.local) : all
  const affinitySeconds = spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : 0
  for (const backend of all) addBackend(build, id, protocol, backend, affinitySeconds)
  // Traffic that does not come from pods gets an address that the endpoint's node can answer to.
  if (internal.length > 0) {
    build.chains.set(`svc-${id}`, { rules: [`ip saddr != ${input.clusterCIDR} ${setMark}`, ...choose(id, internal, affinitySeconds)] })
    build.ips.set(`${spec.clusterIP ?? ''} . ${protocol} . ${port.port}`, `goto svc-${id}`)
  }
  const externalIPs = [...(spec.externalIPs ?? []), ...(service.status?.loadBalancer?.ingress ?? []).flatMap(i => (i.ip ? [i.ip] : []))].filter(ip => mayBeExternal(ip, input))
  const nodePort = spec.type === 'NodePort' || spec.type === 'LoadBalancer' ? (port.nodePort ?? 0) : 0
  if (nodePort === 0 && externalIPs.length === 0) return
  const localOnly = spec.externalTrafficPolicy === 'Local'
  const external = localOnly ? all.filter(backend => backend.local) : all
  if (external.length === 0) {
    if (nodePort > 0) build.refused.set(`${protocol} . ${nodePort}`, 'goto reject-it')
    return
  }
  build.chains.set(`ext-${id}`, { rules: [...(localOnly ? [] : [setMark]), ...choose(id, external, affinitySeconds)] })
  if (nodePort > 0) build.nodePorts.set(`${protocol} . ${nodePort}`, `goto ext-${id}`)
  for (const ip of externalIPs) build.ips.set(`${ip} . ${protocol} . ${port.port}`, `goto ext-${id}`)
}

function choose(id: string, backends: readonly Backend[], affinitySeconds: number): string[] {
  const names = backends.map(backend => `ep-${id}-${digest(`${backend.address}:${backend.port}`)}`)
  const rules = affinitySeconds > 0 ? names.map(name => `ip saddr @aff${name.slice(2)} goto ${name}`) : []
  const only = names[0]
  if (names.length === 1 && only !== undefined) return [...rules, `goto ${only}`]
  return [...rules, `numgen random mod ${names.length} vmap { ${names.map((name, index) => `${index} : goto ${name}`).join(', ')} }`]
}

function addBackend(build: Build, id: string, protocol: string, backend: Backend, affinitySeconds: number): void {
  const { input } = build
  const tail = `${id}-${digest(`${backend.address}:${backend.port}`)}`
  const rules: string[] = []
  const hairpin = !input.bridgeNetfilter && inRange(backend.address, input.podCIDR) ? input.podCIDR : backend.address
  rules.push(`ip saddr ${hairpin} ${setMark}`)
  if (affinitySeconds > 0) {
    build.sets.set(`aff-${tail}`, { type: 'ipv4_addr', options: `flags dynamic, timeout; timeout ${affinitySeconds}s;` })
    rules.push(`update @aff-${tail} { ip saddr }`)
  }
  rules.push(`meta l4proto ${protocol} dnat to ${backend.address}:${backend.port}`)
  build.chains.set(`ep-${tail}`, { rules })
}

/** An external address may not take over pods', services' or loopback addresses. */
function mayBeExternal(ip: string, input: ProxyInput): boolean {
  return isForwardable(ip) && !inRange(ip, input.clusterCIDR) && !inRange(ip, input.serviceCIDR)
}

export function inRange(ip: string, cidr: string): boolean {
  const [base = '', bits = '32'] = cidr.split('/')
  const mask = Number(bits) === 0 ? 0 : (0xffffffff << (32 - Number(bits))) >>> 0
  return (addressNumber(ip) & mask) >>> 0 === (addressNumber(base) & mask) >>> 0
}

export function addressNumber(ip: string): number {
  return ip.split('.').reduce((number, part) => ((number << 8) | Number(part)) >>> 0, 0)
}

export function addressText(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function keyOf(service: Service): string {
  return `${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}`
}
