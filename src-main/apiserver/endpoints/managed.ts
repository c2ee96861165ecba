/** Records who set which fields, through api/managed-fields. */
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import { updateManagedFields } from '../../api/managed-fields/update.ts'
import { schemaOf } from '../../api/schema.ts'
import { isCustom } from '../registry/strategy-facts.ts'
import type { Call } from './call.ts'
import { managerOf } from './call.ts'

/** Sets metadata.managedFields of `next`, in place, for a write that is no apply. `live` is undefined for a create. */
export function recordManager(call: Call, live: KubernetesObject | undefined, next: KubernetesObject, subresource: string): void {
  const r = call.resource
  const managed = updateManagedFields({
    live,
    next,
    manager: managerOf(call),
    subresource,
    apiVersion: groupVersion(r.group, r.version),
    schema: schemaOf(r),
    now: call.env.clock.now(),
    hasStatus: !isCustom(r) || r.subresources?.status === true,
  })
  next.metadata = managed.metadata
}
