/** Runs one pod of a template on every node that suits it; during an update with maxSurge, a second one beside the old. */
import { controllerRevisions } from '../../api/apps/v1/controller-revision.ts'
import { daemonSets } from '../../api/apps/v1/daemon-set.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { ControllerRevision, DaemonSet } from '../../api/generated/apps-v1.ts'
import type { Node, Pod, PodSpec } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext } from '../../controller-runtime/controller.ts'
import { podAllowsNode } from '../../api/core/v1/node-selector.ts'
import { claimOwned, indexByController } from '../../controller-runtime/ownership.ts'
import { hashOf, revisionHashLabel, syncRevision, trimRevisions } from '../../controller-runtime/revisions.ts'
import type { RevisionState } from '../../controller-runtime/revisions.ts'
import { slowStart } from '../../controller-runtime/slow-start.ts'
import { daemonPod, daemonStatus, planDaemons, verdictOf } from './plan.ts'

const allows = (spec: PodSpec | undefined, node: Node): boolean => podAllowsNode({ apiVersion: 'v1', kind: 'Pod', metadata: {}, ...(spec ? { spec } : {}) }, node)

export const daemonSetController = defineController<DaemonSet>({
  name: 'daemon-set-controller',
  for: daemonSets,
  owns: [pods],
  // Revisions that come and go wake nobody, as upstream: people may tidy up in peace.
  reads: [controllerRevisions],
  watches: [
    {
      resource: nodes,
      keys: (node: Node, { cache }, previous?: Node) => {
        // Heartbeats come every few seconds and change nothing here.
        const same = previous && deepEqual(node.spec, previous.spec) && deepEqual(node.metadata.labels, previous.metadata.labels)
        return same ? [] : cache.of(daemonSets).list().map(keyOf)
      },
    },
  ],
  writes: [{ resource: pods }, { resource: controllerRevisions }, { resource: daemonSets, subresource: 'status' }, { resource: daemonSets, verbs: ['get'] }],
  indexes: [indexByController(pods), indexByController(controllerRevisions)],
  workers: 2,
  async reconcile(context, key) {
    const ds = context.cache.of(daemonSets).get(key)
    if (!ds || ds.metadata.deletionTimestamp) return
    const { client, cache, env } = context
    const claim = { client, owner: ds, ownerResource: daemonSets, selector: ds.spec.selector }
    const owned = await claimOwned<Pod>({ ...claim, lister: cache.of(pods), resource: pods })
    const history = await claimOwned<ControllerRevision>({ ...claim, lister: cache.of(controllerRevisions), resource: controllerRevisions })
    const state = await syncRevision({
      client,
      owner: ds,
      template: ds.spec.template,
      selectorLabels: ds.spec.template.metadata?.labels ?? {},
      collisionCount: ds.status?.collisionCount,
      present: history,
    })
    const revision = state.current
    if (await mergeDuplicates(context, state, owned)) return { requeueAfterMs: 1 }
    const all = cache.of(nodes).list()
    const verdict = (node: Node) => verdictOf(ds, node, allows)
    const plan = planDaemons(ds, all, owned, hashOf(revision), verdict, env.clock.now())
    const fault = await carryOut(context, ds, plan, hashOf(revision))
    const status = daemonStatus(ds, all, owned, hashOf(revision), verdict, env.clock.now())
    if (state.collisionCount !== undefined) status.collisionCount = state.collisionCount
    if (!deepEqual(status, ds.status)) {
      try {
        await client.resource(daemonSets).updateStatus({ ...ds, status })
      } catch (cause) {
        if (!isNotFound(cause)) throw cause
      }
    }
    await trimRevisions(client, history, new Set([hashOf(revision), ...owned.map(hashOf)]), ds.spec.revisionHistoryLimit ?? 10)
    if (fault) throw fault
    const waiting = (ds.spec.minReadySeconds ?? 0) > 0 && status.numberReady !== (status.numberAvailable ?? 0)
    return waiting ? { requeueAfterMs: (ds.spec.minReadySeconds ?? 0) * 1000 } : undefined
  },
})

/** Pods of a revision with the same template are taken over without a restart, then it goes. True when something was written. */
async function mergeDuplicates(context: ControllerContext, { current, duplicates }: RevisionState, owned: readonly Pod[]): Promise<boolean> {
  if (duplicates.length === 0) return false
  const hashes = new Set(duplicates.map(hashOf))
  const { client } = context
  for (const pod of owned.filter(p => hashes.has(hashOf(p)))) {
    const labels = { [revisionHashLabel]: hashOf(current) }
    await client.resource(pods).patch(pod.metadata.name ?? '', 'merge', { metadata: { uid: pod.metadata.uid, labels } }, { namespace: pod.metadata.namespace ?? '' })
  }
  for (const { metadata } of duplicates) {
    await client
      .resource(controllerRevisions)
      .delete(metadata.name ?? '', { namespace: metadata.namespace ?? '' })
      .catch((fault: unknown) => {
        if (!isNotFound(fault)) throw fault
      })
  }
  return true
}

async function carryOut(context: ControllerContext, ds: DaemonSet, plan: ReturnType<typeof planDaemons>, hash: string): Promise<unknown> {
  const client = context.client.resource(pods)
  for (const pod of plan.failed) {
    context.events.event(
      ds,
      'Warning',
      'FailedDaemonPod',
      `Found failed daemon pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''} on node ${pod.spec?.nodeName ?? ''}, will try to kill it`,
    )
  }
  const { fault } = await slowStart(plan.create.length, async index => {
    try {
      const made = await client.create(daemonPod(ds, plan.create[index] ?? '', hash))
      context.events.event(ds, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name ?? ''}`)
    } catch (cause) {
      context.events.event(ds, 'Warning', 'FailedCreate', `Error creating: ${cause instanceof Error ? cause.message : String(cause)}`)
      throw cause
    }
  })
  for (const pod of plan.remove) {
    try {
      await client.delete(pod.metadata.name ?? '', { namespace: pod.metadata.namespace ?? '' })
      context.events.event(ds, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name ?? ''}`)
    } catch (cause) {
      if (!isNotFound(cause)) throw cause
    }
  }
  return fault
}
