/**
 * A synchronous, always current copy of one kind's stored objects, for the parts of the API server that must decide on
 * every request (authentication, authorization, admission). It hangs on the store itself, so it can be neither behind
 * an acknowledged write of this process nor loaded through the chain that asks it.
 */
import type { KubernetesObject } from '../api/meta.ts'
import { storagePrefix } from '../api/resource.ts'
import type { Store, StoreEvent, StoredEntry } from '../store/store.ts'

/** Where a kind is stored. */
export interface Place {
  readonly group: string
  readonly plural: string
}

export interface LiveCopy<T> {
  /** Resolves when the copy is complete; every question before that throws. */
  readonly ready: Promise<void>
  /** `namespace` is '' for cluster-scoped kinds. */
  get(namespace: string, name: string): T | undefined
  /** All objects, or those of one namespace. */
  list(namespace?: string): T[]
  /** Rises with every change; for derived indexes. */
  readonly changes: number
  /** Declares an index and returns its look-up. */
  indexBy(values: (object: T) => readonly string[]): (value: string) => readonly T[]
  stop(): void
}

interface Index<T> {
  add(object: T): void
  remove(object: T): void
  clear(): void
  of(value: string): Iterable<T>
}

function createIndex<T>(values: (object: T) => readonly string[]): Index<T> {
  const sets = new Map<string, Set<T>>()
  return {
    add(object) {
      for (const value of values(object)) {
        const set = sets.get(value)
        if (set) set.add(object)
        else sets.set(value, new Set([object]))
      }
    },
    remove(object) {
      for (const value of values(object)) {
        const set = sets.get(value)
        set?.delete(object)
        if (set?.size === 0) sets.delete(value)
      }
    },
    clear() {
      sets.clear()
    },
    of: value => sets.get(value) ?? [],
  }
}

/**
 * Objects of one kind by namespace and name, kept by the store's watch; when the store ends the watch (compaction, failure)
 * it lists again. Entries are kept, not objects, and indexes are filled at the first question: a start with many objects
 * decodes none of them.
 */
export function liveCopy<T extends KubernetesObject>(store: Store, place: Place): LiveCopy<T> {
  const prefix = storagePrefix(place)
  let byNamespace = new Map<string, Map<string, StoredEntry>>()
  let changes = 0
  let complete = false
  let stopped = false
  let endWatch: () => void = () => {}

  const locate = (entry: StoredEntry): [string, string] => {
    const rest = entry.key.slice(prefix.length)
    const slash = rest.indexOf('/')
    return [rest.slice(0, slash), rest.slice(slash + 1)]
  }
  /** Those that were asked. */
  const indexes: Index<StoredEntry>[] = []
  const objectOf = (entry: StoredEntry): T => entry.object as unknown as T
  const keep = (into: Map<string, Map<string, StoredEntry>>, entry: StoredEntry): void => {
    const [namespace, name] = locate(entry)
    let names = into.get(namespace)
    if (!names) into.set(namespace, (names = new Map()))
    const previous = names.get(name)
    names.set(name, entry)
    for (const index of indexes) {
      if (previous) index.remove(previous)
      index.add(entry)
    }
  }
  const onEvent = (event: StoreEvent): void => {
    changes++
    if (event.type === 'put') {
      keep(byNamespace, event.entry)
      return
    }
    const [namespace, name] = locate(event.entry)
    const names = byNamespace.get(namespace)
    const previous = names?.get(name)
    if (!names || !previous) return
    names.delete(name)
    if (names.size === 0) byNamespace.delete(namespace)
    for (const index of indexes) index.remove(previous)
  }
  const load = async (): Promise<void> => {
    const { entries, revision } = await store.list(prefix)
    if (stopped) return
    const fresh = new Map<string, Map<string, StoredEntry>>()
    for (const index of indexes) index.clear()
    for (const entry of entries) keep(fresh, entry)
    byNamespace = fresh
    changes++
    complete = true
    endWatch = store.watch(prefix, {
      after: revision,
      onEvent,
      onEnd: reason => {
        if (!stopped && reason.code !== 'closed') void load()
      },
    })
  }
  const check = (): void => {
    if (!complete) throw new Error(`assertion failed: the copy of ${place.plural} is not loaded yet`)
  }

  return {
    ready: load(),
    get(namespace, name) {
      check()
      const entry = byNamespace.get(namespace)?.get(name)
      return entry && objectOf(entry)
    },
    list(namespace) {
      check()
      if (namespace !== undefined) return Array.from(byNamespace.get(namespace)?.values() ?? [], objectOf)
      return [...byNamespace.values()].flatMap(names => Array.from(names.values(), objectOf))
    },
    get changes() {
      return changes
    },
    indexBy(values) {
      let index: Index<StoredEntry> | undefined
      return value => {
        check()
        if (!index) {
          index = createIndex(entry => values(objectOf(entry)))
          indexes.push(index)
          for (const names of byNamespace.values()) for (const entry of names.values()) index.add(entry)
        }
        return Array.from(index.of(value), objectOf)
      }
    },
    stop() {
      stopped = true
      endWatch()
    },
  }
}

/** The kinds that authentication, authorization and admission look at, each loaded once. */
export interface LiveCopies {
  readonly ready: Promise<void>
  of<T extends KubernetesObject>(place: Place): LiveCopy<T>
  stop(): void
}

/** Shares one copy a kind. Ask for every kind before awaiting `ready`. */
export function liveCopies(store: Store): LiveCopies {
  const copies = new Map<string, LiveCopy<KubernetesObject>>()
  return {
    get ready() {
      return Promise.all([...copies.values()].map(copy => copy.ready)).then(() => {})
    },
    of<T extends KubernetesObject>(place: Place): LiveCopy<T> {
      const key = storagePrefix(place)
      let copy = copies.get(key)
      if (!copy) copies.set(key, (copy = liveCopy<KubernetesObject>(store, place)))
      return copy as LiveCopy<KubernetesObject> as unknown as LiveCopy<T>
    },
    stop() {
      for (const copy of copies.values()) copy.stop()
    },
  }
}

export const places = {
  secrets: { group: '', plural: 'secrets' },
  serviceAccounts: { group: '', plural: 'serviceaccounts' },
  pods: { group: '', plural: 'pods' },
  nodes: { group: '', plural: 'nodes' },
  namespaces: { group: '', plural: 'namespaces' },
  services: { group: '', plural: 'services' },
  limitRanges: { group: '', plural: 'limitranges' },
  resourceQuotas: { group: '', plural: 'resourcequotas' },
  persistentVolumeClaims: { group: '', plural: 'persistentvolumeclaims' },
  persistentVolumes: { group: '', plural: 'persistentvolumes' },
  roles: { group: 'rbac.authorization.k8s.io', plural: 'roles' },
  roleBindings: { group: 'rbac.authorization.k8s.io', plural: 'rolebindings' },
  clusterRoles: { group: 'rbac.authorization.k8s.io', plural: 'clusterroles' },
  clusterRoleBindings: { group: 'rbac.authorization.k8s.io', plural: 'clusterrolebindings' },
  priorityClasses: { group: 'scheduling.k8s.io', plural: 'priorityclasses' },
  runtimeClasses: { group: 'node.k8s.io', plural: 'runtimeclasses' },
  storageClasses: { group: 'storage.k8s.io', plural: 'storageclasses' },
  ingressClasses: { group: 'networking.k8s.io', plural: 'ingressclasses' },
  volumeAttachments: { group: 'storage.k8s.io', plural: 'volumeattachments' },
  customResourceDefinitions: { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' },
  validatingWebhookConfigurations: { group: 'admissionregistration.k8s.io', plural: 'validatingwebhookconfigurations' },
  mutatingWebhookConfigurations: { group: 'admissionregistration.k8s.io', plural: 'mutatingwebhookconfigurations' },
  validatingAdmissionPolicies: { group: 'admissionregistration.k8s.io', plural: 'validatingadmissionpolicies' },
  validatingAdmissionPolicyBindings: { group: 'admissionregistration.k8s.io', plural: 'validatingadmissionpolicybindings' },
  mutatingAdmissionPolicies: { group: 'admissionregistration.k8s.io', plural: 'mutatingadmissionpolicies' },
  mutatingAdmissionPolicyBindings: { group: 'admissionregistration.k8s.io', plural: 'mutatingadmissionpolicybindings' },
  apiServices: { group: 'apiregistration.k8s.io', plural: 'apiservices' },
  endpointSlices: { group: 'discovery.k8s.io', plural: 'endpointslices' },
} as const satisfies Record<string, Place>
