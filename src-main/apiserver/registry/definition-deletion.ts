/** A CustomResourceDefinition that is deleted stays until its instances are gone: its finalizer and condition come with the first request. */
import { cleanupFinalizer } from '../../api/apiextensions/v1/custom-resource-definition.ts'
import { withCondition } from '../../api/apiextensions/v1/naming.ts'
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { formatTime } from '../../api/time.ts'

/** The definition with the marks of its deletion; the caller's own. */
export function markedDefinition(object: KubernetesObject, now: number): KubernetesObject {
  const marked = cloneJson(object) as CustomResourceDefinition
  const { metadata } = marked
  metadata.deletionTimestamp ??= formatTime(now)
  if (!metadata.finalizers?.includes(cleanupFinalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer]
  const message = 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon'
  const conditions = withCondition(marked.status?.conditions ?? [], { type: 'Terminating', status: 'True', reason: 'InstanceDeletionPending', message }, now)
  marked.status = { ...marked.status, conditions }
  return marked
}
