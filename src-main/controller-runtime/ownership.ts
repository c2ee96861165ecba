/** Who owns what: controller references, adoption of orphans, release of objects that no longer match. */
import { cloneJson } from '../api/json.ts'
import { groupVersion } from '../api/meta.ts'
import type { KubernetesObject, LabelSelector, OwnerReference } from '../api/meta.ts'
import type { AnyResource, ResourceDefinition } from '../api/resource.ts'
import { labelSelectorMatches } from '../api/selectors.ts'
import { isInvalid, isNotFound } from '../api/status-error.ts'
import type { Client } from '../client/client.ts'
import type { Lister } from '../client/informer.ts'

export function controllerRef(owner: KubernetesObject): OwnerReference {
  return { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name ?? '', uid: owner.metadata.uid ?? '', controller: true, blockOwnerDeletion: true }
}

export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(r => r.controller)
}

export const controllerIndex = 'controller'

/** Index `controller`: by the uid of the controller, or `orphans/<namespace>` for objects without one. */
export function indexByController(resource: AnyResource): { resource: AnyResource; name: string; values: (object: KubernetesObject) => readonly string[] } {
  return { resource, name: controllerIndex, values: object => [controllerOf(object)?.uid ?? orphansOf(object.metadata.namespace ?? '')] }
}

function orphansOf(namespace: string): string {
  return `orphans/${namespace}`
}

export interface Claim<T extends KubernetesObject> {
  readonly client: Client
  readonly lister: Lister<T>
  readonly resource: ResourceDefinition<T>
  readonly owner: KubernetesObject
  readonly ownerResource: AnyResource
  readonly selector: LabelSelector | undefined
  /** Further condition for adoption, e.g. that a pod is active. */
  readonly adoptable?: (object: T) => boolean
}

/** What the owner controls now, after it adopted matching orphans and released what no longer matches. */
export async function claimOwned<T extends KubernetesObject>(claim: Claim<T>): Promise<T[]> {
  const { owner, lister, selector } = claim
  const claimed: T[] = []
  for (const object of lister.byIndex(controllerIndex, owner.metadata.uid ?? '')) {
    if (labelSelectorMatches(selector, object.metadata.labels ?? {})) claimed.push(object)
    else if (!owner.metadata.deletionTimestamp) await release(claim, object)
  }
  if (owner.metadata.deletionTimestamp) return claimed
  let checked = false
  for (const object of lister.byIndex(controllerIndex, orphansOf(owner.metadata.namespace ?? ''))) {
    if (object.metadata.deletionTimestamp || !labelSelectorMatches(selector, object.metadata.labels ?? {}) || claim.adoptable?.(object) === false) continue
    // The cache may be late: before anything is adopted the owner is read live, once.
    if (!checked) {
      await checkAlive(claim)
      checked = true
    }
    const adopted = await adopt(claim, object)
    if (adopted) claimed.push(adopted)
  }
  return claimed
}

async function checkAlive(claim: { owner: KubernetesObject; client: Client; ownerResource: AnyResource }): Promise<void> {
  const { owner } = claim
  const live = await claim.client.resource<KubernetesObject>(claim.ownerResource).get(owner.metadata.name ?? '', { namespace: owner.metadata.namespace ?? '' })
  if (live.metadata.uid !== owner.metadata.uid)
    throw new Error(
      `original ${owner.kind} ${owner.metadata.namespace ?? ''}/${owner.metadata.name ?? ''} is gone: got uid ${live.metadata.uid ?? ''}, wanted ${owner.metadata.uid ?? ''}`,
    )
  if (live.metadata.deletionTimestamp) throw new Error(`${owner.metadata.namespace ?? ''}/${owner.metadata.name ?? ''} has just been deleted at ${live.metadata.deletionTimestamp}`)
}

async function adopt<T extends KubernetesObject>(claim: Claim<T>, object: T): Promise<T | undefined> {
  const patch = { metadata: { uid: object.metadata.uid, ownerReferences: [controllerRef(claim.owner)] } }
  try {
    return await claim.client.resource(claim.resource).patch(object.metadata.name ?? '', 'strategic', patch, { namespace: object.metadata.namespace ?? '' })
  } catch (fault) {
    if (isNotFound(fault)) return undefined
    throw fault
  }
}

async function release<T extends KubernetesObject>(claim: Claim<T>, object: T): Promise<void> {
  const patch = { metadata: { uid: object.metadata.uid, ownerReferences: [{ $patch: 'delete', uid: claim.owner.metadata.uid }] } }
  try {
    await claim.client.resource(claim.resource).patch(object.metadata.name ?? '', 'strategic', patch, { namespace: object.metadata.namespace ?? '' })
  } catch (fault) {
    // Gone, or already released and made anew by somebody else: nothing left to do.
    if (!isNotFound(fault) && !isInvalid(fault)) throw fault
  }
}

/** A list item with its kind, for owner references and events. */
export function typed<T extends KubernetesObject>(resource: ResourceDefinition<T>, object: T): T {
  return { ...object, apiVersion: groupVersion(resource.group, resource.version), kind: resource.kind }
}

/** A copy that may be changed. */
export function draft<T>(object: T): T {
  return cloneJson(object)
}
