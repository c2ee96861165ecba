/** Pod: declaration, strategy and columns. Questions are in pod-questions.ts, defaults in pod-defaults.ts, validation in pod-validation.ts. */
import { defineResource } from '../../resource.ts'
import type { Column, RowCondition } from '../../resource.ts'
import { nameColumn, ageColumn, none } from '../../columns.ts'
import { formatTime, humanDuration } from '../../time.ts'
import type { Pod } from '../../generated/core-v1.ts'
import { setPodDefaults } from './pod-defaults.ts'
import { mergeMatchLabelKeys, setAppArmorFromAnnotations } from './pod-strategy.ts'
import { podCondition, podQosClass, podReasonSchedulingGated, podStatusText } from './pod-questions.ts'
import { validatePod, validatePodStatusUpdate, validatePodUpdate } from './pod-validation.ts'
import { podWarnings } from './pod-warnings.ts'

export type { Pod }
export * from './pod-questions.ts'

const podColumns: Column<Pod>[] = [
  nameColumn(),
  {
    name: 'Ready',
    type: 'string',
    value: pod => {
      const text = podStatusText(pod)
      return `${text.ready}/${text.total}`
    },
  },
  { name: 'Status', type: 'string', value: pod => podStatusText(pod).reason },
  { name: 'Restarts', type: 'string', value: (pod, now) => restartsText(pod, now) },
  ageColumn(),
  { name: 'IP', type: 'string', priority: 1, value: pod => pod.status?.podIPs?.[0]?.ip || none },
  { name: 'Node', type: 'string', priority: 1, value: pod => pod.spec?.nodeName || none },
  { name: 'Nominated Node', type: 'string', priority: 1, value: pod => pod.status?.nominatedNodeName || none },
  { name: 'Readiness Gates', type: 'string', priority: 1, value: readinessGatesText },
]

/** A pod that ended is completed, well or not. */
function completedConditions(pod: Pod): RowCondition[] {
  if (pod.status?.phase === 'Succeeded') return [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }]
  return pod.status?.phase === 'Failed' ? [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }] : []
}

function restartsText(pod: Pod, now: number): string {
  const { restarts, lastRestartAt } = podStatusText(pod)
  return restarts !== 0 && lastRestartAt !== undefined ? `${restarts} (${humanDuration(now - lastRestartAt)} ago)` : String(restarts)
}

function readinessGatesText(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? []
  if (gates.length === 0) return none
  return `${gates.filter(gate => podCondition(pod, gate.conditionType)?.status === 'True').length}/${gates.length}`
}

/** A gated pod says so in its PodScheduled condition from its first moment. */
function noteSchedulingGates(pod: Pod, now: number): void {
  if ((pod.spec?.schedulingGates?.length ?? 0) === 0) return
  const conditions = ((pod.status ??= {}).conditions ??= [])
  if (conditions.some(c => c.type === 'PodScheduled')) return
  conditions.push({
    type: 'PodScheduled',
    status: 'False',
    reason: podReasonSchedulingGated,
    message: 'Scheduling is blocked due to non-empty scheduling gates',
    lastTransitionTime: formatTime(now),
  })
}

/** 30 s unless the request or the pod says otherwise; 0 for pods on no node or already done. */
function gracePeriodSeconds(pod: Pod, asked: number | undefined): number {
  const period = asked ?? pod.spec?.terminationGracePeriodSeconds ?? 0
  if (!pod.spec?.nodeName) return 0
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0
  return period < 0 ? 1 : period
}

export const pods = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  scope: 'Namespaced',
  shortNames: ['po'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.core.v1.Pod',
  subresources: { status: true, others: ['attach', 'binding', 'ephemeralcontainers', 'eviction', 'exec', 'log', 'portforward', 'proxy', 'resize'] },
  columns: podColumns,
  menu: { area: 'workloads', order: 10 },
  fields: {
    'spec.nodeName': pod => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': pod => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': pod => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': pod => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': pod => String(pod.spec?.hostNetwork ?? false),
    'status.phase': pod => pod.status?.phase ?? '',
    'status.podIP': pod => pod.status?.podIPs?.[0]?.ip ?? '',
    // Legal to ask for, but never filled in.
    'status.podIPs': () => '',
    'status.nominatedNodeName': pod => pod.status?.nominatedNodeName ?? '',
  },
  setDefaults(pod) {
    setPodDefaults(pod.spec)
  },
  prepareForCreate(pod, { now }) {
    pod.status = { phase: 'Pending', qosClass: podQosClass(pod) }
    setAppArmorFromAnnotations(pod)
    mergeMatchLabelKeys(pod)
    noteSchedulingGates(pod, now)
  },
  prepareForUpdate(next, previous) {
    const ungated = (previous.spec?.schedulingGates?.length ?? 0) > 0 && (next.spec?.schedulingGates?.length ?? 0) === 0
    // The scheduler owns the condition; a pod that lost its last gate is no longer reported as gated.
    if (ungated && next.status?.conditions !== undefined) {
      next.status = { ...next.status, conditions: next.status.conditions.filter(c => !(c.type === 'PodScheduled' && c.reason === podReasonSchedulingGated)) }
    }
  },
  prepareForStatusUpdate(next, previous) {
    if (next.status === undefined) next.status = {}
    // Kubelets of old left it out.
    if (!next.status.qosClass && previous.status?.qosClass !== undefined) next.status.qosClass = previous.status.qosClass
    if (next.status.podIP && (next.status.podIPs?.length ?? 0) === 0) next.status.podIPs = [{ ip: next.status.podIP }]
    if (!next.status.podIP && next.status.podIPs?.[0] !== undefined) next.status.podIP = next.status.podIPs[0].ip
  },
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  rowConditions: completedConditions,
  validateStatusUpdate: validatePodStatusUpdate,
  warnings: podWarnings,
  gracePeriodSeconds,
})
