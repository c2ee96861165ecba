/**
 * A live copy of one resource for the window: an informer over the bridge whose deltas reach Vue once a frame. Rows are
 * plain frozen objects in a shallowRef: nothing deep is made reactive. Shared by all who look at the resource and kept
 * for a minute after the last one left, so that going back and forth costs nothing.
 */
import { onScopeDispose, shallowRef } from 'vue'
import type { ShallowRef } from 'vue'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import { resourceKey } from '../../src-main/api/resource.ts'
import type { AnyResource, ResourceDefinition } from '../../src-main/api/resource.ts'
import { keyOf } from '../../src-main/api/meta.ts'
import { createInformer } from '../../src-main/client/informers.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import type { Transport } from '../../src-main/client/client.ts'
import { bridgeTransport } from '../transport/bridge-transport.ts'
import { useBridge } from '../transport/connect.ts'
import { windowEnv } from '../transport/window-env.ts'

export type LiveState = 'loading' | 'live' | 'stale' | 'error'

export interface LiveList<T extends KubernetesObject = KubernetesObject> {
  readonly resource: ResourceDefinition<T>
  readonly rows: Readonly<ShallowRef<readonly T[]>>
  readonly state: Readonly<ShallowRef<LiveState>>
  readonly error: Readonly<ShallowRef<unknown>>
  /** While stale: since when, ms since 1970. */
  readonly staleSince: Readonly<ShallowRef<number | undefined>>
  get(key: string): T | undefined
  /** The last state of an object that was deleted a moment ago. */
  lastOf(key: string): T | undefined
}

interface Kept {
  list: LiveList
  users: number
  stop: () => void
  linger: ReturnType<typeof setTimeout> | undefined
}
const kept = new Map<string, Kept>()
const lingerMs = 60_000
/** Big lists are rebuilt at most this often: sorting and filtering 10,000 rows costs tens of milliseconds. */
const bigListMs = 250
const bigListRows = 2000
/** While such a list still comes in, its rows jump anyway. */
const bigLoadMs = 1000
/** Of this many deleted objects the last state is kept. */
const maxDeleted = 50

/** Uses the live list of a resource until the current scope ends. */
export function useLive<T extends KubernetesObject>(resource: ResourceDefinition<T>): LiveList<T> {
  const key = resourceKey(resource)
  let entry = kept.get(key)
  if (!entry) {
    const started = start(resource as unknown as AnyResource)
    entry = { list: started.list, users: 0, stop: started.stop, linger: undefined }
    kept.set(key, entry)
  }
  const used = entry
  used.users++
  clearTimeout(used.linger)
  onScopeDispose(() => {
    if (--used.users > 0) return
    used.linger = setTimeout(() => {
      used.stop()
      kept.delete(key)
    }, lingerMs)
  })
  return used.list as unknown as LiveList<T>
}

function start(resource: AnyResource): { list: LiveList; stop: () => void } {
  const objects = new Map<string, KubernetesObject>()
  const deleted = new Map<string, KubernetesObject>()
  const rows = shallowRef<readonly KubernetesObject[]>([])
  const state = shallowRef<LiveState>('loading')
  const error = shallowRef<unknown>()
  const staleSince = shallowRef<number | undefined>()
  const publish = perFrame(
    () => {
      rows.value = [...objects.values()]
    },
    () => (objects.size <= bigListRows ? 0 : state.value === 'loading' ? bigLoadMs : bigListMs),
  )

  const onFault = (fault: unknown): void => {
    error.value = fault
    if (state.value === 'loading') state.value = 'error'
    else if (state.value === 'live') {
      state.value = 'stale'
      staleSince.value = Date.now()
    }
  }
  const onFine = (): void => {
    error.value = undefined
    staleSince.value = undefined
    state.value = 'live'
  }
  // The first pages of a long list are shown as they come; what is gone by the end of the list goes then.
  const onPage = (items: readonly KubernetesObject[]): void => {
    if (informer.hasSynced) return
    const apiVersion = resource.group ? `${resource.group}/${resource.version}` : resource.version
    for (const item of items) objects.set(keyOf(item), item.kind ? item : { ...item, apiVersion, kind: resource.kind })
    publish()
  }
  const informer = createInformer(createClient(observed(bridgeTransport(useBridge()), onFine, onFault, onPage)).resource<KubernetesObject>(resource), windowEnv)
  const set = (object: KubernetesObject): void => {
    objects.set(keyOf(object), object)
    publish()
  }
  informer.addHandlers({
    onAdd: set,
    onUpdate: set,
    onDelete: object => {
      objects.delete(keyOf(object))
      deleted.set(keyOf(object), object)
      while (deleted.size > maxDeleted) {
        const [oldest = ''] = deleted.keys()
        deleted.delete(oldest)
      }
      publish()
    },
  })
  void informer.synced.then(() => {
    for (const key of [...objects.keys()]) if (!informer.get(key)) objects.delete(key)
    rows.value = [...objects.values()]
    onFine()
  })
  return {
    list: { resource, rows, state, error, staleSince, get: key => objects.get(key), lastOf: key => deleted.get(key) },
    stop: () => {
      informer.stop()
    },
  }
}

/** Tells whether the list's watch is fresh: fine when it begins, at fault when a request fails or a watch breaks off. */
function observed(transport: Transport, onFine: () => void, onFault: (fault: unknown) => void, onPage: (items: readonly KubernetesObject[]) => void): Transport {
  return async request => {
    try {
      const response = await transport(request)
      if (response.status >= 400 && response.status !== 410) onFault(new Error(`The server answered ${response.status} to ${request.url.split('?')[0] ?? ''}`))
      if (response.body.kind === 'object' && response.status === 200) onPage((response.body.object as { items?: KubernetesObject[] }).items ?? [])
      if (response.body.kind !== 'events') return response
      onFine()
      return { ...response, body: { kind: 'events', events: watched(response.body.events, onFault) } }
    } catch (fault) {
      if (!request.signal?.aborted) onFault(fault)
      throw fault
    }
  }
}

async function* watched<T>(events: AsyncIterable<T>, onFault: (fault: unknown) => void): AsyncGenerator<T> {
  try {
    yield* events
  } catch (fault) {
    onFault(fault)
    throw fault
  }
}

/** Runs `fn` at most once a frame and at most every `apartMs`; in a hidden window by a timer. */
function perFrame(fn: () => void, apartMs: () => number): () => void {
  let waiting = false
  let last = 0
  const run = (): void => {
    waiting = false
    last = performance.now()
    fn()
  }
  return () => {
    if (waiting) return
    waiting = true
    const wait = apartMs() - (performance.now() - last)
    if (wait > 0 || document.hidden) setTimeout(run, Math.max(wait, 16))
    else requestAnimationFrame(run)
  }
}
