/**
 * Who depends on whom, from all objects' ownerReferences. Pure bookkeeping: changes of objects go in, the uids that
 * deserve a look come out.
 */
import type { KubernetesObject, OwnerReference } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export interface GraphNode {
  readonly uid: string
  /** In the version that it was last seen in. */
  resource: AnyResource
  object: KubernetesObject
  readonly dependents: Set<string>
}

export function ownersOf(object: KubernetesObject): readonly OwnerReference[] {
  return object.metadata.ownerReferences ?? []
}

/** It waits for its dependents to go (foreground deletion). */
export function waitsForDependents(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(foregroundFinalizer)
}

export function orphansDependents(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(orphanFinalizer)
}

export class DependencyGraph {
  readonly #nodes = new Map<string, GraphNode>()
  /** Dependents of owners that are not (or no longer) known, by the owner's uid. */
  readonly #waiting = new Map<string, Set<string>>()

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  dependents(uid: string): GraphNode[] {
    return [...(this.#nodes.get(uid)?.dependents ?? [])].flatMap(id => this.#nodes.get(id) ?? [])
  }

  /** Uids to look at after `object` was added or changed. */
  put(resource: AnyResource, object: KubernetesObject): string[] {
    const uid = object.metadata.uid ?? ''
    const present = this.#nodes.get(uid)
    const before = present ? ownersOf(present.object) : []
    const look = new Set<string>()
    if (present) {
      present.object = object
      present.resource = resource
    } else {
      this.#nodes.set(uid, { uid, resource, object, dependents: this.#waiting.get(uid) ?? new Set() })
      this.#waiting.delete(uid)
    }
    const after = ownersOf(object)
    for (const owner of before) {
      const next = after.find(o => o.uid === owner.uid)
      if (!next) this.#unlink(owner.uid, uid)
      // An owner that waits for this object no longer has to.
      if (!next || (owner.blockOwnerDeletion && !next.blockOwnerDeletion)) look.add(owner.uid)
    }
    for (const owner of after) {
      this.#link(owner.uid, uid)
      const node = this.#nodes.get(owner.uid)
      if (!node || waitsForDependents(node.object)) look.add(uid)
    }
    if (before.length > after.length) look.add(uid)
    if (object.metadata.deletionTimestamp && (waitsForDependents(object) || orphansDependents(object))) {
      look.add(uid)
      if (waitsForDependents(object)) for (const dependent of this.#nodes.get(uid)?.dependents ?? []) look.add(dependent)
    }
    return [...look]
  }

  /** Uids to look at after an object is gone: its dependents, and owners that waited for it. */
  remove(object: KubernetesObject): string[] {
    const uid = object.metadata.uid ?? ''
    const node = this.#nodes.get(uid)
    if (!node) return []
    this.#nodes.delete(uid)
    for (const owner of ownersOf(node.object)) this.#unlink(owner.uid, uid)
    if (node.dependents.size > 0) this.#waiting.set(uid, node.dependents)
    const owners = ownersOf(node.object)
      .map(o => o.uid)
      .filter(id => {
        const owner = this.#nodes.get(id)
        return owner && waitsForDependents(owner.object)
      })
    return [...node.dependents, ...owners]
  }

  all(): Iterable<GraphNode> {
    return this.#nodes.values()
  }

  #link(owner: string, dependent: string): void {
    const node = this.#nodes.get(owner)
    if (node) {
      node.dependents.add(dependent)
      return
    }
    const waiting = this.#waiting.get(owner) ?? new Set<string>()
    waiting.add(dependent)
    this.#waiting.set(owner, waiting)
  }

  #unlink(owner: string, dependent: string): void {
    this.#nodes.get(owner)?.dependents.delete(dependent)
    const waiting = this.#waiting.get(owner)
    waiting?.delete(dependent)
    if (waiting?.size === 0) this.#waiting.delete(owner)
  }
}

export type OwnerState = 'solid' | 'dangling' | 'waiting'

export type CollectorAction =
  | { readonly kind: 'none' }
  /** Takes these owners' references off. */
  | { readonly kind: 'unown'; readonly uids: readonly string[] }
  /** `unblock` first: the dependents' circle must not block itself. */
  | { readonly kind: 'delete'; readonly policy: 'Background' | 'Foreground' | 'Orphan'; readonly unblock: boolean }

/** What becomes of an object with owners in these states. Pure. */
export function decide(object: KubernetesObject, states: ReadonlyMap<string, OwnerState>, dependents: readonly GraphNode[]): CollectorAction {
  const owners = ownersOf(object)
  if (owners.length === 0) return { kind: 'none' }
  const of = (state: OwnerState): string[] => owners.filter(o => states.get(o.uid) === state).map(o => o.uid)
  if (of('solid').length > 0) {
    const gone = [...of('dangling'), ...of('waiting')]
    return gone.length === 0 ? { kind: 'none' } : { kind: 'unown', uids: gone }
  }
  if (of('waiting').length > 0 && dependents.length > 0) {
    return { kind: 'delete', policy: 'Foreground', unblock: dependents.some(d => waitsForDependents(d.object)) }
  }
  const finalizers = object.metadata.finalizers ?? []
  if (finalizers.includes(orphanFinalizer)) return { kind: 'delete', policy: 'Orphan', unblock: false }
  return { kind: 'delete', policy: finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background', unblock: false }
}
