/** Removes pods that nobody else will: finished ones beyond a threshold, those of nodes that are gone, unscheduled ones that are being deleted. */
import { nodes } from '../../api/core/v1/node.ts'
import { isPodTerminal, podCondition, pods } from '../../api/core/v1/pod.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { RunnableContext, RunnableDefinition } from '../../controller-runtime/controller.ts'

const periodMs = 20_000
/** A node must be missing for this long: it may only not have been listed yet. */
const quarantineMs = 40_000
/** As upstream's --terminated-pod-gc-threshold. */
const maxTerminated = 12_500

export const podGarbageCollector: RunnableDefinition = {
  name: 'pod-garbage-collector',
  rules: [
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
  ],
  async run(context) {
    const { env, signal, informers } = context
    const podInformer = informers.informer(pods)
    const nodeInformer = informers.informer(nodes)
    await Promise.all([podInformer.synced, nodeInformer.synced])
    const missingSince = new Map<string, number>()
    while (!signal.aborted) {
      await env.clock.sleep(periodMs, signal).catch(() => {})
      if (signal.aborted) return
      const all = podInformer.list()
      const lost = await lostNodes(context, all, missingSince, name => nodeInformer.get(name) !== undefined)
      for (const pod of excessTerminated(all)) await remove(context, pod, undefined)
      for (const pod of all) {
        if (pod.spec?.nodeName && lost.has(pod.spec.nodeName)) await remove(context, pod, 'PodGC: node no longer exists')
        else if (!pod.spec?.nodeName && pod.metadata.deletionTimestamp) await remove(context, pod, undefined)
      }
    }
  },
}

/** The oldest finished pods beyond the threshold. Pure. */
export function excessTerminated(all: readonly Pod[], limit = maxTerminated): Pod[] {
  const finished = all.filter(isPodTerminal).sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
  return finished.slice(0, Math.max(0, finished.length - limit))
}

async function lostNodes(context: RunnableContext, all: readonly Pod[], missingSince: Map<string, number>, exists: (name: string) => boolean): Promise<ReadonlySet<string>> {
  const nowMs = context.env.clock.awakeMs()
  const missing = new Set(all.map(p => p.spec?.nodeName ?? '').filter(name => name !== '' && !exists(name)))
  for (const name of missingSince.keys()) if (!missing.has(name)) missingSince.delete(name)
  const lost = new Set<string>()
  for (const name of missing) {
    const since = missingSince.get(name) ?? nowMs
    missingSince.set(name, since)
    if (nowMs - since >= quarantineMs && (await isGone(context, name))) lost.add(name)
  }
  return lost
}

async function isGone(context: RunnableContext, name: string): Promise<boolean> {
  try {
    await context.client.resource(nodes).get(name)
    return false
  } catch (fault) {
    return isNotFound(fault)
  }
}

async function remove(context: RunnableContext, pod: Pod, disruption: string | undefined): Promise<void> {
  const client = context.client.resource(pods)
  const { namespace, name, uid } = pod.metadata
  try {
    if (!isPodTerminal(pod) && disruption !== undefined) {
      const others = (pod.status?.conditions ?? []).filter(c => c.type !== 'DisruptionTarget')
      const condition = podCondition(pod, 'DisruptionTarget') ?? {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByPodGC',
        message: disruption,
        lastTransitionTime: formatTime(context.env.clock.now()),
      }
      await client.updateStatus({ ...pod, status: { ...pod.status, phase: 'Failed', conditions: [...others, condition] } })
    }
    await client.delete(name ?? '', { namespace: namespace ?? '', gracePeriodSeconds: 0, ...(uid ? { preconditions: { uid } } : {}) })
  } catch (fault) {
    if (!isNotFound(fault)) context.env.log.log('warn', 'pod will be collected later', { pod: `${namespace ?? ''}/${name ?? ''}`, fault: String(fault) })
  }
}
