import { parseTime } from '../../api/time.ts'
import type { Pod } from '../../api/core/v1/pod.ts'
import { defineWarning, plural, type WarningFinding } from '../warning.ts'

const warnAfterMs = 60_000
const criticalAfterMs = 600_000
/** More names than this do not help anybody; the count tells the rest. */
const namedPods = 20

function unschedulable(pod: Pod): { since: number; message: string } | undefined {
  const condition = pod.status?.conditions?.find(c => c.type === 'PodScheduled')
  if (condition?.status !== 'False' || condition.reason !== 'Unschedulable') return undefined
  return { since: parseTime(condition.lastTransitionTime ?? pod.metadata.creationTimestamp ?? ''), message: condition.message ?? '' }
}

/** C13: pods that the scheduler could not place, with its reasons; pods that wait for the same reason are one warning. */
export const pendingPods = defineWarning({
  id: 'C13',
  find({ pending, now }) {
    const byReason = new Map<string, { pods: Pod[]; since: number }>()
    for (const pod of pending) {
      const state = unschedulable(pod)
      if (!state || !(now - state.since >= warnAfterMs)) continue
      const entry = byReason.get(state.message) ?? { pods: [], since: state.since }
      entry.pods.push(pod)
      entry.since = Math.min(entry.since, state.since)
      byReason.set(state.message, entry)
    }
    return [...byReason].map(([reason, { pods, since }]): WarningFinding => ({
      severity: now - since >= criticalAfterMs ? 'critical' : 'warning',
      title: `${plural(pods.length, 'pod')} cannot be placed on any node`,
      message: `Waiting for ${Math.floor((now - since) / 60_000)} min: ${reason === '' ? 'the scheduler gave no reason' : reason}`,
      advice: 'Add a node that fits, free resources on a node, or change the requests, selectors or tolerations of these pods.',
      subjects: pods.slice(0, namedPods).map(p => ({ kind: 'Pod', namespace: p.metadata.namespace ?? '', name: p.metadata.name ?? '' })),
    }))
  },
})
