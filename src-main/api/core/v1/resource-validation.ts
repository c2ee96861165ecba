/** Validation of resource requirements and quantities, of containers and of pods. */
import type { Container, PodSpec, ResourceRequirements } from '../../generated/core-v1.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isQualifiedName } from '../../names.ts'
import { compareQuantity, milliValue, parseQuantity, value } from '../../quantity.ts'
import type { Quantity } from '../../quantity.ts'

const containerResources = ['cpu', 'memory', 'ephemeral-storage']
const standardResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
])

export const isHugePageResource = (name: string): boolean => name.startsWith('hugepages-')

/** A quantity, or undefined when the text is none (the decoder has told so already). */
export function quantityOf(text: string): Quantity | undefined {
  try {
    return parseQuantity(text)
  } catch {
    return undefined
  }
}

/** example.com/gpu: has a domain that is not kubernetes.io, and is no request of a quota. */
export function isExtendedResource(name: string): boolean {
  if (!name.includes('/') || name.includes('kubernetes.io/')) return false
  return !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0
}

export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/')

function standardNameFaults(name: string, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = isQualifiedName(name).map(text => invalidValue(path, name, text))
  if (faults.length > 0) return faults
  return name.includes('/') || standardResources.has(name) || isHugePageResource(name) ? [] : [invalidValue(path, name, 'must be a standard resource type or fully qualified')]
}

function containerNameFaults(name: string, path: FieldPath): FieldErrorList {
  const faults = standardNameFaults(name, path)
  if (!name.includes('/')) {
    if (!containerResources.includes(name) && !isHugePageResource(name)) faults.push(invalidValue(path, name, 'must be a standard resource for containers'))
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    faults.push(invalidValue(path, name, "doesn't follow extended resource name standard"))
  }
  return faults
}

/** Not negative, and whole for everything but cpu-like resources. */
export function quantityFaults(name: string, text: string, path: FieldPath): FieldErrorList {
  const quantity = quantityOf(text)
  if (quantity === undefined) return []
  const faults: FieldErrorList = []
  if (milliValue(quantity) < 0) faults.push(invalidValue(path, text, 'must be greater than or equal to 0'))
  if (isIntegerResource(name) && milliValue(quantity) % 1000 !== 0) faults.push(invalidValue(path, text, 'must be an integer'))
  return faults
}

const integerResources = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
])
const isIntegerResource = (name: string): boolean => integerResources.has(name) || isExtendedResource(name)

function hugePageFaults(name: string, text: string, path: FieldPath): FieldErrorList {
  if (!isHugePageResource(name)) return []
  const quantity = quantityOf(text)
  const page = quantityOf(name.slice('hugepages-'.length))
  if (quantity === undefined || page === undefined) return []
  const size = value(page)
  return size > 0 && value(quantity) % size === 0 ? [] : [invalidValue(path, text, `${text} is not positive integer multiple of ${name}`)]
}

/** Requirements of a container, or of a pod template's container. */
export function resourceRequirementsFaults(resources: ResourceRequirements | undefined, at: FieldPath, claimNames?: ReadonlySet<string>): FieldErrorList {
  if (resources === undefined) return []
  const faults: FieldErrorList = []
  const limits = Object.entries(resources.limits ?? {})
  const requests = Object.entries(resources.requests ?? {})
  for (const [name, text] of limits)
    faults.push(
      ...containerNameFaults(name, at.child('limits').key(name)),
      ...quantityFaults(name, text, at.child('limits').key(name)),
      ...hugePageFaults(name, text, at.child('limits').key(name)),
    )
  for (const [name, text] of requests) {
    const path = at.child('requests').key(name)
    faults.push(
      ...containerNameFaults(name, path),
      ...quantityFaults(name, text, path),
      ...requestVersusLimit(name, text, resources.limits?.[name], at),
      ...hugePageFaults(name, text, path),
    )
  }
  const all = [...limits, ...requests].map(([name]) => name)
  if (all.some(isHugePageResource) && !all.includes('cpu') && !all.includes('memory')) faults.push(forbiddenField(at, 'HugePages require cpu or memory'))
  return [...faults, ...resourceClaimFaults(resources, at, claimNames)]
}

function requestVersusLimit(name: string, request: string, limit: string | undefined, at: FieldPath): FieldErrorList {
  const fixed = !isNativeResource(name) || isHugePageResource(name)
  if (limit === undefined) return fixed ? [required(at.child('limits'), 'Limit must be set for non overcommitable resources')] : []
  const wanted = quantityOf(request)
  const most = quantityOf(limit)
  if (wanted === undefined || most === undefined) return []
  const order = compareQuantity(wanted, most)
  if (fixed && order !== 0) return [invalidValue(at.child('requests'), request, `must be equal to ${name} limit of ${limit}`)]
  return !fixed && order > 0 ? [invalidValue(at.child('requests'), request, `must be less than or equal to ${name} limit of ${limit}`)] : []
}

function resourceClaimFaults(resources: ResourceRequirements, at: FieldPath, claimNames: ReadonlySet<string> | undefined): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, claim] of (resources.claims ?? []).entries()) {
    const path = at.child('claims').index(i)
    if (!claim.name) faults.push(required(path.child('name'), ''))
    else if (claimNames !== undefined && !claimNames.has(claim.name))
      faults.push({ type: 'FieldValueNotFound', field: path.child('name').toString(), message: `Not found: ${JSON.stringify(claim.name)}` })
  }
  return faults
}

const podResources = ['cpu', 'hugepages-', 'memory']

/** Pod-level requirements: only cpu, memory and huge pages; never less than what the containers ask. */
export function podResourcesFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const resources = spec.resources
  if (resources === undefined) return []
  const faults: FieldErrorList = []
  if ((resources.claims?.length ?? 0) > 0) faults.push(forbiddenField(at.child('claims'), 'claims may not be set for Resources at pod-level'))
  for (const which of ['limits', 'requests'] as const) {
    for (const [name, text] of Object.entries(resources[which] ?? {})) {
      const path = at.child(which).key(name)
      if (name !== 'cpu' && name !== 'memory' && !isHugePageResource(name)) faults.push(notSupported(path, name, podResources))
      faults.push(...quantityFaults(name, text, path), ...hugePageFaults(name, text, path))
      if (which === 'requests') faults.push(...requestVersusLimit(name, text, resources.limits?.[name], at))
    }
  }
  for (const [name, text] of Object.entries(resources.requests ?? {})) faults.push(...aggregateFaults(name, text, spec.containers ?? [], at))
  return [...faults, ...containerLimitFaults(spec, at)]
}

function aggregateFaults(name: string, text: string, containers: readonly Container[], at: FieldPath): FieldErrorList {
  const asked = quantityOf(text)
  if (asked === undefined) return []
  let sum: Quantity = parseQuantity('0')
  for (const container of containers) {
    const own = quantityOf(container.resources?.requests?.[name] ?? '0')
    if (own !== undefined) sum = { ...sum, nano: sum.nano + own.nano, format: own.format }
  }
  return compareQuantity(asked, sum) < 0
    ? [invalidValue(at.child('requests').key(name), text, `must be greater than or equal to aggregate container requests of ${textOf(name, sum)}`)]
    : []
}

function textOf(name: string, quantity: Quantity): string {
  const milli = milliValue(quantity)
  if (name === 'cpu') return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`
  return String(value(quantity))
}

function containerLimitFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [name, most] of Object.entries(spec.resources?.limits ?? {})) {
    const limit = quantityOf(most)
    for (const [i, container] of (spec.containers ?? []).entries()) {
      const own = container.resources?.limits?.[name]
      const quantity = own === undefined ? undefined : quantityOf(own)
      if (limit !== undefined && quantity !== undefined && compareQuantity(quantity, limit) > 0) {
        faults.push(invalidValue(at.child('containers').index(i).key(name).child('limits'), own, `must be less than or equal to pod limits of ${most}`))
      }
    }
  }
  return faults
}
