/** Pure questions and repairs of a change from one state of an object to the next. */
import type { FieldError, FieldErrorList } from '../../api/field-errors.ts'
import { FieldPath, invalidValue } from '../../api/field-errors.ts'
import { cloneJson, deepEqual } from '../../api/json.ts'
import type { KubernetesObject, ObjectMeta } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { conflict, invalid, unknownError } from '../../api/status-error.ts'
import type { UpdateRequest } from './registry.ts'
import type { WriteScope } from './scope.ts'
import { allowsUnconditionalUpdate, isCustom, shownKey, statusWritesKeepMetadata } from './strategy-facts.ts'

type Loose = Record<string, unknown>

/** Checks the version and uid that the caller named; true when it named no version, so that a conflict may be tried again. */
export function checkVersion(r: AnyResource, next: KubernetesObject, previous: KubernetesObject, request: UpdateRequest): boolean {
  const { uid, resourceVersion } = next.metadata
  // A patch that changes the uid changes a fixed field; a whole object with another uid is another object.
  if (uid && uid !== previous.metadata.uid && request.retry === undefined) {
    const detail = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid ?? ''}`
    const key = shownKey(r, previous.metadata.namespace ?? '', request.name)
    throw conflict(r.group, r.plural, request.name, `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${detail}`)
  }
  const named = resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== '0'
  if (!named && request.retry === undefined && !allowsUnconditionalUpdate(r)) {
    // Upstream names the resource here and shows the version as a number.
    throw invalid(r.group, r.plural, request.name, [invalidValue(FieldPath.root('metadata', 'resourceVersion'), 0, 'must be specified for an update')])
  }
  if (named && !/^[0-9]+$/.test(resourceVersion)) throw unknownError(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`)
  if (named && resourceVersion !== previous.metadata.resourceVersion) throw conflict(r.group, r.plural, request.name)
  return request.retry ?? !named
}

/** What no caller decides: identity, times, generation. In place. */
export function prepareChange(scope: WriteScope, next: KubernetesObject, previous: KubernetesObject): void {
  const r = scope.resource
  next.apiVersion = groupVersion(r.group, r.version)
  next.kind = r.kind
  const meta = next.metadata
  const old = previous.metadata
  if (r.scope === 'Namespaced') meta.namespace = scope.namespace
  else delete meta.namespace
  if (!meta.name) meta.name = old.name
  if (!meta.uid) keep(meta, old, 'uid')
  keep(meta, old, 'creationTimestamp')
  if (!meta.deletionTimestamp) keep(meta, old, 'deletionTimestamp')
  if (meta.deletionGracePeriodSeconds === undefined || meta.deletionGracePeriodSeconds === null) keep(meta, old, 'deletionGracePeriodSeconds')
  if (!meta.generateName) keep(meta, old, 'generateName')
  keep(meta, old, 'generation')
  delete meta.selfLink
  meta.resourceVersion = old.resourceVersion
}

function keep<K extends keyof ObjectMeta>(meta: ObjectMeta, old: ObjectMeta, field: K): void {
  if (old[field] === undefined) delete meta[field]
  else meta[field] = old[field]
}

/** A write of the object itself leaves status alone. In place. */
export function restoreStatus(next: KubernetesObject, previous: KubernetesObject): void {
  const { status } = previous as unknown as Loose
  if (status === undefined) delete (next as unknown as Loose)['status']
  else (next as unknown as Loose)['status'] = cloneJson(status)
}

/** A write of the status leaves everything else alone but metadata; some kinds keep their metadata too. In place. */
export function restoreAllButStatus(r: AnyResource, next: KubernetesObject, previous: KubernetesObject): void {
  const to = next as unknown as Loose
  const from = previous as unknown as Loose
  for (const field of Object.keys(to)) if (field !== 'status' && field !== 'metadata' && !(field in from)) delete to[field]
  for (const [field, value] of Object.entries(from)) if (field !== 'status' && field !== 'metadata') to[field] = cloneJson(value)
  if (statusWritesKeepMetadata(r)) next.metadata = { ...previous.metadata, ...(next.metadata.managedFields ? { managedFields: next.metadata.managedFields } : {}) }
}

/** A write of another part of the object (namespaces/finalize, certificatesigningrequests/approval, pods/ephemeralcontainers, pods/resize) changes that part alone. In place. */
export function restoreAllButPart(subresource: string, next: KubernetesObject, previous: KubernetesObject): void {
  const to = next as unknown as Loose
  const asked = { ...to }
  for (const field of Object.keys(to)) if (field !== 'metadata') delete to[field]
  for (const [field, value] of Object.entries(previous)) if (field !== 'metadata') to[field] = cloneJson(value)
  // An approval and a finalization may carry labels and annotations along.
  if (subresource !== 'approval' && subresource !== 'finalize') {
    const { managedFields } = next.metadata
    next.metadata = { ...previous.metadata, ...(managedFields ? { managedFields } : {}) }
  }
  const spec = (asked['spec'] ?? {}) as Loose
  const target = (to['spec'] ?? {}) as Loose
  if (subresource === 'finalize') to['spec'] = { ...target, ...('finalizers' in spec ? { finalizers: spec['finalizers'] } : { finalizers: undefined }) }
  if (subresource === 'approval') to['status'] = { ...((to['status'] ?? {}) as Loose), conditions: ((asked['status'] ?? {}) as Loose)['conditions'] }
  if (subresource === 'ephemeralcontainers') to['spec'] = { ...target, ephemeralContainers: spec['ephemeralContainers'] }
  if (subresource === 'resize')
    to['spec'] = {
      ...target,
      containers: withResources(target['containers'], spec['containers']),
      ...('initContainers' in target ? { initContainers: withResources(target['initContainers'], spec['initContainers']) } : {}),
    }
  for (const part of ['spec', 'status']) dropUndefined(to[part])
}

interface ContainerLike {
  readonly name?: string
  readonly resources?: unknown
  readonly resizePolicy?: unknown
}

/** Containers as they are, with the resources that were asked for by name. */
function withResources(present: unknown, asked: unknown): unknown {
  const byName = new Map(((asked ?? []) as ContainerLike[]).map(container => [container.name, container]))
  return ((present ?? []) as ContainerLike[]).map(container => {
    const wanted = byName.get(container.name)
    return wanted ? { ...container, resources: wanted.resources ?? {}, ...(wanted.resizePolicy ? { resizePolicy: wanted.resizePolicy } : {}) } : container
  })
}

function dropUndefined(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, field] of Object.entries(value)) if (field === undefined) delete (value as Loose)[key]
}

/** True when what the user declares differs: everything but metadata and status. */
export function declaredDiffers(r: AnyResource, next: KubernetesObject, previous: KubernetesObject): boolean {
  // A deployment's annotations are copied to its replica sets, so they count.
  if (r.group === 'apps' && r.plural === 'deployments' && !deepEqual(next.metadata.annotations ?? {}, previous.metadata.annotations ?? {})) return true
  // An endpoint slice's labels tell whose it is; Kubernetes counts their changes.
  if (r.plural === 'endpointslices' && !deepEqual(next.metadata.labels ?? {}, previous.metadata.labels ?? {})) return true
  const countsStatus = isCustom(r) && r.subresources?.status !== true
  return !deepEqual(declared(next, countsStatus), declared(previous, countsStatus))
}

function declared(object: KubernetesObject, countsStatus: boolean): Loose {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, status, ...others } = object as KubernetesObject & { status?: unknown }
  const rest = countsStatus && status !== undefined ? { ...others, status } : others
  // What is always written is null in the store and absent in a request.
  return Object.fromEntries(Object.entries(rest as Loose).filter(([, value]) => value !== null))
}

/** True when a write would change nothing. Times of managed fields alone are no change. */
export function sameStored(next: KubernetesObject, previous: KubernetesObject): boolean {
  const { metadata: nextMeta, ...nextRest } = next
  const { metadata: oldMeta, ...oldRest } = previous
  return deepEqual(nextRest, oldRest) && deepEqual(withoutTimes(nextMeta), withoutTimes(oldMeta))
}

function withoutTimes(meta: ObjectMeta): ObjectMeta {
  const { managedFields, ...rest } = meta
  const clean = Object.fromEntries(Object.entries(rest).filter(([, value]) => !isEmpty(value)))
  return { ...clean, managedFields: (managedFields ?? []).map(({ time: _time, ...entry }) => entry) } as ObjectMeta
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

/** True when metadata that is validated has not changed, so that old objects stay writable after rules become stricter. */
export function sameMetadata(next: KubernetesObject, previous: KubernetesObject): boolean {
  return (['name', 'namespace', 'labels', 'annotations', 'ownerReferences', 'finalizers', 'generateName', 'generation'] as const).every(field =>
    deepEqual(next.metadata[field], previous.metadata[field]),
  )
}

/** True when this change takes away the last reason for which a deleted object still stands. */
export function isLastFinalizerGone(r: AnyResource, next: KubernetesObject, previous: KubernetesObject): boolean {
  if ((next.metadata.finalizers?.length ?? 0) > 0 || !previous.metadata.deletionTimestamp) return false
  if (r.plural === 'namespaces' && r.group === '' && ((next as { spec?: { finalizers?: string[] } }).spec?.finalizers?.length ?? 0) > 0) return false
  return (previous.metadata.deletionGracePeriodSeconds ?? 0) === 0
}

/** Faults without repetitions (metadata may be checked by a kind as well). */
export function dedupe(faults: FieldErrorList): FieldErrorList {
  const seen = new Set<string>()
  return faults.filter((fault: FieldError) => {
    const key = `${fault.type}\u0000${fault.field}\u0000${fault.message}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
