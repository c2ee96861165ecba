/** Keeps status.used of ResourceQuotas: what the objects of the namespace take of it. Admission alone refuses. */
import { daemonSets } from '../../api/apps/v1/daemon-set.ts'
import { deployments } from '../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { statefulSets } from '../../api/apps/v1/stateful-set.ts'
import { cronJobs } from '../../api/batch/v1/cron-job.ts'
import { jobs } from '../../api/batch/v1/job.ts'
import { configMaps } from '../../api/core/v1/config-map.ts'
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { addUsage, quotaScopesMatch, usageOf } from '../../api/core/v1/quota-usage.ts'
import type { Usage } from '../../api/core/v1/quota-usage.ts'
import { replicationControllers } from '../../api/core/v1/replication-controller.ts'
import { resourceQuotas } from '../../api/core/v1/resource-quota.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import { services } from '../../api/core/v1/service.ts'
import type { ResourceQuota } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { keyOf } from '../../api/meta.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { formatQuantity, zeroQuantity } from '../../api/quantity.ts'
import type { AnyResource, ResourceDefinition } from '../../api/resource.ts'
import { defineController } from '../../controller-runtime/controller.ts'

/** Kinds that are counted. */
const counted: readonly AnyResource[] = [
  pods,
  services,
  persistentVolumeClaims,
  secrets,
  configMaps,
  replicationControllers,
  replicaSets,
  deployments,
  statefulSets,
  daemonSets,
  jobs,
  cronJobs,
]

const countName = (resource: AnyResource): string => (resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`)
const listed = (resource: AnyResource): ResourceDefinition<KubernetesObject> => resource as ResourceDefinition<KubernetesObject>

export const resourceQuotaController = defineController<ResourceQuota>({
  name: 'resourcequota-controller',
  for: resourceQuotas,
  watches: counted.map(resource => ({
    resource: listed(resource),
    keys: (object: KubernetesObject, { cache }) => cache.of(resourceQuotas).list(object.metadata.namespace).map(keyOf),
  })),
  writes: [{ resource: resourceQuotas, subresource: 'status' }],
  workers: 5,
  async reconcile({ cache, client }, key) {
    const quota = cache.of(resourceQuotas).get(key)
    if (!quota || quota.metadata.deletionTimestamp) return
    const namespace = quota.metadata.namespace
    const usage: Usage = new Map()
    for (const resource of [...counted, resourceQuotas]) {
      const name = countName(resource)
      for (const object of cache.of(listed(resource)).list(namespace)) {
        if (!quotaScopesMatch(quota, name, object)) continue
        for (const [what, amount] of usageOf(name, object)) addUsage(usage, what, amount)
      }
    }
    const hard = quota.spec?.hard ?? {}
    const used = Object.fromEntries(Object.keys(hard).map(what => [what, formatQuantity(usage.get(what) ?? zeroQuantity)]))
    if (deepEqual(quota.status?.hard ?? {}, hard) && deepEqual(quota.status?.used ?? {}, used)) return
    await client.resource(resourceQuotas).updateStatus({ ...quota, status: { hard, used } })
  },
})
