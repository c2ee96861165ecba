/** Shapes that every API object shares, and small questions about them. Pure. */
import type { ListMeta, ObjectMeta } from './generated/meta-v1.ts'

export type { ObjectMeta, ListMeta, OwnerReference, LabelSelector, Condition } from './generated/meta-v1.ts'

/** Any API object as plain JSON. `metadata` is always there once decoded. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

export interface KubernetesList<T extends KubernetesObject = KubernetesObject> {
  apiVersion: string
  kind: string
  metadata: ListMeta
  items: T[]
}

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}
export interface GroupVersionResource {
  readonly group: string
  readonly version: string
  readonly resource: string
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

export interface WatchEvent<T = KubernetesObject> {
  readonly type: WatchEventType
  readonly object: T
}

/** `apps/v1`, or `v1` for the core group. */
export function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

/** `{group, version}` of an apiVersion. */
export function parseGroupVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and work queues. */
export function keyOf(object: { metadata: ObjectMeta }): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name ?? ''}` : (name ?? '')
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
