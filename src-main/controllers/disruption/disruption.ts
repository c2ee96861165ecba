/** Counts for PodDisruptionBudgets: how many pods are healthy, must stay so, and may be evicted now. */
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { deployments } from '../../api/apps/v1/deployment.ts'
import { statefulSets } from '../../api/apps/v1/stateful-set.ts'
import { replicationControllers } from '../../api/core/v1/replication-controller.ts'
import { isPodReady, isPodTerminal, pods } from '../../api/core/v1/pod.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import type { Condition, KubernetesObject } from '../../api/meta.ts'
import { podDisruptionBudgets } from '../../api/policy/v1/pod-disruption-budget.ts'
import type { AnyResource } from '../../api/resource.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { isNotFound } from '../../api/status-error.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { Cache } from '../../controller-runtime/controller.ts'
import { intOrPercent } from '../../controller-runtime/int-or-percent.ts'
import { controllerOf } from '../../controller-runtime/ownership.ts'

/** An evicted pod that was not deleted after this counts again, as upstream. */
const deletionTimeoutMs = 120_000

const scaled: Readonly<Record<string, AnyResource>> = { ReplicaSet: replicaSets, StatefulSet: statefulSets, ReplicationController: replicationControllers, Deployment: deployments }

export const disruptionController = defineController<PodDisruptionBudget>({
  name: 'disruption-controller',
  for: podDisruptionBudgets,
  watches: [
    {
      resource: pods,
      keys: (pod: Pod, { cache }, previous?: Pod) =>
        cache
          .of(podDisruptionBudgets)
          .list(pod.metadata.namespace)
          .filter(b => selects(b, pod) || (previous && selects(b, previous)))
          .map(keyOf),
    },
  ],
  reads: [replicaSets, statefulSets, replicationControllers, deployments],
  writes: [{ resource: podDisruptionBudgets, subresource: 'status' }],
  workers: 1,
  async reconcile({ cache, client, env }, key) {
    const budget = cache.of(podDisruptionBudgets).get(key)
    if (!budget) return
    const chosen = cache
      .of(pods)
      .list(budget.metadata.namespace)
      .filter(p => selects(budget, p) && !isPodTerminal(p))
    const status = budgetStatus(budget, chosen, expectedScale(cache, chosen), env.clock.now())
    if (!deepEqual(status, budget.status)) {
      try {
        await client.resource(podDisruptionBudgets).updateStatus({ ...budget, status })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    }
    return Object.keys(status.disruptedPods ?? {}).length > 0 ? { requeueAfterMs: deletionTimeoutMs } : undefined
  },
})

/** A budget with an empty selector covers all pods of its namespace (policy/v1), one without a selector none. */
function selects(budget: PodDisruptionBudget, pod: Pod): boolean {
  return budget.spec?.selector !== undefined && labelSelectorMatches(budget.spec.selector, pod.metadata.labels ?? {})
}

/** Sum of the sizes that the pods' controllers declare; pods without one count themselves. */
function expectedScale(cache: Cache, chosen: readonly Pod[]): number {
  const sizes = new Map<string, number>()
  let single = 0
  for (const pod of chosen) {
    const ref = controllerOf(pod)
    const resource = ref && scaled[ref.kind]
    if (!ref || !resource) {
      single++
      continue
    }
    const owner = cache.of<KubernetesObject & { spec?: { replicas?: number } }>(resource).get(`${pod.metadata.namespace ?? ''}/${ref.name}`)
    sizes.set(ref.uid, owner?.spec?.replicas ?? 1)
  }
  return [...sizes.values()].reduce((a, b) => a + b, single)
}

/** Pure. `expected`: declared number of the selected pods. */
export function budgetStatus(budget: PodDisruptionBudget, chosen: readonly Pod[], expected: number, nowMs: number): PodDisruptionBudgetStatus {
  const disruptedPods = stillDisrupted(budget, chosen, nowMs)
  const healthy = chosen.filter(p => isPodReady(p) && !p.metadata.deletionTimestamp && disruptedPods[p.metadata.name ?? ''] === undefined).length
  const { minAvailable, maxUnavailable } = budget.spec ?? {}
  // A plain minAvailable counts the pods that are; percentages and maxUnavailable need the declared number.
  const total = maxUnavailable !== undefined || typeof minAvailable === 'string' ? expected : chosen.length
  const desired = maxUnavailable !== undefined ? Math.max(0, total - intOrPercent(maxUnavailable, total, 'up')) : intOrPercent(minAvailable, total, 'up')
  const allowed = total <= 0 ? 0 : Math.max(0, healthy - desired)
  const status: PodDisruptionBudgetStatus = {
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: allowed,
    expectedPods: total,
    conditions: withAllowed(budget, allowed, nowMs),
  }
  if (Object.keys(disruptedPods).length > 0) status.disruptedPods = disruptedPods
  if (budget.metadata.generation !== undefined) status.observedGeneration = budget.metadata.generation
  return status
}

function stillDisrupted(budget: PodDisruptionBudget, chosen: readonly Pod[], nowMs: number): Record<string, string> {
  const present = budget.status?.disruptedPods ?? {}
  const alive = new Set(chosen.filter(p => !p.metadata.deletionTimestamp).map(p => p.metadata.name ?? ''))
  return Object.fromEntries(Object.entries(present).filter(([name, since]) => alive.has(name) && parseTime(since) + deletionTimeoutMs > nowMs))
}

function withAllowed(budget: PodDisruptionBudget, allowed: number, nowMs: number): Condition[] {
  const present = budget.status?.conditions ?? []
  const known = present.find(c => c.type === 'DisruptionAllowed')
  const status = allowed > 0 ? 'True' : 'False'
  const next: Condition = {
    type: 'DisruptionAllowed',
    status,
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: known?.status === status ? known.lastTransitionTime : formatTime(nowMs),
    observedGeneration: budget.metadata.generation ?? 0,
  }
  return [...present.filter(c => c.type !== 'DisruptionAllowed'), next]
}
