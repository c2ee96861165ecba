/** Which services a pod belongs to. */
import type { Pod, Service } from '../api/generated/core-v1.ts'
import { keyOf } from '../api/meta.ts'

/** True when the service selects by labels and the pod has them all. */
export function serviceSelects(service: Service, labels: Readonly<Record<string, string>> | undefined): boolean {
  const selector = Object.entries(service.spec?.selector ?? {})
  return selector.length > 0 && service.spec?.type !== 'ExternalName' && selector.every(([key, value]) => labels?.[key] === value)
}

/** Keys of the services that select the pod as it is or as it was. */
export function serviceKeysOf(pod: Pod, previous: Pod | undefined, services: readonly Service[]): string[] {
  return services.filter(s => serviceSelects(s, pod.metadata.labels) || (previous && serviceSelects(s, previous.metadata.labels))).map(keyOf)
}
