/** Keeps as many pods of a template as a ReplicaSet declares. */
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { isPodActive, pods } from '../../api/core/v1/pod.ts'
import type { ReplicaSet } from '../../api/generated/apps-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { StatusError, isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext } from '../../controller-runtime/controller.ts'
import { claimOwned, controllerIndex, controllerOf, indexByController } from '../../controller-runtime/ownership.ts'
import { podFromTemplate } from '../../controller-runtime/pod-template.ts'
import { slowStart } from '../../controller-runtime/slow-start.ts'
import { planReplicas, replicaSetStatus } from './plan.ts'
import type { ReplicaFailure } from './plan.ts'

export const replicaSetController = defineController<ReplicaSet>({
  name: 'replicaset-controller',
  for: replicaSets,
  owns: [pods],
  watches: [{ resource: pods, keys: (pod: Pod, { cache }) => adopters(pod, cache.of(replicaSets).list(pod.metadata.namespace)) }],
  writes: [{ resource: pods }, { resource: replicaSets, subresource: 'status' }, { resource: replicaSets, verbs: ['get'] }],
  indexes: [indexByController(pods), indexByController(replicaSets)],
  workers: 5,
  async reconcile(context, key) {
    const rs = context.cache.of(replicaSets).get(key)
    if (!rs) return
    const { client, cache, env } = context
    const owned = await claimOwned<Pod>({ client, lister: cache.of(pods), resource: pods, owner: rs, ownerResource: replicaSets, selector: rs.spec.selector, adoptable: isPodActive })
    const failure = rs.metadata.deletionTimestamp ? undefined : await manageReplicas(context, rs, owned)
    const status = replicaSetStatus(rs, owned, failure?.condition, env.clock.now())
    if (!deepEqual(status, rs.status)) {
      try { await client.resource(replicaSets).updateStatus({ ...rs, status }) } catch (fault) { if (!isNotFound(fault)) throw fault }
    }
    if (failure) throw failure.fault
    const waiting = (rs.spec.minReadySeconds ?? 0) > 0 && (status.readyReplicas ?? 0) > (status.availableReplicas ?? 0)
    return waiting ? { requeueAfterMs: Math.min((rs.spec.minReadySeconds ?? 0) * 1000, 5000) } : undefined
  },
})

/** Replica sets that might adopt this pod: it has no controller and matches them. */
function adopters(pod: Pod, candidates: readonly ReplicaSet[]): string[] {
  if (controllerOf(pod) || pod.metadata.deletionTimestamp) return []
  return candidates.filter(rs => labelSelectorMatches(rs.spec.selector, pod.metadata.labels ?? {})).map(keyOf)
}

async function manageReplicas(context: ControllerContext, rs: ReplicaSet, owned: readonly Pod[]): Promise<{ condition: ReplicaFailure; fault: unknown } | undefined> {
  const plan = planReplicas(rs.spec.replicas ?? 1, owned, relatedPods(context, rs), context.env.clock.now())
  const client = context.client.resource(pods)
  const { fault } = await slowStart(plan.create, async () => {
    try {
      const made = await client.create(podFromTemplate(rs, rs.spec.template))
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

async function removePod(context: ControllerContext, rs: ReplicaSet, pod: Pod): Promise<void> {
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

function relatedPods(context: ControllerContext, rs: ReplicaSet): Pod[] {
  const owner = controllerOf(rs)
  const siblings = owner ? context.cache.of(replicaSets).byIndex(controllerIndex, owner.uid) : [rs]
  return siblings.flatMap(s => context.cache.of(pods).byIndex(controllerIndex, s.metadata.uid ?? '')).filter(isPodActive)
}

function isNamespaceTerminating(fault: unknown): boolean {
  return fault instanceof StatusError && (fault.status.details?.causes ?? []).some(c => c.reason === 'NamespaceTerminating')
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}
