/**
 * Deletes pods that do not tolerate their node's NoExecute taints, after the time they tolerate them. Times run in awake
 * time and begin anew after a sleep or a restart of the control plane.
 */
import { nodes } from '../../api/core/v1/node.ts'
import { isPodTerminal, podCondition, pods, tolerationTolerates } from '../../api/core/v1/pod.ts'
import type { Node, Pod, Taint, Toleration } from '../../api/generated/core-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import { AwakeGap } from '../../controller-runtime/awake-gap.ts'
import type { RunnableContext, RunnableDefinition } from '../../controller-runtime/controller.ts'
import { podsOfNode, podsOfNodeIndex } from '../../controller-runtime/node-pods.ts'

const periodMs = 1000

export const taintEvictionController: RunnableDefinition = {
  name: 'taint-eviction-controller',
  rules: [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
  ],
  run,
}

/** Milliseconds that a pod may stay under these NoExecute taints; undefined = for ever. Pure. */
export function toleratedMs(taints: readonly Taint[], tolerations: readonly Toleration[]): number | undefined {
  let least: number | undefined
  for (const taint of taints) {
    const covering = tolerations.filter(t => tolerationTolerates(t, taint))
    if (covering.length === 0) return 0
    for (const toleration of covering) {
      if (toleration.tolerationSeconds === undefined) continue
      least = Math.min(least ?? Infinity, Math.max(0, toleration.tolerationSeconds) * 1000)
    }
  }
  return least
}

async function run(context: RunnableContext): Promise<void> {
  const { env, signal, informers } = context
  const nodeInformer = informers.informer(nodes)
  const podInformer = informers.informer(pods)
  podInformer.addIndex(podsOfNode.name, podsOfNode.values)
  await Promise.all([nodeInformer.synced, podInformer.synced])
  const gap = new AwakeGap(env)
  /** Pod uid → since when (awake) it is under taints that it does not tolerate for ever. */
  let since = new Map<string, number>()
  while (!signal.aborted) {
    if (gap.check(periodMs)) since = new Map()
    const next = new Map<string, number>()
    for (const node of nodeInformer.list()) {
      const taints = noExecuteTaints(node)
      if (taints.length > 0) for (const pod of podInformer.byIndex(podsOfNodeIndex, node.metadata.name ?? '')) await judge(context, pod, taints, since, next)
    }
    for (const uid of since.keys()) {
      if (!next.has(uid))
        cancelled(
          context,
          podInformer.list().find(p => p.metadata.uid === uid),
        )
    }
    since = next
    await env.clock.sleep(periodMs, signal).catch(() => {})
  }
}

function noExecuteTaints(node: Node): Taint[] {
  return (node.spec?.taints ?? []).filter(t => t.effect === 'NoExecute')
}

async function judge(context: RunnableContext, pod: Pod, taints: readonly Taint[], since: ReadonlyMap<string, number>, next: Map<string, number>): Promise<void> {
  if (pod.metadata.deletionTimestamp || isPodTerminal(pod)) return
  const allowed = toleratedMs(taints, pod.spec?.tolerations ?? [])
  if (allowed === undefined) return
  const uid = pod.metadata.uid ?? ''
  const nowMs = context.env.clock.awakeMs()
  const start = since.get(uid) ?? nowMs
  next.set(uid, start)
  if (nowMs - start >= allowed) await evict(context, pod)
}

async function evict(context: RunnableContext, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  const client = context.client.resource(pods)
  context.events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace ?? ''}/${name ?? ''}`)
  try {
    if (podCondition(pod, 'DisruptionTarget')?.status !== 'True') {
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
        lastTransitionTime: formatTime(context.env.clock.now()),
      }
      const others = (pod.status?.conditions ?? []).filter(c => c.type !== 'DisruptionTarget')
      await client.updateStatus({ ...pod, status: { ...pod.status, conditions: [...others, condition] } })
    }
    await client.delete(name ?? '', { namespace: namespace ?? '', ...(uid ? { preconditions: { uid } } : {}) })
  } catch (fault) {
    // The next look, a second later, tries again.
    if (!isNotFound(fault)) context.env.log.log('debug', 'eviction will be tried again', { pod: `${namespace ?? ''}/${name ?? ''}`, fault: String(fault) })
  }
}

function cancelled(context: RunnableContext, pod: Pod | undefined): void {
  if (!pod || pod.metadata.deletionTimestamp) return
  context.events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`)
}
