/** Between objects in the version of a request and entries of the store: keys, conversion, translation of store errors. */
import type { AnyResource } from '../../api/resource.ts'
import { storageKey, storagePrefix, storedAs } from '../../api/resource.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { alreadyExists, conflict, expired, internalError, notFound, requestTooLarge, serviceUnavailable, tooLargeResourceVersion } from '../../api/status-error.ts'
import { maxObjectBytes } from '../../store/entry.ts'
import { StoreError } from '../../store/store.ts'
import type { StorableObject, StoredEntry } from '../../store/store.ts'
import type { Result } from './scope.ts'

export function keyFor(r: AnyResource, namespace: string, name: string): string {
  // A namespace's own request names it twice, but it lives in none.
  return storageKey(storedAs(r), r.scope === 'Namespaced' ? namespace : '', name)
}

export function prefixFor(r: AnyResource, namespace: string): string {
  return storagePrefix(storedAs(r), r.scope === 'Namespaced' && namespace !== '' ? namespace : undefined)
}

const converted = new WeakMap<StoredEntry, Map<AnyResource, KubernetesObject>>()

/** The object of an entry in the version of `r`. Frozen by convention. */
export function objectOf(r: AnyResource, entry: StoredEntry): KubernetesObject {
  const { conversion } = r
  if (!conversion) return entry.object as unknown as KubernetesObject
  let versions = converted.get(entry)
  if (!versions) converted.set(entry, (versions = new Map()))
  let object = versions.get(r)
  if (!object) versions.set(r, (object = conversion.fromStored(entry.object as unknown as KubernetesObject) as KubernetesObject))
  return object
}

/** Whether the bytes of an entry are its object in the version of `r`. */
export function sharesBytes(r: AnyResource, entry: StoredEntry): boolean {
  return !r.conversion || objectOf(r, entry) === (entry.object as unknown as KubernetesObject)
}

/** Waits for what objectOf needs, where a webhook converts. Throws a StatusError. */
export async function prepareEntries(r: AnyResource, entries: readonly StoredEntry[]): Promise<void> {
  await r.conversion?.prepare?.(
    entries.map(entry => entry.object as unknown as KubernetesObject),
    'fromStored',
  )
}

export function resultOf(r: AnyResource, entry: StoredEntry): Result {
  return sharesBytes(r, entry) ? { object: entry.object as unknown as KubernetesObject, entry } : { object: objectOf(r, entry) }
}

/** The shape that is stored: apiVersion, kind and metadata first, so that lists can cut them off the shared bytes. */
export function toStored(r: AnyResource, object: KubernetesObject): StorableObject {
  const stored = r.conversion ? r.conversion.toStored(object) : object
  const { apiVersion, kind, metadata, ...rest } = stored
  return { apiVersion, kind, metadata, ...rest } as unknown as StorableObject
}

const tooLarge = (): Error => requestTooLarge(`limit is ${maxObjectBytes}`)

/** What the store refuses by itself, for writes that never reach it (dry runs). Throws requestTooLarge. */
export function checkSize(bytes: number): void {
  if (bytes > maxObjectBytes) throw tooLarge()
}

/** The StatusError of an error of the store. */
export function storeFault(fault: unknown, r: AnyResource, name: string): unknown {
  if (!(fault instanceof StoreError)) return fault
  switch (fault.code) {
    case 'exists':
      return alreadyExists(r.group, r.plural, name)
    case 'missing':
      return notFound(r.group, r.plural, name)
    case 'conflict':
      return conflict(r.group, r.plural, name)
    case 'too-large':
      return tooLarge()
    case 'compacted':
      return expired('The resourceVersion for the provided list is too old.')
    case 'future': {
      const current = /current: (\d+)/.exec(fault.message)?.[1] ?? '0'
      return tooLargeResourceVersion(/(\d+)/.exec(fault.message)?.[1] ?? '0', current)
    }
    case 'readonly':
    case 'closed':
    case 'locked':
      return serviceUnavailable(`the store cannot be written now: ${fault.message}`)
    default:
      return internalError(fault.message)
  }
}
