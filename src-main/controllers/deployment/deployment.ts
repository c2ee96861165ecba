/** Rolls a Deployment's template out by growing a new ReplicaSet and shrinking the old ones, one small step a reconcile. */
import { deployments } from '../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/generated/apps-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { StatusError, isAlreadyExists, isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { Cache, ControllerContext, Requeue } from '../../controller-runtime/controller.ts'
import { claimOwned, controllerIndex, controllerOf, indexByController } from '../../controller-runtime/ownership.ts'
import {
  annotationsFor,
  beyondHistory,
  findNew,
  isRolling,
  makeReplicaSet,
  nextRevision,
  oldSets,
  revisionAnnotation,
  sameTemplate,
  sizeAnnotations,
  sizeOf,
  wanted,
} from './replica-sets.ts'
import { isScaling, removeOld, resizeNew, scaleAll, shrinkOld } from './scale.ts'
import type { Resize } from './scale.ts'
import { conditionOf, countedStatus, deadlineCheckMs, hasDeadline, isComplete, makeCondition, pausedConditions, rolloutStatus, withCondition } from './status.ts'
import type { Conditions } from './status.ts'

export const deploymentController = defineController<Deployment>({
  name: 'deployment-controller',
  for: deployments,
  owns: [replicaSets],
  watches: [
    { resource: replicaSets, keys: (rs: ReplicaSet, { cache }) => adopters(rs, cache) },
    // Recreate waits for the last old pod to be gone.
    { resource: pods, keys: (pod: Pod, { cache }) => deploymentOfPod(pod, cache) },
  ],
  writes: [{ resource: deployments, verbs: ['get', 'update', 'patch'] }, { resource: deployments, subresource: 'status' }, { resource: replicaSets }],
  indexes: [indexByController(replicaSets), indexByController(pods)],
  workers: 5,
  async reconcile(context, key) {
    const d = context.cache.of(deployments).get(key)
    return d && new Rollout(context, d).run()
  },
})

function adopters(rs: ReplicaSet, cache: Cache): string[] {
  if (controllerOf(rs) || rs.metadata.deletionTimestamp) return []
  return cache
    .of(deployments)
    .list(rs.metadata.namespace)
    .filter(d => labelSelectorMatches(d.spec.selector, rs.metadata.labels ?? {}))
    .map(keyOf)
}

function deploymentOfPod(pod: Pod, cache: Cache): string[] {
  const ref = controllerOf(pod)
  if (ref?.kind !== 'ReplicaSet') return []
  const rs = cache.of(replicaSets).get(`${pod.metadata.namespace ?? ''}/${ref.name}`)
  const owner = rs && controllerOf(rs)
  return owner?.kind === 'Deployment' ? [`${pod.metadata.namespace ?? ''}/${owner.name}`] : []
}

/** One reconcile of one deployment. */
class Rollout {
  readonly #context: ControllerContext
  readonly #d: Deployment
  #conditions: Conditions

  constructor(context: ControllerContext, d: Deployment) {
    this.#context = context
    this.#d = d
    this.#conditions = d.status?.conditions ?? []
  }

  get #now(): number {
    return this.#context.env.clock.now()
  }

  async run(): Promise<Requeue | undefined> {
    const d = this.#d
    const selector = d.spec.selector
    if (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0) {
      this.#context.events.event(d, 'Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.')
      return
    }
    const { client, cache } = this.#context
    const sets = await claimOwned<ReplicaSet>({ client, lister: cache.of(replicaSets), resource: replicaSets, owner: d, ownerResource: deployments, selector })
    if (d.metadata.deletionTimestamp) return this.#finish(sets, findNew(d, sets), false)
    this.#conditions = pausedConditions(d, this.#conditions, this.#now) ?? this.#conditions
    if (d.spec.paused || isScaling(d, sets)) return this.#scale(sets)
    return isRolling(d) ? this.#roll(sets) : this.#recreate(sets)
  }

  async #scale(sets: readonly ReplicaSet[]): Promise<Requeue | undefined> {
    const current = await this.#newReplicaSet(sets, false)
    const old = oldSets(sets, current)
    await this.#resize(scaleAll(this.#d, current, old))
    if (this.#d.spec.paused) await this.#cleanUp(old)
    return this.#finish(sets, current, false)
  }

  async #roll(sets: readonly ReplicaSet[]): Promise<Requeue | undefined> {
    const current = await this.#newReplicaSet(sets, true)
    if (!current) return
    const old = oldSets(sets, current)
    const all = [...old, current]
    const grow = resizeNew(this.#d, current, old)
    if (grow.length > 0) {
      await this.#resize(grow)
      return this.#finish(all, current, true)
    }
    const shrink = shrinkOld(this.#d, current, old)
    if (shrink.length > 0) {
      await this.#resize(shrink)
      return this.#finish(all, current, true)
    }
    if (isComplete(this.#d, this.#d.status ?? {})) await this.#cleanUp(old)
    return this.#finish(all, current, true)
  }

  async #recreate(sets: readonly ReplicaSet[]): Promise<Requeue | undefined> {
    const present = await this.#newReplicaSet(sets, false)
    const old = oldSets(sets, present)
    const shrink = removeOld(old)
    if (shrink.length > 0 || this.#oldPodsRun(old)) {
      await this.#resize(shrink)
      return this.#finish(sets, present, true)
    }
    const current = present ?? (await this.#newReplicaSet(sets, true))
    if (!current) return
    if (sizeOf(current) !== wanted(this.#d)) await this.#resize([{ replicaSet: current, size: wanted(this.#d) }])
    if (isComplete(this.#d, this.#d.status ?? {})) await this.#cleanUp(old)
    return this.#finish([...old, current], current, true)
  }

  #oldPodsRun(old: readonly ReplicaSet[]): boolean {
    const lister = this.#context.cache.of(pods)
    return old.some(
      rs => (rs.status?.replicas ?? 0) > 0 || lister.byIndex(controllerIndex, rs.metadata.uid ?? '').some(p => p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed'),
    )
  }

  /** The replica set of the present template with up-to-date annotations; made when there is none and `create` is set. */
  async #newReplicaSet(sets: readonly ReplicaSet[], create: boolean): Promise<ReplicaSet | undefined> {
    const d = this.#d
    const found = findNew(d, sets)
    const old = oldSets(sets, found)
    if (found) return this.#refresh(found, old)
    if (!create) return undefined
    const made = await this.#create(makeReplicaSet(d, old))
    if (!made) return undefined
    await this.#setRevision(made)
    if (hasDeadline(d)) this.#condition('True', 'NewReplicaSetCreated', `Created new replica set "${made.metadata.name ?? ''}"`)
    return made
  }

  async #refresh(found: ReplicaSet, old: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const d = this.#d
    const annotations = annotationsFor(d, found.metadata.annotations, nextRevision(old), true)
    const minReadySeconds = d.spec.minReadySeconds ?? 0
    let current = found
    if (!deepEqual(annotations, found.metadata.annotations ?? {}) || minReadySeconds !== (found.spec.minReadySeconds ?? 0)) {
      current = await this.#context.client.resource(replicaSets).update({ ...found, metadata: { ...found.metadata, annotations }, spec: { ...found.spec, minReadySeconds } })
    }
    await this.#setRevision(current)
    if (hasDeadline(d) && !conditionOf(this.#conditions, 'Progressing')) this.#condition('True', 'FoundNewReplicaSet', `Found new replica set "${found.metadata.name ?? ''}"`)
    return current
  }

  async #create(wantedSet: ReplicaSet): Promise<ReplicaSet | undefined> {
    const d = this.#d
    const client = this.#context.client.resource(replicaSets)
    try {
      const made = await client.create(wantedSet)
      if (sizeOf(made) > 0) this.#context.events.event(d, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${made.metadata.name ?? ''} from 0 to ${sizeOf(made)}`)
      return made
    } catch (fault) {
      if (isAlreadyExists(fault)) {
        const other = await client.get(wantedSet.metadata.name ?? '', { namespace: d.metadata.namespace ?? '' })
        if (controllerOf(other)?.uid === d.metadata.uid && sameTemplate(d, other)) return other
        // Another template with the same hash: count up, so that the next try has another name.
        await this.#writeStatus({ ...d.status, conditions: [...this.#conditions], collisionCount: (d.status?.collisionCount ?? 0) + 1 })
        return undefined
      }
      if (fault instanceof StatusError && (fault.status.details?.causes ?? []).some(c => c.reason === 'NamespaceTerminating')) return undefined
      if (hasDeadline(d)) {
        this.#condition(
          'False',
          'ReplicaSetCreateError',
          `Failed to create new replica set "${wantedSet.metadata.name ?? ''}": ${fault instanceof Error ? fault.message : String(fault)}`,
        )
        await this.#writeStatus({ ...d.status, conditions: [...this.#conditions] })
      }
      throw fault
    }
  }

  async #setRevision(rs: ReplicaSet): Promise<void> {
    const revision = rs.metadata.annotations?.[revisionAnnotation]
    const { namespace, name, annotations } = this.#d.metadata
    if (!revision || annotations?.[revisionAnnotation] === revision) return
    await this.#context.client.resource(deployments).patch(name ?? '', 'merge', { metadata: { annotations: { [revisionAnnotation]: revision } } }, { namespace: namespace ?? '' })
  }

  async #resize(resizes: readonly Resize[]): Promise<void> {
    const d = this.#d
    for (const { replicaSet, size } of resizes) {
      const annotations = { ...replicaSet.metadata.annotations, ...sizeAnnotations(d) }
      const before = sizeOf(replicaSet)
      if (before === size && deepEqual(annotations, replicaSet.metadata.annotations ?? {})) continue
      await this.#context.client.resource(replicaSets).update({ ...replicaSet, metadata: { ...replicaSet.metadata, annotations }, spec: { ...replicaSet.spec, replicas: size } })
      if (before !== size) {
        const how = size > before ? 'up' : 'down'
        this.#context.events.event(d, 'Normal', 'ScalingReplicaSet', `Scaled ${how} replica set ${replicaSet.metadata.name ?? ''} from ${before} to ${size}`)
      }
    }
  }

  async #cleanUp(old: readonly ReplicaSet[]): Promise<void> {
    for (const rs of beyondHistory(this.#d, old)) {
      try {
        await this.#context.client.resource(replicaSets).delete(rs.metadata.name ?? '', { namespace: rs.metadata.namespace ?? '' })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
  }

  #condition(status: string, reason: string, message: string): void {
    this.#conditions = withCondition(this.#conditions, makeCondition('Progressing', status, reason, message, this.#now))
  }

  async #finish(sets: readonly ReplicaSet[], current: ReplicaSet | undefined, rollout: boolean): Promise<Requeue | undefined> {
    const status = rollout ? rolloutStatus(this.#d, sets, current, this.#conditions, this.#now) : countedStatus(this.#d, sets, current, this.#conditions, this.#now)
    if (!deepEqual(status, this.#d.status)) await this.#writeStatus(status)
    const afterMs = rollout ? deadlineCheckMs(this.#d, status, this.#now) : undefined
    return afterMs === undefined ? undefined : { requeueAfterMs: afterMs }
  }

  /** A patch of the whole status: the deployment may have got its revision annotation in this same reconcile. */
  async #writeStatus(status: DeploymentStatus): Promise<void> {
    const { namespace, name, uid } = this.#d.metadata
    const gone = Object.fromEntries(
      Object.keys(this.#d.status ?? {})
        .filter(k => !(k in status))
        .map(k => [k, null]),
    )
    try {
      await this.#context.client
        .resource(deployments)
        .patch(name ?? '', 'merge', { metadata: { uid }, status: { ...gone, ...status } }, { namespace: namespace ?? '', subresource: 'status' })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
  }
}
