/** Security parts over a memory store, without a server around them. */
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import { storageKey } from '../../../src-main/api/resource.ts'
import { virtualEnv, type VirtualEnv } from '../../../src-main/base/virtual-env.ts'
import { liveCopies, places, type LiveCopies, type Place } from '../../../src-main/apiserver/live-copy.ts'
import type { Attributes } from '../../../src-main/apiserver/contracts.ts'
import type { UserInfo } from '../../../src-main/api/request.ts'
import type { StorableObject, Store } from '../../../src-main/store/store.ts'

export interface World {
  readonly env: VirtualEnv
  readonly store: Store
  readonly copies: LiveCopies
  put(place: Place, object: { metadata: { name: string; namespace?: string } & Record<string, unknown> } & Record<string, unknown>): Promise<void>
  remove(place: Place, namespace: string, name: string): Promise<void>
}

export async function world(): Promise<World> {
  const env = virtualEnv({ startMs: Date.UTC(2026, 5, 1) })
  const store = memoryStore(env)
  const copies = liveCopies(store)
  for (const place of Object.values(places)) copies.of(place)
  await copies.ready
  return {
    env,
    store,
    copies,
    async put(place, object) {
      await store.put(storageKey(place, object.metadata.namespace ?? '', object.metadata.name), object as StorableObject, { any: true })
    },
    async remove(place, namespace, name) {
      await store.delete(storageKey(place, namespace, name), { any: true })
    },
  }
}

export const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] })

/** `get pods`, `create pods/eviction`, … in a namespace, by name. */
export function ask(who: UserInfo, verb: string, resource: string, rest: Partial<Attributes> = {}): Attributes {
  const [plural = '', subresource = ''] = resource.split('/')
  return { isResource: true, path: '', verb, group: '', version: 'v1', resource: plural, subresource, namespace: '', name: '', user: who, ...rest }
}
