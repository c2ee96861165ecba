/**
 * Namespaces stay within their ResourceQuotas. Usage is counted from the live objects at the moment of the write; the
 * event loop runs one check at a time; writes that are on their way to the disk are not counted yet, so a burst may exceed a quota by a few (upstream reserves through status).
 * The controller writes status.used; this plugin only refuses. Counted: pods with their cpu, memory and
 * ephemeral-storage, claims and their storage, services by type, and `count/<resource>` of the kinds that the API server
 * keeps copies of.
 */
import { addQuantity, compareQuantity, formatQuantity, parseQuantity, subQuantity, zeroQuantity, type Quantity } from '../../api/quantity.ts'
import { forbidden } from '../../api/status-error.ts'
import type { PersistentVolumeClaim, Pod, PodSpec, ResourceQuota, Service } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

type Usage = Map<string, Quantity>

const one = parseQuantity('1')
const counted = { pods: places.pods, services: places.services, persistentvolumeclaims: places.persistentVolumeClaims, secrets: places.secrets, serviceaccounts: places.serviceAccounts, resourcequotas: places.resourceQuotas } as const
type Counted = keyof typeof counted

function add(usage: Usage, key: string, amount: Quantity): void {
  usage.set(key, addQuantity(usage.get(key) ?? zeroQuantity, amount))
}

export function resourceQuotaAdmission(copies: LiveCopies): AdmissionPlugin {
  const quotas = copies.of<ResourceQuota>(places.resourceQuotas)
  const live = Object.fromEntries(Object.entries(counted).map(([plural, place]) => [plural, copies.of<KubernetesObject>(place)])) as Record<Counted, ReturnType<typeof copies.of<KubernetesObject>>>

  return {
    name: 'ResourceQuota',
    async validate(a) {
      if (a.resource.group !== '' || a.subresource !== '' || a.namespace === '' || !a.object || !(a.resource.plural in counted)) return
      if (a.operation !== 'CREATE' && a.operation !== 'UPDATE') return
      const plural = a.resource.plural as Counted
      const present = quotas.list(a.namespace)
      if (present.length === 0) return
      const after = usageOf(plural, a.object)
      const before: Usage = a.previous ? usageOf(plural, a.previous) : new Map()
      for (const quota of present.sort((x, y) => ((x.metadata.name ?? '') < (y.metadata.name ?? '') ? -1 : 1))) checkQuota(a, plural, quota, before, after)
    },
  }

  function checkQuota(a: AdmissionAttributes, plural: Counted, quota: ResourceQuota, before: Usage, after: Usage): void {
    if (!scopesMatch(quota, plural, a.object)) return
    const hard = quota.spec?.hard ?? {}
    const relevant = Object.keys(hard).filter(key => after.has(key) || isPodAmount(plural, key)).sort()
    if (relevant.length === 0) return
    const missing = relevant.filter(key => isPodAmount(plural, key) && !specifies(a.object as Pod, key))
    if (plural === 'pods' && missing.length > 0) throw forbidden('', plural, a.name, `failed quota: ${quota.metadata.name ?? ''}: must specify ${describeMissing(a.object as Pod, missing)}`)
    const used: Usage = new Map()
    for (const object of live[plural].list(a.namespace)) {
      if (object.metadata.name === a.name || !scopesMatch(quota, plural, object)) continue
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
    throw forbidden('', plural, a.name, `exceeded quota: ${quota.metadata.name ?? ''}, requested: ${list(asked)}, used: ${list(usedNow)}, limited: ${list(key => parseQuantity(hard[key] ?? '0'))}`)
  }
}

function usageOf(plural: Counted, object: KubernetesObject): Usage {
  const usage: Usage = new Map()
  if (plural === 'pods') {
    const pod = object as Pod & { spec: PodSpec }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return usage
    add(usage, 'pods', one)
    for (const [key, amount] of podAmounts(pod.spec, 'requests')) { add(usage, `requests.${key}`, amount); if (['cpu', 'memory', 'ephemeral-storage'].includes(key)) add(usage, key, amount) }
    for (const [key, amount] of podAmounts(pod.spec, 'limits')) add(usage, `limits.${key}`, amount)
  }
  if (plural === 'persistentvolumeclaims') {
    const claim = object as PersistentVolumeClaim
    const storage = parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0')
    add(usage, 'persistentvolumeclaims', one)
    add(usage, 'requests.storage', storage)
    const storageClass = claim.spec?.storageClassName
    if (storageClass) { add(usage, `${storageClass}.storageclass.storage.k8s.io/persistentvolumeclaims`, one); add(usage, `${storageClass}.storageclass.storage.k8s.io/requests.storage`, storage) }
  }
  if (plural === 'services') {
    const type = (object as Service).spec?.type
    add(usage, 'services', one)
    if (type === 'NodePort' || type === 'LoadBalancer') add(usage, 'services.nodeports', parseQuantity(String((object as Service).spec?.ports?.length ?? 0)))
    if (type === 'LoadBalancer') add(usage, 'services.loadbalancers', one)
  }
  if (plural === 'secrets' || plural === 'resourcequotas') add(usage, plural, one)
  add(usage, `count/${plural}`, one)
  return usage
}

/** Sum of containers, or the largest init container. */
function podAmounts(spec: PodSpec, field: 'requests' | 'limits'): Usage {
  const total: Usage = new Map()
  for (const container of spec.containers) for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) add(total, key, parseQuantity(text))
  for (const container of spec.initContainers ?? []) {
    for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) {
      const amount = parseQuantity(text)
      if (compareQuantity(amount, total.get(key) ?? zeroQuantity) > 0) total.set(key, amount)
    }
  }
  return total
}

function isPodAmount(plural: Counted, key: string): boolean {
  return plural === 'pods' && (['cpu', 'memory', 'ephemeral-storage'].includes(key) || key.startsWith('requests.') || key.startsWith('limits.')) && key !== 'requests.storage'
}

const amountOf = (key: string): { field: 'requests' | 'limits'; name: string } => ({ field: key.startsWith('limits.') ? 'limits' : 'requests', name: key.replace(/^(requests|limits)\./, '') })

function lacking(pod: Pod, key: string): string[] {
  const { field, name } = amountOf(key)
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].filter(container => container.resources?.[field]?.[name] === undefined).map(container => container.name)
}

function specifies(pod: Pod, key: string): boolean {
  // Extended resources need not be asked for by every container.
  return !['cpu', 'memory', 'ephemeral-storage'].includes(amountOf(key).name) || lacking(pod, key).length === 0
}

function describeMissing(pod: Pod, missing: readonly string[]): string {
  return missing.map(key => `${key} for: ${lacking(pod, key).join(',')}`).join('; ')
}

function scopesMatch(quota: ResourceQuota, plural: Counted, object: KubernetesObject | undefined): boolean {
  const scopes = [...(quota.spec?.scopes ?? []).map(scope => ({ scopeName: scope, operator: 'Exists', values: [] as string[] })), ...(quota.spec?.scopeSelector?.matchExpressions ?? [])]
  if (scopes.length === 0) return true
  if (plural !== 'pods' || !object) return false
  const pod = object as Pod & { spec: PodSpec }
  return scopes.every(scope => podInScope(pod, scope.scopeName, scope.operator, scope.values ?? []))
}

function podInScope(pod: Pod & { spec: PodSpec }, scope: string, operator: string, values: readonly string[]): boolean {
  const terminating = pod.spec.activeDeadlineSeconds !== undefined
  const bestEffort = podAmounts(pod.spec, 'requests').size === 0 && podAmounts(pod.spec, 'limits').size === 0
  switch (scope) {
    case 'Terminating': return terminating
    case 'NotTerminating': return !terminating
    case 'BestEffort': return bestEffort
    case 'NotBestEffort': return !bestEffort
    case 'PriorityClass': {
      const name = pod.spec.priorityClassName ?? ''
      if (operator === 'In') return values.includes(name)
      if (operator === 'NotIn') return !values.includes(name)
      return operator === 'Exists' ? name !== '' : name === ''
    }
    default: return false
  }
}
