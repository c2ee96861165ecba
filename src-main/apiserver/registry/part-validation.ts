/** Rules of the subresources that write one part of an object. */
import { FieldPath, forbiddenField } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'

/** Faults of the change that a subresource makes to its part. */
export function partFaults(subresource: string, next: KubernetesObject, previous: KubernetesObject): FieldErrorList {
  return subresource === 'ephemeralcontainers' ? ephemeralFaults(next as Pod & KubernetesObject, previous as Pod & KubernetesObject) : []
}

/** Ephemeral containers can only be added. */
function ephemeralFaults(next: Pod, previous: Pod): FieldErrorList {
  const at = FieldPath.root('spec', 'ephemeralContainers')
  const now = new Map((next.spec?.ephemeralContainers ?? []).map(container => [container.name, container]))
  const faults: FieldErrorList = []
  for (const container of previous.spec?.ephemeralContainers ?? []) {
    const present = now.get(container.name)
    if (!present) faults.push(forbiddenField(at, `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`))
    else if (!deepEqual(present, container)) faults.push(forbiddenField(at, `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n`))
  }
  return faults
}
