/** What the API server itself writes into a new pod's spec. In place. */
import type { Container, EphemeralContainer, Pod } from '../../generated/core-v1.ts'
import type { LabelSelector } from '../../meta.ts'

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/'

/** The annotations of before v1.30 become fields, unless the field is there. */
export function setAppArmorFromAnnotations(pod: Pod): void {
  const containers: (Container | EphemeralContainer)[] = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
  for (const container of containers) {
    const text = pod.metadata.annotations?.[`${appArmorPrefix}${container.name}`]
    if (text === undefined || container.securityContext?.appArmorProfile !== undefined) continue
    const profile = appArmorOf(text)
    if (profile !== undefined) (container.securityContext ??= {}).appArmorProfile = profile
  }
}

function appArmorOf(text: string): { type: string; localhostProfile?: string } | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  return text.startsWith('localhost/') ? { type: 'Localhost', localhostProfile: text.slice('localhost/'.length) } : undefined
}

/** matchLabelKeys and mismatchLabelKeys stand for the pod's own values, which go into the selectors once. */
export function mergeMatchLabelKeys(pod: Pod): void {
  const labels = pod.metadata.labels ?? {}
  for (const constraint of pod.spec?.topologySpreadConstraints ?? []) merge(constraint.labelSelector, constraint.matchLabelKeys, 'In', labels)
  for (const affinity of [pod.spec?.affinity?.podAffinity, pod.spec?.affinity?.podAntiAffinity]) {
    const terms = [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted => weighted.podAffinityTerm),
    ]
    for (const term of terms) {
      merge(term?.labelSelector, term?.matchLabelKeys, 'In', labels)
      merge(term?.labelSelector, term?.mismatchLabelKeys, 'NotIn', labels)
    }
  }
}

function merge(selector: LabelSelector | undefined, keys: readonly string[] | undefined, operator: string, labels: Readonly<Record<string, string>>): void {
  if (selector === undefined) return
  for (const key of keys ?? []) {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    if (value !== undefined) (selector.matchExpressions ??= []).push({ key, operator, values: [value] })
  }
}
