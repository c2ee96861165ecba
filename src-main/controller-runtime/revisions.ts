/** ControllerRevisions: the history of a workload's templates, for daemon sets and stateful sets. */
import { controllerRevisions } from '../api/apps/v1/controller-revision.ts'
import type { ControllerRevision } from '../api/generated/apps-v1.ts'
import type { PodTemplateSpec } from '../api/generated/core-v1.ts'
import { deepEqual } from '../api/json.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { isAlreadyExists, isNotFound } from '../api/status-error.ts'
import type { Client } from '../client/client.ts'
import { controllerOf, controllerRef } from './ownership.ts'
import { templateHash } from './pod-template.ts'

export const revisionHashLabel = 'controller-revision-hash'

export interface RevisionInput {
  readonly client: Client
  readonly owner: KubernetesObject
  readonly template: PodTemplateSpec
  readonly selectorLabels: Readonly<Record<string, string>>
  readonly collisionCount: number | undefined
  /** Revisions that the owner controls. */
  readonly present: readonly ControllerRevision[]
}

export interface RevisionState {
  /** The revision of the owner's present template. */
  readonly current: ControllerRevision
  /** Older ones with the very same template, which somebody else made; never `current`. */
  readonly duplicates: readonly ControllerRevision[]
  /** To be written to the owner's status: grows when a name was taken by another template. */
  readonly collisionCount: number | undefined
}

/** The revision of the owner's template: the newest that has it, moved to the newest number where needed, or a new one. */
export async function syncRevision(input: RevisionInput): Promise<RevisionState> {
  const { client, template, present, collisionCount } = input
  const data = { spec: { template: sorted({ ...template, $patch: 'replace' }) } }
  const equal = present.filter(r => deepEqual(r.data, data)).sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0))
  const [found, ...duplicates] = equal
  const number = Math.max(0, ...present.filter(r => !equal.includes(r)).map(r => r.revision ?? 0)) + 1
  if (found) {
    const isNewest = (found.revision ?? 0) >= number
    return { current: isNewest ? found : await client.resource(controllerRevisions).update({ ...found, revision: number }), duplicates, collisionCount }
  }
  return { ...(await createRevision(input, data, number)), duplicates: [] }
}

/** Names in order at every depth: clients compare these bytes with their own (kubectl, the upstream suite). */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  )
}

/** Names are hashes: one that another template has already is tried again with the next collision count. */
async function createRevision(input: RevisionInput, data: ControllerRevision['data'], number: number): Promise<Omit<RevisionState, 'duplicates'>> {
  const { client, owner, template } = input
  const writer = client.resource(controllerRevisions)
  const namespace = owner.metadata.namespace ?? ''
  for (let { collisionCount } = input; ; collisionCount = (collisionCount ?? 0) + 1) {
    const hash = templateHash(template, collisionCount)
    const name = `${owner.metadata.name ?? ''}-${hash}`
    const labels = { ...input.selectorLabels, [revisionHashLabel]: hash }
    try {
      const metadata = { name, namespace, labels, ownerReferences: [controllerRef(owner)] }
      return { current: await writer.create({ apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata, data, revision: number }), collisionCount }
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
      const taken = await writer.get(name, { namespace })
      if (controllerOf(taken)?.uid === owner.metadata.uid && deepEqual(taken.data, data)) return { current: taken, collisionCount }
    }
  }
}

/** Deletes the oldest revisions beyond the limit that no pod uses. */
export async function trimRevisions(client: Client, present: readonly ControllerRevision[], inUse: ReadonlySet<string>, limit: number): Promise<void> {
  const unused = present.filter(r => !inUse.has(hashOf(r))).sort((a, b) => (a.revision ?? 0) - (b.revision ?? 0))
  for (const revision of unused.slice(0, Math.max(0, unused.length - limit))) {
    try {
      await client.resource(controllerRevisions).delete(revision.metadata.name ?? '', { namespace: revision.metadata.namespace ?? '' })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
  }
}

export function hashOf(object: { metadata: { labels?: Record<string, string> } }): string {
  return object.metadata.labels?.[revisionHashLabel] ?? ''
}
