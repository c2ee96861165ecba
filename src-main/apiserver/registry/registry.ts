/**
 * Create and update as every kind does them: metadata, strategy, validation, validating admission, then one write that
 * holds only if nobody else wrote in between. The strategies themselves are in the kinds' declarations.
 */
import type { Env } from '../../base/env.ts'
import { FieldPath } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import { maskTrailingDash, validateObjectMeta, validateObjectMetaUpdate } from '../../api/metadata.ts'
import { generateName } from '../../api/names.ts'
import type { AnyResource } from '../../api/resource.ts'
import { schemaOf } from '../../api/schema.ts'
import { finishShape } from '../../api/shape.ts'
import { alreadyExists, conflict, forbidden, generateNameConflict, invalid, isAlreadyExists, isConflict, notFound, unknownError } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import { encodeStored } from '../../store/json.ts'
import type { Expectation, Store, StoredEntry } from '../../store/store.ts'
import { partFaults } from './part-validation.ts'
import type { Result, WriteScope } from './scope.ts'
import { writeContext } from './scope.ts'
import { checkSize, keyFor, objectOf, prepareEntries, resultOf, storeFault, toStored } from './storage.ts'
import { allowsCreateOnUpdate, allowsPlainFinalizers, isCustom } from './strategy-facts.ts'
import {
  checkVersion,
  declaredDiffers,
  dedupe,
  isLastFinalizerGone,
  prepareChange,
  restoreAllButPart,
  restoreAllButStatus,
  restoreStatus,
  sameMetadata,
  sameStored,
} from './change.ts'

/** Names that are made at random before a taken one is an error. */
const GENERATED_NAME_TRIES = 8
/** Times that an update without a resourceVersion is tried against changes of others. */
const UPDATE_TRIES = 20

/** Things that must happen together with a write of some kind (addresses of services). `undo` runs when the write failed or was a dry run. */
export interface WriteHook {
  /** Alters `next` in place; resolves with what to do afterwards. */
  prepare(next: KubernetesObject, previous: KubernetesObject | undefined, scope: WriteScope): Promise<{ done(): void; undo(): void } | undefined>
  deleted?(object: KubernetesObject): void
}

export interface RegistryOptions {
  readonly env: Env
  readonly store: Store
  /** By groupResource. */
  readonly hooks?: ReadonlyMap<string, WriteHook>
}

export interface UpdateRequest {
  readonly name: string
  /** Gives the new object from the present one (frozen; undefined when it does not exist). May run again after a conflict. */
  next(previous: KubernetesObject | undefined): Promise<KubernetesObject>
  /** 'update': the kind's rule; 'apply': always create when missing. */
  readonly whenMissing?: 'update' | 'apply' | 'never'
  /** The caller's object named a resourceVersion: never tried again. Default: taken from what `next` returned. */
  readonly retry?: boolean
}

const root = FieldPath.root()

/** Parts that a strategy took over from the present, frozen object become the next object's own. In place. */
function thaw(object: KubernetesObject): void {
  const parts = object as unknown as Record<string, unknown>
  for (const [field, value] of Object.entries(parts)) if (typeof value === 'object' && Object.isFrozen(value)) parts[field] = cloneJson(value)
}

/** Another write came first and the caller did not care which version it changed. */
class RetryableConflict extends Error {
  readonly error: unknown
  constructor(error: unknown) {
    super('conflict')
    this.error = error
  }
}

export class Registry {
  readonly env: Env
  readonly store: Store
  readonly #hooks: ReadonlyMap<string, WriteHook>

  constructor(options: RegistryOptions) {
    this.env = options.env
    this.store = options.store
    this.#hooks = options.hooks ?? new Map()
  }

  hookFor(r: AnyResource): WriteHook | undefined {
    return this.#hooks.get(r.group === '' ? r.plural : `${r.plural}.${r.group}`)
  }

  /** The stored entry; throws notFound. */
  async entry(r: AnyResource, namespace: string, name: string): Promise<StoredEntry> {
    const entry = await this.store.get(keyFor(r, namespace, name))
    if (!entry) throw notFound(r.group, r.plural, name)
    if (r.conversion?.prepare) await prepareEntries(r, [entry])
    return entry
  }

  async get(r: AnyResource, namespace: string, name: string): Promise<Result> {
    return resultOf(r, await this.entry(r, namespace, name))
  }

  /** `object` is the caller's own and is altered. */
  async create(scope: WriteScope, object: KubernetesObject): Promise<Result> {
    const { resource: r } = scope
    if (r.closed !== undefined) throw forbidden(r.group, r.plural, object.metadata.name ?? '', r.closed)
    const generated = !object.metadata.name && Boolean(object.metadata.generateName)
    for (let attempt = 1; ; attempt++) {
      const next = generated ? cloneJson(object) : object
      if (generated) next.metadata.name = generateName(object.metadata.generateName ?? '', this.env.random)
      try {
        return await this.#createOnce(scope, next)
      } catch (fault) {
        if (!generated || !isAlreadyExists(fault)) throw fault
        if (attempt === GENERATED_NAME_TRIES) throw generateNameConflict(scope.resource.group, scope.resource.plural, next.metadata.name ?? '', 1)
      }
    }
  }

  async #createOnce(scope: WriteScope, object: KubernetesObject): Promise<Result> {
    const r = scope.resource
    this.#prepareNew(scope, object)
    const hook = await this.hookFor(r)?.prepare(object, undefined, scope)
    let kept = false
    try {
      const faults = [...this.#metadataFaults(r, object), ...(r.validate?.(object, root) ?? [])]
      if (faults.length > 0) throw invalid(r.group, r.kind, object.metadata.name ?? '', dedupe(faults))
      for (const text of r.warnings?.(object) ?? []) scope.warn(text)
      await scope.admitCreate?.(object)
      finishShape(object, schemaOf(r))
      const result = await this.#write(scope, object, object.metadata.name ?? '', { absent: true })
      kept = !scope.dryRun
      return result
    } finally {
      if (kept) hook?.done()
      else hook?.undo()
    }
  }

  #prepareNew(scope: WriteScope, object: KubernetesObject): void {
    const r = scope.resource
    const now = this.env.clock.now()
    const { metadata } = object
    object.apiVersion = groupVersion(r.group, r.version)
    object.kind = r.kind
    if (metadata.resourceVersion && metadata.resourceVersion !== '0' && !scope.mayNameVersion) throw unknownError('resourceVersion should not be set on objects to be created')
    for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'resourceVersion'] as const) delete metadata[field]
    if (r.scope !== 'Namespaced') delete metadata.namespace
    else if (scope.namespace !== '') metadata.namespace = scope.namespace
    if (isCustom(r) && r.subresources?.status) delete (object as { status?: unknown }).status
    // Before the strategy: jobs select their pods by their own uid.
    metadata.creationTimestamp = formatTime(now)
    metadata.uid = this.env.random.uuid()
    r.prepareForCreate?.(object, writeContext(scope, now))
    if (r.generation) metadata.generation = 1
  }

  #metadataFaults(r: AnyResource, object: KubernetesObject): FieldErrorList {
    const { validateName } = r
    return validateObjectMeta(object.metadata, {
      namespaced: r.scope === 'Namespaced',
      plainFinalizers: allowsPlainFinalizers(r),
      ...(validateName ? { validateName: (name: string, prefix: boolean) => validateName(prefix ? maskTrailingDash(name) : name) } : {}),
    })
  }

  /** Reads, changes, checks and writes; tries again when another write came between and the caller named no resourceVersion. */
  async update(scope: WriteScope, request: UpdateRequest): Promise<{ result: Result; created: boolean; deleted: boolean }> {
    const r = scope.resource
    for (let attempt = 1; ; attempt++) {
      const entry = await this.store.get(keyFor(r, scope.namespace, request.name))
      if (entry && r.conversion?.prepare) await prepareEntries(r, [entry])
      const previous = entry && objectOf(r, entry)
      if (!previous && (request.whenMissing === 'never' || (request.whenMissing !== 'apply' && (scope.subresource !== '' || !allowsCreateOnUpdate(r)))))
        throw notFound(r.group, r.plural, request.name)
      const next = await request.next(previous)
      if (!entry || !previous) return { result: await this.#createByUpdate(scope, next, request), created: true, deleted: false }
      try {
        return { created: false, ...(await this.#updateOnce(scope, next, previous, entry, request)) }
      } catch (fault) {
        if (!(fault instanceof RetryableConflict) || attempt >= UPDATE_TRIES) throw fault instanceof RetryableConflict ? fault.error : fault
      }
    }
  }

  async #createByUpdate(scope: WriteScope, next: KubernetesObject, { name, whenMissing }: UpdateRequest): Promise<Result> {
    const r = scope.resource
    const { uid, resourceVersion } = next.metadata
    // An object that names what it replaces cannot have been there.
    if (uid)
      throw conflict(
        r.group,
        r.plural,
        name,
        whenMissing === 'apply'
          ? `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
          : `Precondition failed: UID in precondition: ${uid}, UID in object meta: `,
      )
    if (resourceVersion && resourceVersion !== '0' && whenMissing !== 'apply') throw notFound(r.group, r.plural, name)
    return this.create({ ...scope, mayNameVersion: true }, next)
  }

  async #updateOnce(
    scope: WriteScope,
    next: KubernetesObject,
    previous: KubernetesObject,
    entry: StoredEntry,
    request: UpdateRequest,
  ): Promise<{ result: Result; deleted: boolean }> {
    const r = scope.resource
    const unconditional = checkVersion(r, next, previous, request)
    prepareChange(scope, next, previous)
    const context = writeContext(scope, this.env.clock.now())
    if (scope.subresource === 'status') restoreAllButStatus(r, next, previous)
    else if (scope.subresource !== '' && scope.subresource !== 'binding') restoreAllButPart(scope.subresource, next, previous)
    else if (r.subresources?.status && scope.subresource === '') restoreStatus(next, previous)
    if (scope.subresource === 'status') r.prepareForStatusUpdate?.(next, previous, context)
    else if (scope.subresource === '') r.prepareForUpdate?.(next, previous, context)
    if (r.generation && scope.subresource !== 'status' && scope.subresource !== 'binding' && declaredDiffers(r, shaped(r, next), previous))
      next.metadata.generation = (previous.metadata.generation ?? 0) + 1
    thaw(next)
    const hook = scope.subresource === '' ? await this.hookFor(r)?.prepare(next, previous, scope) : undefined
    let kept = false
    try {
      const faults = this.#changeFaults(scope, next, previous)
      if (faults.length > 0) throw invalid(r.group, r.kind, request.name, dedupe(faults))
      if (scope.subresource !== 'status') for (const text of r.warnings?.(next, previous) ?? []) scope.warn(text)
      await scope.admitUpdate?.(next, previous)
      finishShape(next, schemaOf(r))
      if (isLastFinalizerGone(r, next, previous)) {
        const result = await this.#removeAfterChange(scope, next, entry, unconditional)
        kept = !scope.dryRun
        return { result, deleted: true }
      }
      if (sameStored(next, previous)) {
        kept = true
        return { result: resultOf(r, entry), deleted: false }
      }
      const result = await this.#writeOver(scope, next, entry, unconditional)
      kept = !scope.dryRun
      return { result, deleted: false }
    } finally {
      if (kept) hook?.done()
      else hook?.undo()
    }
  }

  #changeFaults(scope: WriteScope, next: KubernetesObject, previous: KubernetesObject): FieldErrorList {
    const r = scope.resource
    const metadata = [
      ...validateObjectMetaUpdate(next.metadata, previous.metadata, FieldPath.root('metadata'), allowsPlainFinalizers(r)),
      ...(sameMetadata(next, previous) ? [] : this.#metadataFaults(r, next)),
    ]
    if (scope.subresource === 'status') return [...metadata, ...(r.validateStatusUpdate?.(next, previous, root) ?? [])]
    // The scheduler's binding was checked by its endpoint.
    if (scope.subresource === 'binding') return metadata
    return [
      ...metadata,
      ...(r.validate?.(next, root, previous) ?? []),
      ...(scope.subresource === '' ? (r.validateUpdate?.(next, previous, root) ?? []) : partFaults(scope.subresource, next, previous)),
    ]
  }

  async #writeOver(scope: WriteScope, next: KubernetesObject, entry: StoredEntry, unconditional: boolean): Promise<Result> {
    try {
      return await this.#write(scope, next, next.metadata.name ?? '', { revision: entry.revision })
    } catch (fault) {
      if (unconditional && isConflict(fault)) throw new RetryableConflict(fault)
      throw fault
    }
  }

  async #removeAfterChange(scope: WriteScope, next: KubernetesObject, entry: StoredEntry, unconditional: boolean): Promise<Result> {
    const r = scope.resource
    if (scope.dryRun) return { object: next }
    try {
      await this.remove(r, entry)
      return { object: next }
    } catch (fault) {
      const translated = storeFault(fault, r, next.metadata.name ?? '')
      if (unconditional && isConflict(translated)) throw new RetryableConflict(translated)
      throw translated
    }
  }

  /** Deletes an entry that nobody changed since it was read. Throws StoreError. */
  async remove(r: AnyResource, entry: StoredEntry): Promise<StoredEntry> {
    const gone = await this.store.delete(entry.key, { revision: entry.revision })
    if (r.conversion?.prepare) await prepareEntries(r, [gone])
    this.hookFor(r)?.deleted?.(objectOf(r, entry))
    return gone
  }

  async #write(scope: WriteScope, object: KubernetesObject, name: string, expect: Expectation): Promise<Result> {
    const r = scope.resource
    if (r.conversion?.prepare) await r.conversion.prepare([object], 'toStored')
    const stored = toStored(r, object)
    if (scope.dryRun) {
      checkSize(encodeStored(stored).length)
      if ('absent' in expect && (await this.store.get(keyFor(r, scope.namespace, name)))) throw alreadyExists(r.group, r.plural, name)
      return { object }
    }
    try {
      const entry = await this.store.put(keyFor(r, scope.namespace, name), stored, expect)
      if (r.conversion?.prepare) await prepareEntries(r, [entry])
      return resultOf(r, entry)
    } catch (fault) {
      throw storeFault(fault, r, name)
    }
  }

  /** Writes a change that skips strategy and admission (marks of deletion). Throws StatusError. */
  async overwrite(r: AnyResource, namespace: string, object: KubernetesObject, entry: StoredEntry): Promise<StoredEntry> {
    const name = object.metadata.name ?? ''
    if (r.conversion?.prepare) await r.conversion.prepare([object], 'toStored')
    try {
      const written = await this.store.put(keyFor(r, namespace, name), toStored(r, object), { revision: entry.revision })
      if (r.conversion?.prepare) await prepareEntries(r, [written])
      return written
    } catch (fault) {
      throw storeFault(fault, r, name)
    }
  }
}

/** A copy as it would be stored: what the request leaves out and the store writes as null is then no difference. */
function shaped(r: AnyResource, object: KubernetesObject): KubernetesObject {
  if (isCustom(r)) return object
  // Metadata and status do not count.
  const { metadata, status: _status, ...declared } = object as KubernetesObject & { status?: unknown }
  const copy = { ...cloneJson(declared), metadata: { ...metadata } } as KubernetesObject
  finishShape(copy, schemaOf(r))
  return copy
}
