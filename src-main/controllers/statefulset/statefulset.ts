/**
 * Keeps pods with fixed names and claims. A name is used again only after its pod is gone from the API, which on a lost
 * node waits for somebody to say so: an ordinal never runs twice.
 */
import { controllerRevisions } from '../../api/apps/v1/controller-revision.ts'
import { statefulSets } from '../../api/apps/v1/stateful-set.ts'
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { ControllerRevision, StatefulSet } from '../../api/generated/apps-v1.ts'
import type { Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { isAlreadyExists, isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext } from '../../controller-runtime/controller.ts'
import { claimOwned, indexByController } from '../../controller-runtime/ownership.ts'
import { hashOf, syncRevision, trimRevisions } from '../../controller-runtime/revisions.ts'
import { hasOtherController, isInRange, isStale, wantedOwners } from './claims.ts'
import { claimName, ordinalOf, planStatefulSet, statefulPod, statefulStatus } from './plan.ts'
import type { Action, Revisions } from './plan.ts'

export const statefulSetController = defineController<StatefulSet>({
  name: 'statefulset-controller',
  for: statefulSets,
  owns: [pods],
  reads: [controllerRevisions, persistentVolumeClaims],
  writes: [
    { resource: pods },
    { resource: controllerRevisions },
    { resource: persistentVolumeClaims, verbs: ['create', 'update'] },
    { resource: statefulSets, subresource: 'status' },
    { resource: statefulSets, verbs: ['get'] },
  ],
  indexes: [indexByController(pods), indexByController(controllerRevisions)],
  workers: 3,
  async reconcile(context, key) {
    const set = context.cache.of(statefulSets).get(key)
    if (!set || set.metadata.deletionTimestamp) return
    const { client, cache, env } = context
    const claim = { client, owner: set, ownerResource: statefulSets, selector: set.spec.selector }
    const owned = await claimOwned<Pod>({ ...claim, lister: cache.of(pods), resource: pods, adoptable: pod => ordinalOf(set, pod) >= 0 })
    const history = await claimOwned<ControllerRevision>({ ...claim, lister: cache.of(controllerRevisions), resource: controllerRevisions })
    const { current: update, collisionCount } = await syncRevision({
      client,
      owner: set,
      template: set.spec.template,
      selectorLabels: set.spec.selector.matchLabels ?? {},
      collisionCount: set.status?.collisionCount,
      present: history,
    })
    const current = history.find(r => r.metadata.name === set.status?.currentRevision) ?? update
    // Pods carry the whole name of their revision, unlike those of daemon sets.
    const revisions: Revisions = { current: current.metadata.name ?? '', update: update.metadata.name ?? '' }
    // Before a pod goes: its claims have to know whether they go with it.
    for (const pod of owned) await settleClaims(context, set, pod)
    for (const action of planStatefulSet(set, owned, revisions, env.clock.now())) {
      await carryOut(context, set, action, action.kind === 'create' && action.revision === revisions.current ? templateOf(current, set) : set.spec.template)
    }
    const status = { ...statefulStatus(set, owned, revisions, env.clock.now()), collisionCount: collisionCount ?? 0 }
    if (!deepEqual(status, set.status)) {
      try {
        await client.resource(statefulSets).updateStatus({ ...set, status })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
    // Claims that went after their pod was made: it cannot be scheduled without them.
    for (const pod of owned) if (waitsForScheduler(pod) && isInRange(set, ordinalOf(set, pod))) await makeClaims(context, set, pod.metadata.name ?? '')
    await trimRevisions(
      client,
      history,
      new Set([hashOf(current), hashOf(update), ...owned.map(pod => hashOf(pod).slice((set.metadata.name ?? '').length + 1))]),
      set.spec.revisionHistoryLimit ?? 10,
    )
    const waiting = (set.spec.minReadySeconds ?? 0) > 0 && (status.readyReplicas ?? 0) !== (status.availableReplicas ?? 0)
    return waiting ? { requeueAfterMs: (set.spec.minReadySeconds ?? 0) * 1000 } : undefined
  },
})

function waitsForScheduler(pod: Pod): boolean {
  return pod.status?.phase === 'Pending' && !pod.spec?.nodeName && !pod.metadata.deletionTimestamp
}

function templateOf(revision: ControllerRevision, set: StatefulSet): PodTemplateSpec {
  const spec = revision.data['spec'] as { template?: PodTemplateSpec & { $patch?: string } } | undefined
  if (!spec?.template) return set.spec.template
  const { $patch: _patch, ...template } = spec.template
  return template
}

async function carryOut(context: ControllerContext, set: StatefulSet, action: Action, template: PodTemplateSpec): Promise<void> {
  const { client, events } = context
  const about = (pod: string): string => `${pod} in StatefulSet ${set.metadata.name ?? ''}`
  if (action.kind === 'delete') {
    const { name = '', namespace = '', uid } = action.pod.metadata
    try {
      await client.resource(pods).delete(name, { namespace, ...(uid ? { preconditions: { uid } } : {}) })
      events.event(set, 'Normal', 'SuccessfulDelete', `delete Pod ${about(name)} successful`)
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
    return
  }
  const pod = statefulPod(set, template, action.ordinal, action.revision)
  const name = pod.metadata.name ?? ''
  const stale = (set.spec.volumeClaimTemplates ?? [])
    .map(template => context.cache.of(persistentVolumeClaims).get(`${set.metadata.namespace ?? ''}/${claimName(template, name)}`))
    .find(claim => claim && isStale(claim, set, name))
  // Tried again with back-off until the garbage collector is done.
  if (stale) throw new Error(`PersistentVolumeClaim ${stale.metadata.name ?? ''} still belongs to an earlier ${name} and will be deleted with it`)
  try {
    await makeClaims(context, set, name)
    await client.resource(pods).create(pod)
    events.event(set, 'Normal', 'SuccessfulCreate', `create Pod ${about(name)} successful`)
  } catch (fault) {
    if (isAlreadyExists(fault)) return // not yet in the cache, or somebody else's: the next look tells
    events.event(set, 'Warning', 'FailedCreate', `create Pod ${about(name)} failed error: ${fault instanceof Error ? fault.message : String(fault)}`)
    throw fault
  }
}

/** Claims of other controllers are left alone, which is told. */
async function settleClaims(context: ControllerContext, set: StatefulSet, pod: Pod): Promise<void> {
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = claimName(template, pod.metadata.name ?? '')
    const claim = context.cache.of(persistentVolumeClaims).get(`${set.metadata.namespace ?? ''}/${name}`)
    if (!claim || claim.metadata.deletionTimestamp) continue
    const ownerReferences = wantedOwners(claim, set, pod)
    if (!ownerReferences) continue
    if (hasOtherController(claim, set, pod)) {
      const text = `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`
      context.events.event(set, 'Warning', 'ConflictingController', text)
    }
    await context.client.resource(persistentVolumeClaims).update({ ...claim, metadata: { ...claim.metadata, ownerReferences } })
  }
}

/** Claims outlive their pods and their set unless told otherwise: they hold the data. */
async function makeClaims(context: ControllerContext, set: StatefulSet, pod: string): Promise<void> {
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = claimName(template, pod)
    const present = context.cache.of(persistentVolumeClaims).get(`${set.metadata.namespace ?? ''}/${name}`)
    // A pod made now would wait for ever for a claim that goes: tried again with back-off until it is gone.
    if (present?.metadata.deletionTimestamp) throw new Error(`PersistentVolumeClaim ${name} is being deleted`)
    if (present) continue
    const labels = { ...template.metadata.labels, ...set.spec.selector.matchLabels }
    try {
      await context.client.resource(persistentVolumeClaims).create({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        ...(template.spec ? { spec: template.spec } : {}),
        metadata: { name, namespace: set.metadata.namespace ?? '', labels, ...(template.metadata.annotations ? { annotations: template.metadata.annotations } : {}) },
      })
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
    }
  }
}
