/**
 * Deletion as Kubernetes does it: preconditions, grace (pods), finalizers and propagation policies. An object with
 * finalizers or grace is marked; it goes when the last finalizer is taken away or its kubelet deletes it with grace 0.
 */
import { FieldPath, invalidValue, notSupported, notSupportedInOrder } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { storedAs } from '../../api/resource.ts'
import { conflict, invalid, isConflict, isNotFound, StatusError } from '../../api/status-error.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import type { StoredEntry } from '../../store/store.ts'
import { markedDefinition } from './definition-deletion.ts'
import type { Registry } from './registry.ts'
import type { Result, WriteScope } from './scope.ts'
import { objectOf, resultOf, storeFault } from './storage.ts'
import { isNeverCollected, orphansDependentsByDefault } from './strategy-facts.ts'

/** meta/v1 DeleteOptions, as far as a server reads it. */
export interface DeleteRequest {
  readonly gracePeriodSeconds?: number
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly orphanDependents?: boolean
  readonly propagationPolicy?: string
  readonly dryRun?: readonly string[]
}

export interface Deleted {
  /** The last state, or the marked one. */
  readonly result: Result
  /** False when the object is only marked. */
  readonly gone: boolean
}

const ORPHAN = 'orphan'
const FOREGROUND = 'foregroundDeletion'
/** Tries against changes by others between reading and writing. */
const DELETE_TRIES = 20

/** Throws invalid for options that contradict each other. */
export function checkDeleteRequest(options: DeleteRequest): void {
  const faults: FieldErrorList = []
  const policy = FieldPath.root('propagationPolicy')
  if (options.orphanDependents !== undefined && options.orphanDependents !== null && options.propagationPolicy !== undefined && options.propagationPolicy !== null) {
    faults.push(invalidValue(policy, options.propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'))
  }
  if (options.propagationPolicy && !['Foreground', 'Background', 'Orphan'].includes(options.propagationPolicy)) {
    faults.push(notSupportedInOrder(policy, options.propagationPolicy, ['Foreground', 'Background', 'Orphan', 'nil']))
  }
  if ((options.dryRun ?? []).some(value => value !== 'All')) faults.push(notSupported(FieldPath.root('dryRun'), [...(options.dryRun ?? [])], ['All']))
  if (faults.length > 0) throw invalid('meta.k8s.io', 'DeleteOptions', '', faults)
}

function checkPreconditions(r: AnyResource, object: KubernetesObject, options: DeleteRequest): void {
  const { uid, resourceVersion } = options.preconditions ?? {}
  const name = object.metadata.name ?? ''
  if (r.group === '' && r.plural === 'namespaces') return checkNamespacePreconditions(object, uid, resourceVersion)
  const { group, kind } = storedAs(r)
  if (uid && uid !== object.metadata.uid) {
    throw conflict(
      group,
      kind,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${object.metadata.uid ?? ''}). The object might have been deleted and then recreated`,
    )
  }
  if (resourceVersion && resourceVersion !== object.metadata.resourceVersion) {
    throw conflict(
      group,
      kind,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${object.metadata.resourceVersion ?? ''}). The object might have been modified`,
    )
  }
}

/** Namespaces have a deletion of their own, and with it texts of their own. */
function checkNamespacePreconditions({ metadata }: KubernetesObject, uid: string | undefined, resourceVersion: string | undefined): void {
  const fail = (field: string, asked: string, present: string | undefined): never => {
    throw conflict('', 'namespaces', metadata.name ?? '', `Precondition failed: ${field} in precondition: ${asked}, ${field} in object meta: ${present ?? ''}`)
  }
  if (uid && uid !== metadata.uid) fail('UID', uid, metadata.uid)
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) fail('ResourceVersion', resourceVersion, metadata.resourceVersion)
}

/** The finalizers of garbage collection that the options ask for, the others kept. */
function finalizersFor(r: AnyResource, object: KubernetesObject, options: DeleteRequest): string[] {
  const present = object.metadata.finalizers ?? []
  if (isNeverCollected(r)) return [...present]
  const rest = present.filter(finalizer => finalizer !== ORPHAN && finalizer !== FOREGROUND)
  if (options.orphanDependents === true || options.propagationPolicy === 'Orphan') return [...rest, ORPHAN]
  if (options.propagationPolicy === 'Foreground') return [...rest, FOREGROUND]
  if (options.propagationPolicy === 'Background' || options.orphanDependents === false) return rest
  if (present.includes(ORPHAN) || present.includes(FOREGROUND)) return [...present]
  return orphansDependentsByDefault(r) ? [...rest, ORPHAN] : rest
}

/** Deletes or marks one object. `admit` is validating admission, run once on what is deleted. */
export async function deleteObject(
  registry: Registry,
  scope: WriteScope,
  name: string,
  options: DeleteRequest,
  admit?: (object: KubernetesObject) => Promise<void>,
): Promise<Deleted> {
  checkDeleteRequest(options)
  const r = scope.resource
  let admitted = false
  for (let attempt = 1; ; attempt++) {
    const entry = await registry.entry(r, scope.namespace, name)
    const object = objectOf(r, entry)
    checkPreconditions(r, object, options)
    if (!admitted) await admit?.(object)
    admitted = true
    try {
      return await deleteOnce(registry, scope, object, entry, options)
    } catch (fault) {
      const translated = storeFault(fault, r, name)
      if (!isConflict(translated) || attempt >= DELETE_TRIES) throw translated
    }
  }
}

async function deleteOnce(registry: Registry, scope: WriteScope, object: KubernetesObject, entry: StoredEntry, options: DeleteRequest): Promise<Deleted> {
  const r = scope.resource
  if (r.group === '' && r.plural === 'namespaces') return deleteNamespace(registry, scope, object, entry)
  const now = registry.env.clock.now()
  if (r.group === 'apiextensions.k8s.io' && r.plural === 'customresourcedefinitions' && !object.metadata.deletionTimestamp) {
    const marked = markedDefinition(object, now)
    return { result: scope.dryRun ? { object: marked } : resultOf(r, await registry.overwrite(r, '', marked, entry)), gone: false }
  }
  const finalizers = finalizersFor(r, object, options)
  const marked = cloneJson(object)
  if (finalizers.length > 0) marked.metadata.finalizers = finalizers
  else delete marked.metadata.finalizers
  const grace = markGrace(r, marked, object, options, now)
  if (grace === 'pending') return { result: resultOf(r, entry), gone: false }
  if (finalizers.length > 0 && grace === 'none') markDeleting(marked, now)
  const stays = finalizers.length > 0 || (grace === 'marked' && (marked.metadata.deletionGracePeriodSeconds ?? 0) > 0)
  if (scope.dryRun) return { result: { object: stays ? marked : object }, gone: !stays }
  if (stays) {
    if (JSON.stringify(marked.metadata) === JSON.stringify(object.metadata)) return { result: resultOf(r, entry), gone: false }
    return { result: resultOf(r, await registry.overwrite(r, scope.namespace, marked, entry)), gone: false }
  }
  // A pod that is deleted gracelessly is seen with its deletionTimestamp first, so that watchers learn why it went.
  const last = grace === 'marked' ? await registry.overwrite(r, scope.namespace, marked, entry) : entry
  return { result: resultOf(r, await registry.remove(r, last)), gone: true }
}

/** Sets the marks of graceful deletion. 'none': the kind or the object has no grace; 'pending': it is being deleted already and nothing gets shorter. */
function markGrace(r: AnyResource, marked: KubernetesObject, object: KubernetesObject, options: DeleteRequest, now: number): 'none' | 'marked' | 'pending' {
  if (!r.gracePeriodSeconds) return 'none'
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata
  const asked = options.gracePeriodSeconds === undefined || options.gracePeriodSeconds === null ? undefined : Number(options.gracePeriodSeconds)
  const period = r.gracePeriodSeconds(object, asked !== undefined && asked < 0 ? 1 : asked)
  if (deletionTimestamp) {
    if (asked === undefined) return 'pending'
    const running = deletionGracePeriodSeconds ?? 0
    if (running > 0 && period >= running) return 'pending'
    if (running === 0 && (object.metadata.finalizers?.length ?? 0) > 0) return 'pending'
    const began = parseTime(deletionTimestamp) - running * 1_000
    marked.metadata.deletionTimestamp = formatTime(began + period * 1_000)
    marked.metadata.deletionGracePeriodSeconds = period
    return 'marked'
  }
  marked.metadata.deletionTimestamp = formatTime(now + period * 1_000)
  marked.metadata.deletionGracePeriodSeconds = period
  if ((marked.metadata.generation ?? 0) > 0) marked.metadata.generation = (marked.metadata.generation ?? 0) + 1
  return 'marked'
}

function markDeleting(marked: KubernetesObject, now: number): void {
  const { metadata } = marked
  if (!metadata.deletionTimestamp) {
    metadata.deletionTimestamp = formatTime(now)
    if ((metadata.generation ?? 0) > 0) metadata.generation = (metadata.generation ?? 0) + 1
  }
  metadata.deletionGracePeriodSeconds = 0
}

interface NamespaceLike extends KubernetesObject {
  spec?: { finalizers?: string[] }
  status?: { phase?: string }
}

/** A namespace is marked and Terminating until both kinds of its finalizers are gone. */
async function deleteNamespace(registry: Registry, scope: WriteScope, object: KubernetesObject, entry: StoredEntry): Promise<Deleted> {
  const r = scope.resource
  const namespace = object as NamespaceLike
  if (!namespace.metadata.deletionTimestamp) {
    const marked = cloneJson(namespace)
    marked.metadata.deletionTimestamp = formatTime(registry.env.clock.now())
    marked.status = { ...marked.status, phase: 'Terminating' }
    const empty = (marked.spec?.finalizers?.length ?? 0) === 0 && (marked.metadata.finalizers?.length ?? 0) === 0
    if (scope.dryRun) return { result: { object: marked }, gone: empty }
    const written = await registry.overwrite(r, '', marked, entry)
    if (!empty) return { result: resultOf(r, written), gone: false }
    return { result: resultOf(r, await registry.remove(r, written)), gone: true }
  }
  if ((namespace.spec?.finalizers?.length ?? 0) > 0 || (namespace.metadata.finalizers?.length ?? 0) > 0) return { result: resultOf(r, entry), gone: false }
  if (scope.dryRun) return { result: { object }, gone: true }
  return { result: resultOf(r, await registry.remove(r, entry)), gone: true }
}

/** True for errors that a deletion of a collection passes over: somebody else deleted the object. */
export function isGoneAlready(fault: unknown): boolean {
  return fault instanceof StatusError && isNotFound(fault)
}
