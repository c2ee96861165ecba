/** What objects take of a ResourceQuota, and which quotas count them. Pure; for admission and the quota controller alike. */
import type { PersistentVolumeClaim, Pod, PodSpec, ResourceQuota, Service } from '../../generated/core-v1.ts'
import type { KubernetesObject } from '../../meta.ts'
import { addQuantity, compareQuantity, parseQuantity, zeroQuantity, type Quantity } from '../../quantity.ts'

export type Usage = Map<string, Quantity>

const one = parseQuantity('1')
/** Kinds that a quota may name without `count/`. */
const plainCounts: ReadonlySet<string> = new Set(['secrets', 'resourcequotas', 'configmaps', 'replicationcontrollers'])

export function addUsage(usage: Usage, key: string, amount: Quantity): void {
  usage.set(key, addQuantity(usage.get(key) ?? zeroQuantity, amount))
}

/** What one object takes of the quotas of its namespace; `plural` is `<plural>.<group>` outside the core group. */
export function usageOf(plural: string, object: KubernetesObject): Usage {
  const usage: Usage = new Map()
  if (plural === 'pods') {
    const pod = object as Pod & { spec: PodSpec }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return usage
    addUsage(usage, 'pods', one)
    for (const [key, amount] of podAmounts(pod.spec, 'requests')) {
      addUsage(usage, `requests.${key}`, amount)
      if (['cpu', 'memory', 'ephemeral-storage'].includes(key)) addUsage(usage, key, amount)
    }
    for (const [key, amount] of podAmounts(pod.spec, 'limits')) addUsage(usage, `limits.${key}`, amount)
  }
  if (plural === 'persistentvolumeclaims') {
    const claim = object as PersistentVolumeClaim
    const storage = parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0')
    addUsage(usage, 'persistentvolumeclaims', one)
    addUsage(usage, 'requests.storage', storage)
    const storageClass = claim.spec?.storageClassName
    if (storageClass) {
      addUsage(usage, `${storageClass}.storageclass.storage.k8s.io/persistentvolumeclaims`, one)
      addUsage(usage, `${storageClass}.storageclass.storage.k8s.io/requests.storage`, storage)
    }
  }
  if (plural === 'services') {
    const type = (object as Service).spec?.type
    addUsage(usage, 'services', one)
    if (type === 'NodePort' || type === 'LoadBalancer') addUsage(usage, 'services.nodeports', parseQuantity(String((object as Service).spec?.ports?.length ?? 0)))
    if (type === 'LoadBalancer') addUsage(usage, 'services.loadbalancers', one)
  }
  if (plainCounts.has(plural)) addUsage(usage, plural, one)
  addUsage(usage, `count/${plural}`, one)
  return usage
}

/** Sum of containers, or the largest init container. */
function podAmounts(spec: PodSpec, field: 'requests' | 'limits'): Usage {
  const total: Usage = new Map()
  for (const container of spec.containers) for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) addUsage(total, key, parseQuantity(text))
  for (const container of spec.initContainers ?? []) {
    for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) {
      const amount = parseQuantity(text)
      if (compareQuantity(amount, total.get(key) ?? zeroQuantity) > 0) total.set(key, amount)
    }
  }
  return total
}

/** Whether the quota counts this object: scopes speak of pods only. */
export function quotaScopesMatch(quota: ResourceQuota, plural: string, object: KubernetesObject | undefined): boolean {
  const scopes = [
    ...(quota.spec?.scopes ?? []).map(scope => ({ scopeName: scope, operator: 'Exists', values: [] as string[] })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ]
  if (scopes.length === 0) return true
  if (plural !== 'pods' || !object) return false
  const pod = object as Pod & { spec: PodSpec }
  return scopes.every(scope => podInScope(pod, scope.scopeName, scope.operator, scope.values ?? []))
}

function podInScope(pod: Pod & { spec: PodSpec }, scope: string, operator: string, values: readonly string[]): boolean {
  const terminating = pod.spec.activeDeadlineSeconds !== undefined
  const bestEffort = podAmounts(pod.spec, 'requests').size === 0 && podAmounts(pod.spec, 'limits').size === 0
  switch (scope) {
    case 'Terminating':
      return terminating
    case 'NotTerminating':
      return !terminating
    case 'BestEffort':
      return bestEffort
    case 'NotBestEffort':
      return !bestEffort
    case 'PriorityClass': {
      const name = pod.spec.priorityClassName ?? ''
      if (operator === 'In') return values.includes(name)
      if (operator === 'NotIn') return !values.includes(name)
      return operator === 'Exists' ? name !== '' : name === ''
    }
    default:
      return false
  }
}
