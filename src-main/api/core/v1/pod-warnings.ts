/** Texts for Warning headers about pods and pod templates. */
import type { Pod, PodSpec } from '../../generated/core-v1.ts'
import { FieldPath } from '../../field-errors.ts'

const deprecatedNodeLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}

export function podWarnings(pod: Pod): string[] {
  return podSpecWarnings(pod.spec, FieldPath.root('spec'))
}

/** Of a spec at a path: `spec` of pods, `spec.template.spec` of workloads. */
export function podSpecWarnings(spec: PodSpec | undefined, at: FieldPath): string[] {
  if (spec === undefined) return []
  const texts: string[] = []
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort()) {
    const text = Object.hasOwn(deprecatedNodeLabels, key) ? deprecatedNodeLabels[key] : undefined
    if (text !== undefined) texts.push(`${at.child('nodeSelector').key(key).toString()}: ${text}`)
  }
  for (const [i, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const text = Object.hasOwn(deprecatedNodeLabels, constraint.topologyKey) ? deprecatedNodeLabels[constraint.topologyKey] : undefined
    if (text !== undefined) texts.push(`${at.child('topologySpreadConstraints').index(i).child('topologyKey').toString()}: ${text}`)
    if (constraint.labelSelector === undefined) texts.push(`${at.child('topologySpreadConstraints').index(i).toString()}.labelSelector: a null labelSelector results in matching no pod`)
  }
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (!secret.name) texts.push(`${at.child('imagePullSecrets').index(i).child('name').toString()}: invalid empty name ""`)
  }
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [i, container] of (spec[list] ?? []).entries()) texts.push(...duplicateNames(container.env ?? [], at.child(list).index(i)))
  }
  return texts
}

function duplicateNames(env: readonly { name: string }[], at: FieldPath): string[] {
  const seen = new Map<string, number>()
  const texts: string[] = []
  for (const [i, variable] of env.entries()) {
    const first = seen.get(variable.name)
    if (first === undefined) seen.set(variable.name, i)
    else texts.push(`${at.child('env').index(i).toString()}: hides previous definition of "${variable.name}", which may be dropped when using apply`)
  }
  return texts
}
