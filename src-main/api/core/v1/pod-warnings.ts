/** Texts for Warning headers about pods and pod templates. */
import type { Pod, PodSpec } from '../../generated/core-v1.ts'
import { FieldPath } from '../../field-errors.ts'
import { volumeSourcesOf } from './pod-defaults.ts'

const deprecatedNodeLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}

const deprecatedSources: Readonly<Record<string, string>> = {
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
}

export function podWarnings(pod: Pod): string[] {
  return [...podSpecWarnings(pod.spec, FieldPath.root('spec')), ...annotationWarnings(pod.metadata.annotations, FieldPath.root('metadata', 'annotations'))]
}

function annotationWarnings(annotations: Readonly<Record<string, string>> | undefined, at: FieldPath): string[] {
  const texts: string[] = []
  for (const name of Object.keys(annotations ?? {}).sort()) {
    if (name === 'seccomp.security.alpha.kubernetes.io/pod' || name.startsWith('container.seccomp.security.alpha.kubernetes.io/'))
      texts.push(`${at.key(name).toString()}: non-functional in v1.27+; use the "seccompProfile" field instead`)
    if (name.startsWith('container.apparmor.security.beta.kubernetes.io/'))
      texts.push(`${at.key(name).toString()}: deprecated since v1.30; use the "appArmorProfile" field instead`)
  }
  return texts
}

function volumeWarnings(spec: PodSpec, at: FieldPath): string[] {
  const texts: string[] = []
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    for (const name of volumeSourcesOf(volume)) {
      const text = Object.hasOwn(deprecatedSources, name) ? deprecatedSources[name] : undefined
      if (text !== undefined) texts.push(`${at.child('volumes').index(i).child(name).toString()}: ${text}`)
    }
    const sources = volume.projected?.sources
    if (volume.projected !== undefined && (sources ?? []).every(source => Object.keys(source).length === 0))
      texts.push(`volume "${volume.name}" (Projected) has no sources provided`)
  }
  return texts
}

function affinityWarnings(spec: PodSpec, at: FieldPath): string[] {
  const texts: string[] = []
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = spec.affinity?.[kind]
    const check = (missing: boolean, path: FieldPath): void => {
      if (missing) texts.push(`${path.child('labelSelector').toString()}: a null labelSelector results in matching no pod`)
    }
    for (const [i, term] of (terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      check(term.labelSelector === undefined, at.child('affinity', kind, 'requiredDuringSchedulingIgnoredDuringExecution').index(i))
    for (const [i, term] of (terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      check(term.podAffinityTerm?.labelSelector === undefined, at.child('affinity', kind, 'preferredDuringSchedulingIgnoredDuringExecution').index(i).child('podAffinityTerm'))
  }
  return texts
}

/** The same port twice in one pod: of one container, of sidecars and containers alike. */
function portWarnings(spec: PodSpec, at: FieldPath): string[] {
  const texts: string[] = []
  const seen = new Map<string, string>()
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      const path = at.child('containers').index(i).child('ports').index(j).toString()
      const key = `${port.protocol ?? 'TCP'}/${port.containerPort}/${port.hostIP ?? ''}/${port.hostPort ?? 0}`
      const first = seen.get(key)
      if (first === undefined) seen.set(key, path)
      else if (first.startsWith(at.child('containers').index(i).toString())) texts.push(`${path}: duplicate port definition with ${first}`)
    }
  }
  return texts
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
    if (constraint.labelSelector === undefined)
      texts.push(`${at.child('topologySpreadConstraints').index(i).toString()}.labelSelector: a null labelSelector results in matching no pod`)
  }
  texts.push(...affinityWarnings(spec, at), ...volumeWarnings(spec, at))
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (!secret.name) texts.push(`${at.child('imagePullSecrets').index(i).child('name').toString()}: invalid empty name ""`)
  }
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [i, container] of (spec[list] ?? []).entries()) texts.push(...duplicateNames(container.env ?? [], at.child(list).index(i)))
  }
  return [...texts, ...portWarnings(spec, at)]
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
