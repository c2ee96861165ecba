/** List, then watch, for ever: a local, indexed, read-only copy of one resource. Objects are frozen by convention. */
import type { KubernetesObject } from '../api/meta.ts'

export interface InformerHandlers<T> {
  readonly onAdd?: (object: T) => void
  readonly onUpdate?: (next: T, previous: T) => void
  /** `last` is the last known state. */
  readonly onDelete?: (last: T) => void
}

export interface Lister<T extends KubernetesObject> {
  /** By `namespace/name` or `name`. */
  get(key: string): T | undefined
  /** All, or those of one namespace. */
  list(namespace?: string): readonly T[]
  /** Objects whose index function (declared when the informer was made) gave `value`. */
  byIndex(index: string, value: string): readonly T[]
}

export interface Informer<T extends KubernetesObject> extends Lister<T> {
  /** Resolves when the first list is complete. */
  readonly synced: Promise<void>
  readonly hasSynced: boolean
  /** resourceVersion of the newest thing seen (object, bookmark or list): everything up to it is in the cache. '' before the first list. */
  readonly resourceVersion: string
  /** Declares an index; existing objects are indexed at once. */
  addIndex(name: string, values: (object: T) => readonly string[]): void
  /** Handlers see the present objects as adds first. Returns the function that removes them. */
  addHandlers(handlers: InformerHandlers<T>): () => void
  stop(): void
}
