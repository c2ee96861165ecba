/**
 * Cluster IPs and node ports of services. The pools are kept from the stored services through a watch, so they need no
 * record of their own and repair themselves; what a write takes is held from its check until it is stored or undone.
 */
import type { Env } from '../../base/env.ts'
import { FieldPath, invalidValue } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import type { Service } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { isPathSegmentName, parseAddress, parseCIDR } from '../../api/names.ts'
import { internalError, invalid } from '../../api/status-error.ts'
import { storagePrefix } from '../../api/resource.ts'
import type { Store, StoreEvent } from '../../store/store.ts'
import { NumberPool } from './number-pool.ts'
import type { WriteHook } from './registry.ts'

export interface ServiceHookOptions {
  readonly env: Env
  readonly store: Store
  readonly serviceCIDR: string
  readonly nodePortRange: { readonly first: number; readonly last: number }
}

type Spec = NonNullable<Service['spec']>

const spec = FieldPath.root('spec')

/** What one write took and what it will give back. */
class Claim {
  readonly dryRun: boolean
  readonly taken: (() => void)[] = []
  readonly dropped: (() => void)[] = []

  constructor(dryRun: boolean) {
    this.dryRun = dryRun
  }
}

export function createServiceHook(options: ServiceHookOptions): { hook: WriteHook; stop(): void } {
  const pools = new ServicePools(options)
  const hook: WriteHook = {
    async prepare(next, previous, scope) {
      await pools.ready
      const service = next as Service & KubernetesObject
      const before = previous as (Service & KubernetesObject) | undefined
      const claim = new Claim(scope.dryRun)
      try {
        const faults = pools.claim(service, before, claim, ownerOf(service))
        if (before === undefined && faults.length === 0) faults.push(...ownerFaults(service))
        if (faults.length > 0) throw invalid('', 'Service', service.metadata.name ?? '', faults)
      } catch (fault) {
        for (const undo of claim.taken) undo()
        throw fault
      }
      return {
        done() {
          for (const drop of claim.dropped) drop()
        },
        undo() {
          for (const undo of claim.taken) undo()
        },
      }
    },
    deleted(object) {
      pools.releaseAll(object as Service & KubernetesObject)
    },
  }
  return {
    hook,
    stop() {
      pools.stop()
    },
  }
}

/** Addresses are kept as IPAddress objects, which name their service: a bad name is first noticed there. */
function ownerFaults(service: Service & KubernetesObject): FieldErrorList {
  const name = service.metadata.name ?? ''
  const address = service.spec?.clusterIP ?? ''
  if (address === '' || address === 'None') return []
  const path = 'spec.parentRef.name'
  const texts = name === '' ? [`${path}: Required value`] : isPathSegmentName(name).map(text => `${path}: Invalid value: ${JSON.stringify(name)}: ${text}`)
  if (texts.length === 0) return []
  const fault = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  return [invalidValue(spec.child('clusterIPs'), [''], `failed to allocate IP: IPAddress.networking.k8s.io ${JSON.stringify(address)} is invalid: ${fault}`)]
}

function ownerOf(service: KubernetesObject): string {
  return `${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}`
}

class ServicePools {
  readonly ready: Promise<void>
  readonly #options: ServiceHookOptions
  readonly #base: bigint
  readonly #addresses: NumberPool
  readonly #ports: NumberPool
  /** Random addresses come from above these, which are left for those that are asked for by number. */
  readonly #staticAddresses: number
  readonly #staticPorts: number
  #endWatch: () => void = () => {}
  #stopped = false

  constructor(options: ServiceHookOptions) {
    this.#options = options
    const range = parseCIDR(options.serviceCIDR)
    if (!range || range.bits !== 32) throw new Error(`not an IPv4 range: ${options.serviceCIDR}`)
    const size = 2 ** (32 - range.prefix)
    this.#base = range.value
    this.#addresses = new NumberPool(size)
    this.#ports = new NumberPool(options.nodePortRange.last - options.nodePortRange.first + 1)
    // The network's own address, the broadcast address and the API server's.
    this.#addresses.take(0, '')
    this.#addresses.take(size - 1, '')
    this.#staticAddresses = Math.min(256, Math.max(16, Math.floor(size / 16)))
    this.#staticPorts = Math.min(128, Math.max(16, Math.floor(this.#ports.size / 32)))
    this.ready = this.#load()
  }

  stop(): void {
    this.#stopped = true
    this.#endWatch()
  }

  async #load(): Promise<void> {
    const prefix = storagePrefix({ group: '', plural: 'services' })
    const { entries, revision } = await this.#options.store.list(prefix)
    for (const entry of entries) this.#adopt(entry.object as unknown as Service & KubernetesObject)
    if (this.#stopped) return
    this.#endWatch = this.#options.store.watch(prefix, {
      after: revision,
      onEvent: event => {
        this.#onEvent(event)
      },
      onEnd: reason => {
        if (!this.#stopped && reason.code !== 'closed') void this.#load()
      },
    })
  }

  /** Another API server may have written too. */
  #onEvent(event: StoreEvent): void {
    const before = event.previous?.object as unknown as (Service & KubernetesObject) | undefined
    const now = event.type === 'put' ? (event.entry.object as unknown as Service & KubernetesObject) : undefined
    if (before) {
      const kept = now ? new Set([...this.#addressesOf(now), ...[...portsOf(now)].map(port => -port)]) : new Set<number>()
      for (const offset of this.#addressesOf(before)) if (!kept.has(offset)) this.#addresses.release(offset, ownerOf(before))
      for (const port of portsOf(before)) if (!kept.has(-port)) this.#ports.release(port - this.#options.nodePortRange.first, ownerOf(before))
    }
    if (now) this.#adopt(now)
  }

  #adopt(service: Service & KubernetesObject): void {
    for (const offset of this.#addressesOf(service)) this.#addresses.take(offset, ownerOf(service))
    for (const port of portsOf(service)) this.#ports.take(port - this.#options.nodePortRange.first, ownerOf(service))
  }

  releaseAll(service: Service & KubernetesObject): void {
    for (const offset of this.#addressesOf(service)) this.#addresses.release(offset, ownerOf(service))
    for (const port of portsOf(service)) this.#ports.release(port - this.#options.nodePortRange.first, ownerOf(service))
  }

  #addressesOf(service: Service): number[] {
    return clusterIPsOf(service.spec)
      .map(ip => this.#offsetOf(ip))
      .filter(offset => offset !== undefined)
  }

  #offsetOf(ip: string): number | undefined {
    const address = parseAddress(ip)
    if (!address || address.bits !== 32) return undefined
    const offset = address.value - this.#base
    return offset >= 0n && offset < BigInt(this.#addresses.size) ? Number(offset) : undefined
  }

  #addressAt(offset: number): string {
    const value = Number(this.#base) + offset
    return [24, 16, 8, 0].map(shift => Math.floor(value / 2 ** shift) % 256).join('.')
  }

  /** Takes what the service needs and sets it in place. */
  claim(service: Service & KubernetesObject, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): FieldErrorList {
    const faults = [...this.#claimAddress(service, before, claim, owner)]
    if (faults.length === 0) faults.push(...this.#claimPorts(service, before, claim, owner))
    this.#planRelease(service, before, claim, owner)
    return faults
  }

  #claimAddress(service: Service & KubernetesObject, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): FieldErrorList {
    const s = (service.spec ??= {} as Spec)
    if (s.type === 'ExternalName') return []
    if (before && before.spec?.type !== 'ExternalName' && !s.clusterIP && before.spec?.clusterIP) {
      s.clusterIP = before.spec.clusterIP
      if (!s.clusterIPs?.length && before.spec.clusterIPs) s.clusterIPs = [...before.spec.clusterIPs]
    }
    // Nobody but its author knows the addresses of a headless service without selector: both families may come.
    const isOpen = s.clusterIP === 'None' && Object.keys(s.selector ?? {}).length === 0 && !s.ipFamilyPolicy
    s.ipFamilies ??= isOpen ? ['IPv4', 'IPv6'] : ['IPv4']
    s.ipFamilyPolicy ??= isOpen ? 'RequireDualStack' : 'SingleStack'
    if (s.clusterIP === 'None') {
      s.clusterIPs ??= ['None']
      return []
    }
    // A cluster IP is fixed while there is one; validation tells who tries to change it.
    if (before && before.spec?.type !== 'ExternalName' && before.spec?.clusterIP && s.clusterIP) return []
    if (!s.clusterIP && s.clusterIPs?.[0]) s.clusterIP = s.clusterIPs[0]
    if (s.clusterIP) {
      const fault = this.#claimGiven(s.clusterIP, before, claim, owner)
      if (fault) return [invalidValue(spec.child('clusterIPs'), [s.clusterIP], fault)]
    } else {
      const offset = this.#addresses.takeAny(owner, this.#options.env.random, this.#staticAddresses)
      if (offset === undefined) throw internalError('failed to allocate a serviceIP: range is full')
      claim.taken.push(() => {
        this.#addresses.release(offset, owner)
      })
      s.clusterIP = this.#addressAt(offset)
    }
    if (!s.clusterIPs?.length) s.clusterIPs = [s.clusterIP]
    return []
  }

  /** The fault of an address that was asked for. */
  #claimGiven(ip: string, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): string | undefined {
    if (before && clusterIPsOf(before.spec).includes(ip)) return undefined
    const offset = this.#offsetOf(ip)
    if (parseAddress(ip) === undefined) return undefined
    if (offset === undefined) return `failed to allocate IP ${ip}: the provided network does not match the current range`
    if (!this.#addresses.take(offset, owner)) return `failed to allocate IP ${ip}: provided IP is already allocated`
    claim.taken.push(() => {
      this.#addresses.release(offset, owner)
    })
    return undefined
  }

  #claimPorts(service: Service & KubernetesObject, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): FieldErrorList {
    const s = service.spec ?? ({} as Spec)
    const needsPorts = s.type === 'NodePort' || (s.type === 'LoadBalancer' && s.allocateLoadBalancerNodePorts !== false)
    const had = before ? portsOf(before) : new Set<number>()
    const { first, last } = this.#options.nodePortRange
    const faults: FieldErrorList = []
    /** TCP and UDP of one port number may share a node port. */
    const byNumber = new Map<string, number>()
    const seen = new Set<string>()
    s.ports?.forEach((port, i) => {
      if (port.nodePort) {
        const key = `${port.protocol ?? 'TCP'}/${port.nodePort}`
        const fault = seen.has(key) ? 'provided port is already allocated' : this.#claimPort(port.nodePort, had, claim, owner)
        seen.add(key)
        if (fault) faults.push(invalidValue(spec.child('ports').index(i).child('nodePort'), port.nodePort, fault))
        return
      }
      if (!needsPorts) return
      const old = before?.spec?.ports?.find(
        other => other.nodePort && other.port === port.port && (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP') && (other.name ?? '') === (port.name ?? ''),
      )?.nodePort
      const shared = byNumber.get(`${port.port}`)
      if (old !== undefined && !s.ports?.some(other => other.nodePort === old)) port.nodePort = old
      else if (shared !== undefined && s.ports?.every(other => other === port || other.nodePort !== shared || other.protocol !== port.protocol)) port.nodePort = shared
      else {
        const offset = this.#ports.takeAny(owner, this.#options.env.random, this.#staticPorts)
        if (offset === undefined) throw internalError(`failed to allocate a nodePort: range ${first}-${last} is full`)
        claim.taken.push(() => {
          this.#ports.release(offset, owner)
        })
        port.nodePort = first + offset
      }
      byNumber.set(`${port.port}`, port.nodePort ?? 0)
    })
    if (s.type === 'LoadBalancer' && s.externalTrafficPolicy === 'Local') faults.push(...this.#claimHealthCheckPort(s, before, claim, owner))
    return faults
  }

  #claimPort(port: number, had: ReadonlySet<number>, claim: Claim, owner: string): string | undefined {
    if (had.has(port)) return undefined
    const { first, last } = this.#options.nodePortRange
    // A dry run takes nothing, and upstream does not look at the range either.
    if (port < first || port > last) return claim.dryRun ? undefined : `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
    const isOwn = this.#ports.ownerOf(port - first) === owner
    if (!this.#ports.take(port - first, owner)) return 'provided port is already allocated'
    if (!isOwn)
      claim.taken.push(() => {
        this.#ports.release(port - first, owner)
      })
    return undefined
  }

  #claimHealthCheckPort(s: Spec, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): FieldErrorList {
    const { first } = this.#options.nodePortRange
    const old = before?.spec?.healthCheckNodePort
    if (s.healthCheckNodePort) {
      const fault = this.#claimPort(s.healthCheckNodePort, new Set(old ? [old] : []), claim, owner)
      return fault ? [invalidValue(spec.child('healthCheckNodePort'), s.healthCheckNodePort, fault)] : []
    }
    if (old) {
      s.healthCheckNodePort = old
      return []
    }
    const offset = this.#ports.takeAny(owner, this.#options.env.random, this.#staticPorts)
    if (offset === undefined) throw internalError('failed to allocate a nodePort for the health check: range is full')
    claim.taken.push(() => {
      this.#ports.release(offset, owner)
    })
    s.healthCheckNodePort = first + offset
    return []
  }

  /** What the service had and no longer has is given back once the change is stored. */
  #planRelease(service: Service & KubernetesObject, before: (Service & KubernetesObject) | undefined, claim: Claim, owner: string): void {
    if (!before) return
    const addresses = new Set(this.#addressesOf(service))
    const ports = portsOf(service)
    for (const offset of this.#addressesOf(before))
      if (!addresses.has(offset))
        claim.dropped.push(() => {
          this.#addresses.release(offset, owner)
        })
    for (const port of portsOf(before))
      if (!ports.has(port))
        claim.dropped.push(() => {
          this.#ports.release(port - this.#options.nodePortRange.first, owner)
        })
  }
}

function clusterIPsOf(s: Service['spec']): string[] {
  if (!s || s.type === 'ExternalName') return []
  return [...new Set([...(s.clusterIP ? [s.clusterIP] : []), ...(s.clusterIPs ?? [])])].filter(ip => ip !== 'None')
}

function portsOf(service: Service): Set<number> {
  const s = service.spec
  return new Set([...(s?.ports ?? []).map(port => port.nodePort ?? 0), s?.healthCheckNodePort ?? 0].filter(port => port > 0))
}
