/** POST pods/eviction: a deletion that disruption budgets may refuse. */
import { cloneJson, isObject } from '../../api/json.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import { labelSelectorMatches } from '../../api/selectors.ts'
import { badRequest, isConflict, methodNotAllowedHere, StatusError, tooManyRequests } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { StoredEntry } from '../../store/store.ts'
import { objectOf, prefixFor } from '../registry/storage.ts'
import type { DeleteRequest } from '../registry/deletion.ts'
import { readPlain } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, validateAdmission } from './call.ts'
import { deleteWithAdmission } from './delete.ts'
import { writeQuery } from './query-options.ts'
import { doneResponse } from './respond.ts'

/** More evictions than this may not be under way for one budget: its controller is behind. */
const MAX_DISRUPTED_PODS = 2_000
/** Tries against the budget's controller writing at the same time. */
const BUDGET_TRIES = 20

interface Eviction extends KubernetesObject {
  deleteOptions?: DeleteRequest
}

export async function evictionEndpoint(call: Call): Promise<ApiResponse> {
  if (call.info.verb !== 'create') throw methodNotAllowedHere()
  const query = writeQuery(call.info.query, 'CreateOptions')
  const body = readPlain(call.request)
  if (!isObject(body)) throw badRequest('the object provided is unrecognized (must be of type Eviction)')
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', ...body } as unknown as Eviction
  eviction.metadata = { ...eviction.metadata }
  eviction.metadata.name ||= call.info.name
  eviction.metadata.namespace ||= call.info.namespace
  if (eviction.metadata.name !== call.info.name) throw badRequest('name in URL does not match name in Eviction object')
  const attributes = admissionAttributes(call, { operation: 'CREATE', name: call.info.name, object: eviction, previous: undefined, options: query.object, dryRun: query.dryRun })
  await mutate(call, attributes)
  await validateAdmission(call, attributes)
  const asked = eviction.deleteOptions ?? {}
  const dryRun = query.dryRun || (asked.dryRun?.length ?? 0) > 0
  const pod = (await call.registry.get(call.resource, call.info.namespace, call.info.name)).object as unknown as Pod & KubernetesObject
  const options: DeleteRequest = { ...asked, ...(dryRun ? { dryRun: ['All'] } : {}) }
  if (!ignoresBudget(pod)) await spendBudget(call, pod, dryRun)
  // What was looked at is what is deleted: a pod of the same name that came since is another pod.
  await deleteWithAdmission(call, call.info.name, { ...options, preconditions: { uid: pod.metadata.uid ?? '', ...asked.preconditions } })
  return doneResponse(call, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}

/** Pods that are over, not begun, or going already break no budget. */
function ignoresBudget(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata?.deletionTimestamp !== undefined
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') === true
}

/** Throws a 429 when the pod's budget allows no disruption now. */
async function spendBudget(call: Call, pod: Pod & KubernetesObject, dryRun: boolean): Promise<void> {
  const r = call.resourceByKey('policy/v1/poddisruptionbudgets')
  if (!r) return
  for (let attempt = 1; ; attempt++) {
    const { entries } = await call.registry.store.list(prefixFor(r, call.info.namespace))
    const matching = entries.filter(entry => {
      const budget = objectOf(r, entry) as unknown as PodDisruptionBudget
      return budget.spec?.selector !== undefined && labelSelectorMatches(budget.spec.selector, pod.metadata.labels)
    })
    const [only] = matching
    if (!only) return
    if (matching.length > 1) throw new StatusError(500, 'InternalError', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.')
    try {
      await spendOne(call, pod, only, dryRun)
      return
    } catch (fault) {
      if (!isConflict(fault)) throw fault
      if (attempt >= BUDGET_TRIES) throw tooManyRequests("couldn't update PodDisruptionBudget due to conflicts", 10)
    }
  }
}

function refusal(budget: PodDisruptionBudget, message: string, retryAfterSeconds = 0): StatusError {
  return tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, [
    { reason: 'DisruptionBudget', message: message.replace('%s', budget.metadata?.name ?? '') },
  ])
}

async function spendOne(call: Call, pod: Pod & KubernetesObject, entry: StoredEntry, dryRun: boolean): Promise<void> {
  const r = call.resourceByKey('policy/v1/poddisruptionbudgets')
  if (!r) return
  const budget = cloneJson(objectOf(r, entry)) as unknown as PodDisruptionBudget & KubernetesObject
  const { status } = budget
  const desired = status?.desiredHealthy ?? 0
  const current = status?.currentHealthy ?? 0
  const allowed = status?.disruptionsAllowed ?? 0
  const healthyEnough = current >= desired && desired > 0
  if (!isReady(pod) && (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || healthyEnough)) return
  if (!status || (status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) throw refusal(budget, 'The disruption budget %s is still being processed by the server.', 10)
  if (allowed < 0) throw new StatusError(403, 'Forbidden', 'pdb disruptions allowed is negative')
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS)
    throw new StatusError(403, 'Forbidden', 'DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  if (allowed === 0) {
    throw refusal(budget, `The disruption budget %s needs ${desired} healthy pods and has ${current} currently`)
  }
  if (dryRun) return
  status.disruptionsAllowed = allowed - 1
  status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name ?? '']: formatTime(call.env.clock.now()) }
  await call.registry.overwrite(r, call.info.namespace, budget, entry)
}
