/** How kubelets name pods in messages, so that events read the same. Pure. */
import type { Pod } from '../../api/generated/core-v1.ts'

/** `name_namespace(uid)` */
export function podText(pod: Pod): string {
  return `${pod.metadata.name ?? ''}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid ?? ''})`
}
