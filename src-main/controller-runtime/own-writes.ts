/**
 * Keeps a controller from planning on a cache that has not yet seen its own writes (it would create or delete twice).
 * Writes are noted per key; the key is not reconciled again before the caches it reads have caught up with them.
 * Differs from upstream's counted expectations: nothing has to be counted by controllers, and nothing expires.
 */
import { keyOf } from '../api/meta.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { resourceKey } from '../api/resource.ts'
import type { AnyResource, ResourceDefinition } from '../api/resource.ts'
import { isNotFound } from '../api/status-error.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import type { Informer } from '../client/informer.ts'

type AnyInformer = Informer<KubernetesObject>

interface Pending {
  readonly versions: Map<AnyInformer, bigint>
  readonly deletions: { informer: AnyInformer; key: string; uid: string | undefined }[]
}

export class OwnWrites {
  readonly #pending = new Map<string, Pending>()
  readonly #informers: ReadonlyMap<string, AnyInformer>

  /** `informers` by resourceKey: the inputs of the controller. */
  constructor(informers: ReadonlyMap<string, AnyInformer>) {
    this.#informers = informers
  }

  /** True once the caches show everything that was written for `key`. */
  seen(key: string): boolean {
    const pending = this.#pending.get(key)
    if (!pending) return true
    for (const [informer, version] of pending.versions) if (revision(informer.resourceVersion) < version) return false
    for (const { informer, key: name, uid } of pending.deletions) {
      const object = informer.get(name)
      if (object && object.metadata.uid === uid && !object.metadata.deletionTimestamp) return false
    }
    this.#pending.delete(key)
    return true
  }

  /** A client that notes what is written through it on behalf of `key`. */
  clientFor(key: string, client: Client): Client {
    return {
      raw: request => client.raw(request),
      text: (body, maxBytes) => client.text(body, maxBytes),
      resource: <T extends KubernetesObject>(resource: ResourceDefinition<T>) => this.#noting(key, client.resource(resource)),
    }
  }

  #noting<T extends KubernetesObject>(key: string, inner: ResourceClient<T>): ResourceClient<T> {
    const informer = this.#informers.get(resourceKey(inner.resource as AnyResource))
    if (!informer) return inner
    const noted = (object: T): T => {
      this.#note(key, informer, object.metadata.resourceVersion ?? '')
      return object
    }
    return {
      ...inner,
      create: async (object, options) => (options?.dryRun ? inner.create(object, options) : noted(await inner.create(object, options))),
      update: async (object, options) => (options?.dryRun ? inner.update(object, options) : noted(await inner.update(object, options))),
      updateStatus: async (object, options) => noted(await inner.updateStatus(object, options)),
      patch: async (name, type, body, options) => (options?.dryRun ? inner.patch(name, type, body, options) : noted(await inner.patch(name, type, body, options))),
      delete: async (name, options) => {
        const cacheKey = keyOf({ metadata: { name, ...(options?.namespace ? { namespace: options.namespace } : {}) } })
        try {
          await inner.delete(name, options)
        } catch (fault) {
          if (!isNotFound(fault)) throw fault
          this.#noteDeletion(key, informer, cacheKey)
          throw fault
        }
        this.#noteDeletion(key, informer, cacheKey)
      },
    }
  }

  #note(key: string, informer: AnyInformer, version: string): void {
    const wanted = revision(version)
    const pending = this.#of(key)
    if ((pending.versions.get(informer) ?? 0n) < wanted) pending.versions.set(informer, wanted)
  }

  #noteDeletion(key: string, informer: AnyInformer, objectKey: string): void {
    const uid = informer.get(objectKey)?.metadata.uid
    if (uid !== undefined) this.#of(key).deletions.push({ informer, key: objectKey, uid })
  }

  #of(key: string): Pending {
    let pending = this.#pending.get(key)
    if (!pending) {
      pending = { versions: new Map(), deletions: [] }
      this.#pending.set(key, pending)
    }
    return pending
  }
}

/** Our server's versions are decimal revisions shared by all kinds; anything else counts as seen. */
function revision(version: string): bigint {
  return /^\d{1,20}$/.test(version) ? BigInt(version) : 0n
}
