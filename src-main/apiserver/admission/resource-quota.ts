/**
 * Namespaces stay within their ResourceQuotas. Usage is counted from the live objects at the moment of the write and from
 * those that were let pass a moment ago and are still on their way to the store; the event loop runs one check at a time.
 * The controller writes status.used; this plugin only refuses. Counted: pods with their cpu, memory and
 * ephemeral-storage, claims and their storage, services by type, and `count/<resource>` of the kinds that the API server
 * keeps copies of.
 */
import { addQuantity, compareQuantity, formatQuantity, parseQuantity, subQuantity, zeroQuantity, type Quantity } from '../../api/quantity.ts'
import { forbidden } from '../../api/status-error.ts'
import { addUsage as add, quotaScopesMatch as scopesMatch, usageOf, type Usage } from '../../api/core/v1/quota-usage.ts'
import type { Pod, ResourceQuota } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { Clock } from '../../base/env.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const counted = {
  pods: places.pods,
  services: places.services,
  persistentvolumeclaims: places.persistentVolumeClaims,
  secrets: places.secrets,
  serviceaccounts: places.serviceAccounts,
  resourcequotas: places.resourceQuotas,
} as const
type Counted = keyof typeof counted

/** How long an object that was let pass counts without being seen in the store: longer than any write takes. */
const passedMs = 5_000

export function resourceQuotaAdmission(copies: LiveCopies, clock: Clock): AdmissionPlugin {
  /** Let pass and not yet seen, by kind, namespace and name. */
  const passed = new Map<string, { plural: Counted; object: KubernetesObject; untilMs: number }>()
  const quotas = copies.of<ResourceQuota>(places.resourceQuotas)
  const live = Object.fromEntries(Object.entries(counted).map(([plural, place]) => [plural, copies.of<KubernetesObject>(place)])) as Record<
    Counted,
    ReturnType<typeof copies.of<KubernetesObject>>
  >

  return {
    name: 'ResourceQuota',
    async validate(a) {
      if (a.resource.group !== '' || a.subresource !== '' || a.namespace === '' || !a.object || !(a.resource.plural in counted)) return
      if (a.operation !== 'CREATE' && a.operation !== 'UPDATE') return
      const plural = a.resource.plural as Counted
      const quotasHere = quotas.list(a.namespace)
      if (quotasHere.length === 0) return
      const after = usageOf(plural, a.object)
      const before: Usage = a.previous ? usageOf(plural, a.previous) : new Map()
      for (const quota of quotasHere.sort((x, y) => ((x.metadata.name ?? '') < (y.metadata.name ?? '') ? -1 : 1))) checkQuota(a, plural, quota, before, after)
      if (a.operation === 'CREATE' && !a.dryRun)
        passed.set(`${plural}/${a.namespace}/${a.object.metadata.name ?? ''}`, { plural, object: a.object, untilMs: clock.awakeMs() + passedMs })
    },
  }

  /** What the namespace holds, with what is on its way. */
  function present(plural: Counted, namespace: string): readonly KubernetesObject[] {
    const seen = live[plural].list(namespace)
    const names = new Set(seen.map(object => object.metadata.name))
    const coming: KubernetesObject[] = []
    for (const [key, entry] of passed) {
      if (entry.untilMs < clock.awakeMs()) passed.delete(key)
      else if (entry.plural === plural && key.startsWith(`${plural}/${namespace}/`)) {
        if (names.has(entry.object.metadata.name)) passed.delete(key)
        else coming.push(entry.object)
      }
    }
    return [...seen, ...coming]
  }

  function checkQuota(a: AdmissionAttributes, plural: Counted, quota: ResourceQuota, before: Usage, after: Usage): void {
    if (!scopesMatch(quota, plural, a.object)) return
    const hard = quota.spec?.hard ?? {}
    const relevant = Object.keys(hard)
      .filter(key => after.has(key) || isPodAmount(plural, key))
      .sort()
    if (relevant.length === 0) return
    const missing = relevant.filter(key => isPodAmount(plural, key) && !specifies(a.object as Pod, key))
    if (plural === 'pods' && missing.length > 0)
      throw forbidden('', plural, a.name, `failed quota: ${quota.metadata.name ?? ''}: must specify ${describeMissing(a.object as Pod, missing)}`)
    const used: Usage = new Map()
    for (const object of present(plural, a.namespace)) {
      if ((a.object?.metadata.name ?? a.name) === object.metadata.name || !scopesMatch(quota, plural, object)) continue
      for (const [key, amount] of usageOf(plural, object)) add(used, key, amount)
    }
    const exceeded = relevant.filter(key => {
      const wanted = after.get(key) ?? zeroQuantity
      if (compareQuantity(wanted, before.get(key) ?? zeroQuantity) <= 0) return false
      return compareQuantity(addQuantity(used.get(key) ?? zeroQuantity, wanted), parseQuantity(hard[key] ?? '0')) > 0
    })
    if (exceeded.length === 0) return
    const list = (value: (key: string) => Quantity): string => exceeded.map(key => `${key}=${formatQuantity(value(key))}`).join(',')
    const asked = (key: string): Quantity => subQuantity(after.get(key) ?? zeroQuantity, before.get(key) ?? zeroQuantity)
    const usedNow = (key: string): Quantity => addQuantity(used.get(key) ?? zeroQuantity, before.get(key) ?? zeroQuantity)
    throw forbidden(
      '',
      plural,
      a.name,
      `exceeded quota: ${quota.metadata.name ?? ''}, requested: ${list(asked)}, used: ${list(usedNow)}, limited: ${list(key => parseQuantity(hard[key] ?? '0'))}`,
    )
  }
}

function isPodAmount(plural: Counted, key: string): boolean {
  return plural === 'pods' && (['cpu', 'memory', 'ephemeral-storage'].includes(key) || key.startsWith('requests.') || key.startsWith('limits.')) && key !== 'requests.storage'
}

const amountOf = (key: string): { field: 'requests' | 'limits'; name: string } => ({
  field: key.startsWith('limits.') ? 'limits' : 'requests',
  name: key.replace(/^(requests|limits)\./, ''),
})

function lacking(pod: Pod, key: string): string[] {
  const { field, name } = amountOf(key)
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
    .filter(container => container.resources?.[field]?.[name] === undefined)
    .map(container => container.name)
}

function specifies(pod: Pod, key: string): boolean {
  // Extended resources need not be asked for by every container.
  return !['cpu', 'memory', 'ephemeral-storage'].includes(amountOf(key).name) || lacking(pod, key).length === 0
}

function describeMissing(pod: Pod, missing: readonly string[]): string {
  return missing.map(key => `${key} for: ${lacking(pod, key).join(',')}`).join('; ')
}
