/** How stores make entries: the object with its resourceVersion, frozen, and its bytes, encoded once. */
import { StoreError } from './store.ts'
import type { StorableObject, StoredEntry } from './store.ts'
import { decodeStored, encodeStored, freezeDeep } from './json.ts'

/** etcd's limit of a request, which Kubernetes users know: 1.5 MiB. */
export const maxObjectBytes = 1.5 * 1024 * 1024

/** An entry of a new write. `object` may be shared and frozen; it is not altered. Throws StoreError 'too-large'. */
export function makeEntry(key: string, revision: number, createRevision: number, object: StorableObject): StoredEntry {
  const stamped = freezeDeep({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } })
  const bytes = encodeStored(stamped)
  if (bytes.length > maxObjectBytes) throw new StoreError('too-large', `${key} would take ${bytes.length} bytes, more than ${maxObjectBytes}`)
  return { key, revision, createRevision, object: stamped, bytes }
}

/** An entry read from disk: its object is decoded when somebody first asks for it. */
export class DiskEntry implements StoredEntry {
  readonly key: string
  readonly revision: number
  readonly createRevision: number
  readonly bytes: Uint8Array
  #object: StorableObject | undefined

  constructor(key: string, revision: number, createRevision: number, bytes: Uint8Array) {
    this.key = key
    this.revision = revision
    this.createRevision = createRevision
    this.bytes = bytes
  }

  get object(): StorableObject {
    this.#object ??= freezeDeep(decodeStored(this.bytes) as StorableObject)
    return this.#object
  }
}
