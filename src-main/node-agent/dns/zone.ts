/** Names of the cluster: services, headless endpoints, pods, and addresses back to names. Pure. */
import type { Service } from '../../api/generated/core-v1.ts'
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts'
import { slicesByService } from '../proxy/endpoints.ts'

export interface ZoneInput {
  readonly services: Iterable<Service>
  readonly slices: Iterable<EndpointSlice>
  readonly domain: string
}

export interface ServiceRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export type Answer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'services'; readonly records: readonly ServiceRecord[]; readonly addresses: ReadonlyMap<string, string> }
  | { readonly kind: 'alias'; readonly target: string }
  | { readonly kind: 'pointer'; readonly names: readonly string[] }
  /** The name exists, but not with this type. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'missing' }
  /** Not ours: ask upstream. */
  | { readonly kind: 'foreign' }

interface Endpoint {
  readonly host: string
  readonly address: string
}
interface Entry {
  readonly addresses: string[]
  readonly alias?: string
  readonly headless: boolean
  readonly endpoints: Endpoint[]
  readonly ports: { name: string; protocol: string; port: number; /** Headless: only endpoints of the slices that have it. */ hosts?: Endpoint[] }[]
}

/** Built anew when services or endpoints change; answers are lookups. */
export class Zone {
  readonly #domain: string
  readonly #entries = new Map<string, Entry>()
  readonly #pointers = new Map<string, string[]>()
  readonly #namespaces = new Set<string>()

  constructor(input: ZoneInput) {
    this.#domain = input.domain
    const slices = slicesByService(input.slices)
    for (const service of input.services) this.#add(service, slices.get(`${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}`) ?? [])
  }

  #add(service: Service, slices: readonly EndpointSlice[]): void {
    const { name = '', namespace = '' } = service.metadata
    const host = `${name}.${namespace}.svc.${this.#domain}`
    this.#namespaces.add(namespace)
    if (service.spec?.type === 'ExternalName') {
      this.#entries.set(`${name}.${namespace}`, { addresses: [], alias: service.spec.externalName ?? '', headless: false, endpoints: [], ports: [] })
      return
    }
    const ip = service.spec?.clusterIP ?? ''
    const servicePorts = (service.spec?.ports ?? []).map(port => ({ name: port.name ?? '', protocol: (port.protocol ?? 'TCP').toLowerCase(), port: port.port }))
    if (ip !== '' && ip !== 'None') {
      this.#entries.set(`${name}.${namespace}`, { addresses: ip.includes(':') ? [] : [ip], headless: false, endpoints: [], ports: servicePorts })
      this.#point(ip, host)
      return
    }
    const endpoints: Endpoint[] = []
    const ports: Entry['ports'] = []
    for (const slice of slices) {
      const here: Endpoint[] = []
      for (const endpoint of slice.endpoints ?? []) {
        if (endpoint.conditions?.ready === false && !service.spec?.publishNotReadyAddresses) continue
        for (const address of endpoint.addresses) {
          const own = { host: endpoint.hostname ?? address.replaceAll('.', '-'), address }
          here.push(own)
          if (endpoint.hostname !== undefined) this.#point(address, `${own.host}.${host}`)
        }
      }
      endpoints.push(...here)
      for (const port of slice.ports ?? []) ports.push({ name: port.name ?? '', protocol: (port.protocol ?? 'TCP').toLowerCase(), port: port.port ?? 0, hosts: here })
    }
    this.#entries.set(`${name}.${namespace}`, { addresses: [...new Set(endpoints.map(e => e.address))], headless: true, endpoints, ports })
  }

  #point(address: string, name: string): void {
    this.#pointers.set(address, [...(this.#pointers.get(address) ?? []), name])
  }

  /** `name` in any case, without the last dot. */
  lookup(rawName: string, type: string): Answer {
    const name = rawName.toLowerCase()
    const reverse = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name)
    if (reverse) {
      const names = this.#pointers.get(reverse.slice(1, 5).reverse().join('.'))
      return names ? (type === 'PTR' ? { kind: 'pointer', names } : { kind: 'empty' }) : { kind: 'foreign' }
    }
    if (name !== this.#domain && !name.endsWith(`.${this.#domain}`)) return { kind: 'foreign' }
    const labels = name.slice(0, Math.max(0, name.length - this.#domain.length - 1)).split('.')
    const kind = labels.pop()
    if (kind === 'svc') return this.#service(labels, type)
    if (kind === 'pod') return this.#pod(labels, type)
    if (kind === 'dns-version' && labels.length === 0) return { kind: 'empty' }
    return kind === '' ? { kind: 'empty' } : { kind: 'missing' }
  }

  #pod(labels: readonly string[], type: string): Answer {
    const [address = '', namespace = ''] = labels
    if (labels.length !== 2 || !this.#namespaces.has(namespace)) return { kind: 'missing' }
    const parts = address.split('-')
    if (parts.length !== 4 || !parts.every(part => /^\d{1,3}$/.test(part) && Number(part) < 256)) return { kind: 'missing' }
    return type === 'A' || type === 'ANY' ? { kind: 'addresses', addresses: [parts.join('.')] } : { kind: 'empty' }
  }

  #service(labels: readonly string[], type: string): Answer {
    if (labels.length === 0) return { kind: 'empty' }
    const namespace = labels.at(-1) ?? ''
    if (labels.length === 1) return this.#namespaces.has(namespace) ? { kind: 'empty' } : { kind: 'missing' }
    const name = labels.at(-2) ?? ''
    const entry = this.#entries.get(`${name}.${namespace}`)
    if (!entry) return { kind: 'missing' }
    if (entry.alias !== undefined) return { kind: 'alias', target: entry.alias }
    const front = labels.slice(0, -2)
    const host = `${name}.${namespace}.svc.${this.#domain}`
    if (front.length === 0) {
      if (entry.headless && entry.addresses.length === 0) return { kind: 'missing' }
      if (type === 'SRV') return this.#records(entry, entry.ports, host)
      return type === 'A' || type === 'ANY' ? { kind: 'addresses', addresses: entry.addresses } : { kind: 'empty' }
    }
    if (front.length === 2 && front[0]?.startsWith('_') && front[1]?.startsWith('_')) {
      const ports = entry.ports.filter(port => `_${port.name}` === front[0] && `_${port.protocol}` === front[1])
      if (ports.length === 0) return { kind: 'missing' }
      return type === 'SRV' || type === 'ANY' ? this.#records(entry, ports, host) : { kind: 'empty' }
    }
    if (front.length === 1 && entry.headless) {
      const addresses = entry.endpoints.filter(endpoint => endpoint.host === front[0]).map(endpoint => endpoint.address)
      if (addresses.length === 0) return { kind: 'missing' }
      return type === 'A' || type === 'ANY' ? { kind: 'addresses', addresses: [...new Set(addresses)] } : { kind: 'empty' }
    }
    return { kind: 'missing' }
  }

  #records(entry: Entry, ports: Entry['ports'], host: string): Answer {
    const addresses = new Map<string, string>()
    const records: ServiceRecord[] = []
    for (const port of ports) {
      if (!entry.headless) {
        records.push({ priority: 0, weight: 100, port: port.port, target: host })
        for (const address of entry.addresses) addresses.set(host, address)
        continue
      }
      for (const endpoint of port.hosts ?? []) {
        const target = `${endpoint.host}.${host}`
        records.push({ priority: 0, weight: Math.max(1, Math.floor(100 / Math.max(1, (port.hosts ?? []).length))), port: port.port, target })
        addresses.set(target, endpoint.address)
      }
    }
    return records.length === 0 ? { kind: 'empty' } : { kind: 'services', records, addresses }
  }
}
