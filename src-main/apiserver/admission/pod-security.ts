/** Pod Security admission: the levels that a namespace's labels enforce, audit or warn about, on pods and what makes them. */
import { deepEqual } from '../../api/json.ts'
import { forbidden } from '../../api/status-error.ts'
import type { Namespace, Pod, PodSpec } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { violations, type Level, type PodParts } from './pod-security-checks.ts'

interface Template {
  readonly metadata?: { readonly annotations?: Record<string, string> }
  readonly spec: PodSpec
}

/** Kinds with a pod template, and where it is. They are only warned about: the pods are what is refused. */
const templateOf: Readonly<Record<string, (object: KubernetesObject) => Template | undefined>> = Object.fromEntries([
  ...['/replicationcontrollers', 'apps/deployments', 'apps/replicasets', 'apps/statefulsets', 'apps/daemonsets', 'batch/jobs'].map(
    key => [key, (object: KubernetesObject) => (object as unknown as { spec?: { template?: Template } }).spec?.template] as const,
  ),
  ['/podtemplates', (object: KubernetesObject) => (object as unknown as { template?: Template }).template] as const,
  [
    'batch/cronjobs',
    (object: KubernetesObject) => (object as unknown as { spec?: { jobTemplate?: { spec?: { template?: Template } } } }).spec?.jobTemplate?.spec?.template,
  ] as const,
])

interface Rule {
  readonly level: Level
  readonly version: string
}

export function podSecurity(copies: LiveCopies): AdmissionPlugin {
  const namespaces = copies.of<Namespace>(places.namespaces)

  const ruleOf = (namespace: string, mode: 'enforce' | 'warn'): Rule => {
    const labels = namespaces.get('', namespace)?.metadata.labels ?? {}
    const value = labels[`pod-security.kubernetes.io/${mode}`]
    // An unreadable level must not open the door.
    const level: Level = value === undefined || value === '' || value === 'privileged' ? 'privileged' : value === 'baseline' ? 'baseline' : 'restricted'
    return { level, version: labels[`pod-security.kubernetes.io/${mode}-version`] ?? 'latest' }
  }
  const warn = (a: AdmissionAttributes, pod: PodParts): void => {
    const { level, version } = ruleOf(a.namespace, 'warn')
    const found = violations(level, pod)
    if (found.length > 0) a.warn(`would violate PodSecurity "${level}:${version}": ${found.join(', ')}`)
  }
  const checkPod = (a: AdmissionAttributes): void => {
    const pod = a.object as Pod & { spec: PodSpec }
    // Labels and the like may change on a pod that was there before the rule.
    if (a.previous && deepEqual((a.previous as Pod).spec, pod.spec)) return
    const parts: PodParts = { spec: pod.spec, annotations: pod.metadata.annotations ?? {} }
    const { level, version } = ruleOf(a.namespace, 'enforce')
    const found = violations(level, parts)
    if (found.length > 0) throw forbidden('', 'pods', a.name, `violates PodSecurity "${level}:${version}": ${found.join(', ')}`)
    warn(a, parts)
  }
  return {
    name: 'PodSecurity',
    async validate(a) {
      if (!a.object || (a.operation !== 'CREATE' && a.operation !== 'UPDATE')) return
      const key = `${a.resource.group}/${a.resource.plural}`
      if (key === '/pods') {
        if (a.subresource === '' || a.subresource === 'ephemeralcontainers' || a.subresource === 'resize') checkPod(a)
        return
      }
      if (a.subresource !== '') return
      const template = templateOf[key]?.(a.object)
      if (!template) return
      const { level, version } = ruleOf(a.namespace, 'enforce')
      const parts: PodParts = { spec: template.spec, annotations: template.metadata?.annotations ?? {} }
      const found = violations(level, parts)
      if (found.length > 0) a.warn(`would violate PodSecurity "${level}:${version}": ${found.join(', ')}`)
      else warn(a, parts)
    },
  }
}
