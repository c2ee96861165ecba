/** Draining as kubectl does it: cordon, then evict all but DaemonSet and mirror pods; 429 means a budget holds the pod, and it is tried again. */
import { StatusError } from '../../../src-main/api/status-error.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { keyOf } from '../../../src-main/api/meta.ts'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import { pods as podKind } from '../../../src-main/api/core/v1/pod.ts'
import { resourcePath } from '../../../src-main/api/resource.ts'
import { ask, pathOf, strategicPatch } from '../../api/cluster.ts'
import { windowEnv } from '../../transport/window-env.ts'

export interface DrainPod {
  pod: KubernetesObject
  state: 'evict' | 'stays' | 'blocked' | 'lost' | 'gone' | 'failed'
  message: string
}

const retryMs = 5000

function eviction(pod: KubernetesObject, dryRun: boolean): unknown {
  return {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace },
    ...(dryRun ? { deleteOptions: { dryRun: ['All'] } } : {}),
  }
}

/** Which budget holds a pod, in the server's words: `The disruption budget web needs 2 healthy pods and has 2 currently`. */
function budgetOf(refusal: StatusError): string {
  return refusal.status.details?.causes?.find(cause => cause.reason === 'DisruptionBudget')?.message ?? refusal.message
}

/** What a drain would do, asked of the server by dry-run evictions. */
export async function previewDrain(node: string, signal: AbortSignal): Promise<DrainPod[]> {
  const { body } = await ask('GET', `${resourcePath(podKind)}?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`, { signal })
  const found = (body as { items: KubernetesObject[] }).items
  return Promise.all(
    found.map(async (pod): Promise<DrainPod> => {
      const owner = pod.metadata.ownerReferences?.find(o => o.controller)
      if (owner?.kind === 'DaemonSet') return { pod, state: 'stays', message: '' }
      if (pod.metadata.annotations?.['kubernetes.io/config.mirror']) return { pod, state: 'stays', message: 'static pod' }
      try {
        await ask('POST', pathOf(podKind, pod, 'eviction') + '?dryRun=All', { body: eviction(pod, true), contentType: 'application/json', signal })
      } catch (error) {
        if (error instanceof StatusError && error.code === 429) return { pod, state: 'blocked', message: budgetOf(error) }
        if (!(error instanceof StatusError && error.code === 404)) throw error
      }
      return owner ? { pod, state: 'evict', message: '' } : { pod, state: 'lost', message: '' }
    }),
  )
}

export async function drainNode(node: KubernetesObject, preview: readonly DrainPod[], show: (pods: readonly DrainPod[]) => void, signal: AbortSignal): Promise<void> {
  await strategicPatch(nodes, node, { spec: { unschedulable: true } })
  const states = new Map(preview.map(p => [keyOf(p.pod), p]))
  const set = (entry: DrainPod): void => {
    states.set(keyOf(entry.pod), entry)
    show([...states.values()])
  }
  for (;;) {
    const waiting = [...states.values()].filter(p => p.state === 'evict' || p.state === 'blocked' || p.state === 'lost')
    if (waiting.length === 0) return
    for (const entry of waiting) {
      if (signal.aborted) return
      set(await evictOne(entry, signal))
    }
    if ([...states.values()].some(p => p.state === 'blocked')) await windowEnv.clock.sleep(retryMs, signal)
  }
}

async function evictOne(entry: DrainPod, signal: AbortSignal): Promise<DrainPod> {
  try {
    await ask('POST', pathOf(podKind, entry.pod, 'eviction'), { body: eviction(entry.pod, false), contentType: 'application/json', signal })
    return { ...entry, state: 'gone', message: '' }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    if (error.code === 404) return { ...entry, state: 'gone', message: '' }
    return { ...entry, state: error.code === 429 ? 'blocked' : 'failed', message: error.code === 429 ? budgetOf(error) : error.message }
  }
}
