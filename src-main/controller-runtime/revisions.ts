/** ControllerRevisions: the history of a workload's templates, for daemon sets and stateful sets. */
import { controllerRevisions } from '../api/apps/v1/controller-revision.ts'
import type { ControllerRevision } from '../api/generated/apps-v1.ts'
import type { PodTemplateSpec } from '../api/generated/core-v1.ts'
import { deepEqual } from '../api/json.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { isNotFound } from '../api/status-error.ts'
import type { Client } from '../client/client.ts'
import { controllerRef } from './ownership.ts'
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

/** The revision of the owner's template, made (or moved to the newest number) where needed. */
export async function syncRevision(input: RevisionInput): Promise<ControllerRevision> {
  const { client, owner, template, present } = input
  const data = { spec: { template: { ...template, $patch: 'replace' } } }
  const newest = Math.max(0, ...present.map(r => r.revision ?? 0))
  const found = present.find(r => deepEqual(r.data, data))
  const writer = client.resource(controllerRevisions)
  if (found) return (found.revision ?? 0) === newest ? found : writer.update({ ...found, revision: newest + 1 })
  const hash = templateHash(template, input.collisionCount)
  return writer.create({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${owner.metadata.name ?? ''}-${hash}`,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...input.selectorLabels, [revisionHashLabel]: hash },
      ownerReferences: [controllerRef(owner)],
    },
    data,
    revision: newest + 1,
  })
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
