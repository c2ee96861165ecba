/** LimitRanges of a namespace: defaults into pods, and bounds on containers, pods and claims. */
import { addQuantity, canonicalQuantity, compareQuantity, floatValue, formatQuantity, parseQuantity, zeroQuantity, type Quantity } from '../../api/quantity.ts'
import { forbidden } from '../../api/status-error.ts'
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, PodSpec } from '../../api/generated/core-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

type Amounts = Record<string, string>
const annotation = 'kubernetes.io/limit-ranger'

export function limitRanger(copies: LiveCopies): AdmissionPlugin {
  const ranges = copies.of<LimitRange>(places.limitRanges)
  const itemsIn = (namespace: string): LimitRangeItem[] =>
    ranges
      .list(namespace)
      .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
      .flatMap(range => range.spec?.limits ?? [])
  const isPod = (a: AdmissionAttributes): boolean => a.resource.group === '' && a.resource.plural === 'pods' && a.subresource === '' && a.operation === 'CREATE'
  const isClaim = (a: AdmissionAttributes): boolean =>
    a.resource.group === '' && a.resource.plural === 'persistentvolumeclaims' && a.subresource === '' && (a.operation === 'CREATE' || a.operation === 'UPDATE')

  return {
    name: 'LimitRanger',
    async mutate(a) {
      if (!isPod(a)) return
      const items = itemsIn(a.namespace).filter(item => item.type === 'Container')
      if (items.length > 0) setDefaults(a.object as Pod & { spec: PodSpec }, items)
    },
    async validate(a) {
      if (!isPod(a) && !isClaim(a)) return
      const items = itemsIn(a.namespace)
      if (items.length === 0) return
      const faults = isPod(a) ? podFaults(a.object as Pod & { spec: PodSpec }, items) : claimFaults(a.object as PersistentVolumeClaim, items)
      if (faults.length > 0) throw forbidden('', a.resource.plural, a.name, faults.length === 1 ? (faults[0] ?? '') : `[${faults.join(', ')}]`)
    },
  }
}

function setDefaults(pod: Pod & { spec: PodSpec }, items: readonly LimitRangeItem[]): void {
  const requests: Amounts = Object.assign({}, ...items.map(item => item.defaultRequest ?? {}))
  const limits: Amounts = Object.assign({}, ...items.map(item => item.default ?? {}))
  const notes: string[] = []
  const apply = (container: Container, what: string): void => {
    const resources = (container.resources ??= {})
    const set = (field: 'requests' | 'limits', defaults: Amounts, name: string): void => {
      const lacking = Object.keys(defaults)
        .filter(key => resources[field]?.[key] === undefined)
        .sort()
      if (lacking.length === 0) return
      resources[field] = { ...resources[field], ...Object.fromEntries(lacking.map(key => [key, canonicalQuantity(defaults[key] ?? '0')])) }
      notes.push(`${lacking.join(', ')} ${name} for ${what} ${container.name}`)
    }
    set('requests', requests, 'request')
    set('limits', limits, 'limit')
  }
  for (const container of pod.spec.containers) apply(container, 'container')
  for (const container of pod.spec.initContainers ?? []) apply(container, 'init container')
  if (notes.length > 0) pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${notes.join('; ')}` }
}

/* ---- bounds ---- */

const keys = (amounts: Amounts | undefined): string[] => Object.keys(amounts ?? {}).sort()
const quantity = (amounts: Amounts | undefined, key: string): Quantity | undefined => {
  const text = amounts?.[key]
  return text === undefined ? undefined : parseQuantity(text)
}
const show = (q: Quantity): string => formatQuantity(q)

function faultsOf(item: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  const type = item.type
  const faults: string[] = []
  for (const key of keys(item.min)) {
    const least = quantity(item.min, key) ?? zeroQuantity
    const [request, limit] = [quantity(requests, key), quantity(limits, key)]
    if (!request) faults.push(`minimum ${key} usage per ${type} is ${show(least)}.  No request is specified`)
    else if (compareQuantity(request, least) < 0) faults.push(`minimum ${key} usage per ${type} is ${show(least)}, but request is ${show(request)}`)
    else if (limit && compareQuantity(limit, least) < 0) faults.push(`minimum ${key} usage per ${type} is ${show(least)}, but limit is ${show(limit)}`)
  }
  for (const key of keys(item.max)) {
    const most = quantity(item.max, key) ?? zeroQuantity
    const [request, limit] = [quantity(requests, key), quantity(limits, key)]
    if (!limit) faults.push(`maximum ${key} usage per ${type} is ${show(most)}.  No limit is specified`)
    else if (compareQuantity(limit, most) > 0) faults.push(`maximum ${key} usage per ${type} is ${show(most)}, but limit is ${show(limit)}`)
    else if (request && compareQuantity(request, most) > 0) faults.push(`maximum ${key} usage per ${type} is ${show(most)}, but request is ${show(request)}`)
  }
  for (const key of keys(item.maxLimitRequestRatio)) faults.push(...ratioFaults(item, key, quantity(requests, key), quantity(limits, key)))
  return faults
}

function ratioFaults(item: LimitRangeItem, key: string, request: Quantity | undefined, limit: Quantity | undefined): string[] {
  const most = quantity(item.maxLimitRequestRatio, key) ?? zeroQuantity
  const start = `${key} max limit to request ratio per ${item.type} is ${show(most)}, but `
  if (!request || floatValue(request) === 0) return [`${start}no request is specified or request is 0`]
  if (!limit || floatValue(limit) === 0) return [`${start}no limit is specified or limit is 0`]
  const ratio = floatValue(limit) / floatValue(request)
  return ratio > floatValue(most) ? [`${start}provided ratio is ${ratio.toFixed(6)}`] : []
}

function podFaults(pod: Pod & { spec: PodSpec }, items: readonly LimitRangeItem[]): string[] {
  const faults: string[] = []
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  for (const item of items) {
    if (item.type === 'Container') for (const container of containers) faults.push(...faultsOf(item, container.resources?.requests ?? {}, container.resources?.limits ?? {}))
    if (item.type === 'Pod') faults.push(...faultsOf(item, podTotal(pod.spec, 'requests'), podTotal(pod.spec, 'limits')))
  }
  return faults
}

/** Sum of the containers, or the largest init container where that is more. */
function podTotal(spec: PodSpec, field: 'requests' | 'limits'): Amounts {
  const total = new Map<string, Quantity>()
  for (const container of spec.containers) {
    for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) total.set(key, addQuantity(total.get(key) ?? zeroQuantity, parseQuantity(text)))
  }
  for (const container of spec.initContainers ?? []) {
    for (const [key, text] of Object.entries(container.resources?.[field] ?? {})) {
      const one = parseQuantity(text)
      const before = total.get(key)
      if (!before || compareQuantity(one, before) > 0) total.set(key, one)
    }
  }
  return Object.fromEntries([...total].map(([key, q]) => [key, formatQuantity(q)]))
}

function claimFaults(claim: PersistentVolumeClaim, items: readonly LimitRangeItem[]): string[] {
  const requests = claim.spec?.resources?.requests ?? {}
  const faults: string[] = []
  for (const item of items) {
    if (item.type !== 'PersistentVolumeClaim') continue
    for (const key of keys(item.min)) {
      const [least, request] = [quantity(item.min, key) ?? zeroQuantity, quantity(requests, key)]
      if (!request) faults.push(`minimum ${key} usage per PersistentVolumeClaim is ${show(least)}.  No request is specified`)
      else if (compareQuantity(request, least) < 0) faults.push(`minimum ${key} usage per PersistentVolumeClaim is ${show(least)}, but request is ${show(request)}`)
    }
    for (const key of keys(item.max)) {
      const [most, request] = [quantity(item.max, key) ?? zeroQuantity, quantity(requests, key)]
      if (!request) faults.push(`maximum ${key} usage per PersistentVolumeClaim is ${show(most)}.  No request is specified`)
      else if (compareQuantity(request, most) > 0) faults.push(`maximum ${key} usage per PersistentVolumeClaim is ${show(most)}, but request is ${show(request)}`)
    }
  }
  return faults
}
