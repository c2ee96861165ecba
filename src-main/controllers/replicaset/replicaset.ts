/** Keeps as many pods of a template as a ReplicaSet, or its elder the ReplicationController, declares. */
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { isPodActive, pods } from '../../api/core/v1/pod.ts'
import { replicationControllers } from '../../api/core/v1/replication-controller.ts'
import type { ReplicaSet, ReplicaSetStatus } from '../../api/generated/apps-v1.ts'
import type { Pod, ReplicationController } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import type { LabelSelector } from '../../api/meta.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { StatusError, isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, ControllerDefinition } from '../../controller-runtime/controller.ts'
import { claimOwned, controllerIndex, controllerOf, indexByController } from '../../controller-runtime/ownership.ts'
import { podFromTemplate } from '../../controller-runtime/pod-template.ts'
import { slowStart } from '../../controller-runtime/slow-start.ts'
import { planReplicas, replicaSetStatus } from './plan.ts'
import type { ReplicaFailure, ReplicaOwner } from './plan.ts'

/** How replica sets and replication controllers differ. */
interface ReplicaKind<T extends ReplicaOwner> {
  readonly name: string
  readonly resource: ResourceDefinition<T>
  selector(owner: T): LabelSelector | undefined
  /** Fields of the status that this kind has. */
  status(status: ReplicaSetStatus): T['status']
}

function replicaController<T extends ReplicaOwner>(kind: ReplicaKind<T>): ControllerDefinition<T> {
  const { resource } = kind
  return defineController<T>({
    name: kind.name,
    for: resource,
    owns: [pods],
    watches: [{ resource: pods, keys: (pod: Pod, { cache }) => adopters(kind, pod, cache.of(resource).list(pod.metadata.namespace)) }],
    writes: [{ resource: pods }, { resource, subresource: 'status' }, { resource, verbs: ['get'] }],
    indexes: [indexByController(pods), indexByController(resource)],
    workers: 5,
    async reconcile(context, key) {
      const owner = context.cache.of(resource).get(key)
      if (!owner) return
      const { client, cache, env } = context
      const owned = await claimOwned<Pod>({
        client,
        lister: cache.of(pods),
        resource: pods,
        owner,
        ownerResource: resource,
        selector: kind.selector(owner),
        adoptable: isPodActive,
      })
      const failure = owner.metadata.deletionTimestamp ? undefined : await manageReplicas(context, kind, owner, owned)
      const status = replicaSetStatus(owner, owned, failure?.condition, env.clock.now())
      const next = kind.status(status)
      if (!deepEqual(next, owner.status)) {
        try {
          await client.resource(resource).updateStatus({ ...owner, status: next })
        } catch (fault) {
          if (!isNotFound(fault)) throw fault
        }
      }
      if (failure) throw failure.fault
      const minReadyMs = (owner.spec?.minReadySeconds ?? 0) * 1000
      const waiting = minReadyMs > 0 && (status.readyReplicas ?? 0) > (status.availableReplicas ?? 0)
      return waiting ? { requeueAfterMs: Math.min(minReadyMs, 5000) } : undefined
    },
  })
}

export const replicaSetController = replicaController<ReplicaSet>({
  name: 'replicaset-controller',
  resource: replicaSets,
  selector: rs => rs.spec.selector,
  status: status => status,
})

export const replicationController = replicaController<ReplicationController>({
  name: 'replication-controller',
  resource: replicationControllers,
  selector: rc => ({ matchLabels: rc.spec?.selector ?? {} }),
  status: ({ terminatingReplicas: _uncounted, conditions, ...status }) => ({
    ...status,
    ...(conditions ? { conditions: conditions.map(condition => ({ type: 'ReplicaFailure', status: 'True', ...condition })) } : {}),
  }),
})

/** Owners that might adopt this pod: it has no controller and matches them. */
function adopters<T extends ReplicaOwner>(kind: ReplicaKind<T>, pod: Pod, candidates: readonly T[]): string[] {
  if (controllerOf(pod) || pod.metadata.deletionTimestamp) return []
  return candidates.filter(rs => labelSelectorMatches(kind.selector(rs), pod.metadata.labels ?? {})).map(keyOf)
}

async function manageReplicas<T extends ReplicaOwner>(
  context: ControllerContext,
  kind: ReplicaKind<T>,
  rs: T,
  owned: readonly Pod[],
): Promise<{ condition: ReplicaFailure; fault: unknown } | undefined> {
  const plan = planReplicas(rs.spec?.replicas ?? 1, owned, relatedPods(context, kind, rs), context.env.clock.now())
  const client = context.client.resource(pods)
  const { fault } = await slowStart(plan.create, async () => {
    try {
      const made = await client.create(podFromTemplate(rs, rs.spec?.template))
      context.events.event(rs, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name ?? ''}`)
    } catch (cause) {
      // A namespace that is going refuses creates for good: no event, no retry noise.
      if (!isNamespaceTerminating(cause)) context.events.event(rs, 'Warning', 'FailedCreate', `Error creating: ${messageOf(cause)}`)
      throw cause
    }
  })
  if (fault) return isNamespaceTerminating(fault) ? undefined : { condition: { reason: 'FailedCreate', message: messageOf(fault) }, fault }
  const results = await Promise.allSettled(plan.remove.map(pod => removePod(context, rs, pod)))
  const failed = results.find(r => r.status === 'rejected')
  return failed && { condition: { reason: 'FailedDelete', message: messageOf(failed.reason) }, fault: failed.reason }
}

async function removePod(context: ControllerContext, rs: ReplicaOwner, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  try {
    await context.client.resource(pods).delete(name ?? '', { namespace: namespace ?? '', ...(uid ? { preconditions: { uid } } : {}) })
    context.events.event(rs, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name ?? ''}`)
  } catch (fault) {
    if (isNotFound(fault)) return
    context.events.event(rs, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(fault)}`)
    throw fault
  }
}

function relatedPods<T extends ReplicaOwner>(context: ControllerContext, kind: ReplicaKind<T>, rs: T): Pod[] {
  const owner = controllerOf(rs)
  const siblings = owner ? context.cache.of(kind.resource).byIndex(controllerIndex, owner.uid) : [rs]
  return siblings.flatMap(s => context.cache.of(pods).byIndex(controllerIndex, s.metadata.uid ?? '')).filter(isPodActive)
}

function isNamespaceTerminating(fault: unknown): boolean {
  return fault instanceof StatusError && (fault.status.details?.causes ?? []).some(c => c.reason === 'NamespaceTerminating')
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}
