/**
 * The checks of the Pod Security Standards (baseline and restricted), in upstream's order and words. Only the latest
 * version is kept: a namespace that pins an older one is held to the latest. Pure.
 */
import type { Container, PodSpec, SecurityContext } from '../../api/generated/core-v1.ts'

export type Level = 'privileged' | 'baseline' | 'restricted'
export interface PodParts {
  readonly spec: PodSpec
  readonly annotations: Readonly<Record<string, string>>
}

/** `reason (detail)`; undefined when all is well. */
type Check = (pod: PodParts) => string | undefined

type AnyContainer = Pick<Container, 'name' | 'securityContext' | 'ports' | 'livenessProbe' | 'readinessProbe' | 'startupProbe' | 'lifecycle'>

function containersOf(spec: PodSpec): AnyContainer[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}

const quote = (text: string): string => JSON.stringify(text)
const quoted = (names: readonly string[]): string => names.map(quote).join(', ')
const plural = (word: string, names: readonly string[]): string => (names.length === 1 ? word : `${word}s`)
const named = (names: readonly string[]): string => `${plural('container', names)} ${quoted(names)}`
const unique = (values: readonly string[]): string[] => [...new Set(values)].sort()

function offenders(pod: PodParts, isBad: (context: SecurityContext, container: AnyContainer) => boolean): string[] {
  return containersOf(pod.spec)
    .filter(one => isBad(one.securityContext ?? {}, one))
    .map(one => one.name)
}

const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows'

/* ---- baseline ---- */

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name] === true).map(name => `${name}=true`)
  return used.length > 0 ? `host namespaces (${used.join(', ')})` : undefined
}

const privileged: Check = pod => {
  const bad = offenders(pod, context => context.privileged === true)
  return bad.length > 0 ? `privileged (${named(bad)} must not set securityContext.privileged=true)` : undefined
}

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])
const capabilitiesBaseline: Check = pod => {
  const extra = (context: SecurityContext): string[] => (context.capabilities?.add ?? []).filter(name => !defaultCapabilities.has(name))
  const bad = offenders(pod, context => extra(context).length > 0)
  if (bad.length === 0) return undefined
  const names = unique(containersOf(pod.spec).flatMap(one => extra(one.securityContext ?? {})))
  return `non-default capabilities (${named(bad)} must not include ${quoted(names)} in securityContext.capabilities.add)`
}

const hostPath: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter(volume => volume.hostPath).map(volume => volume.name)
  return bad.length > 0 ? `hostPath volumes (${plural('volume', bad)} ${quoted(bad)})` : undefined
}

const hostPorts: Check = pod => {
  const ports = (one: AnyContainer): number[] => (one.ports ?? []).flatMap(port => (port.hostPort ? [port.hostPort] : []))
  const bad = containersOf(pod.spec).filter(one => ports(one).length > 0)
  if (bad.length === 0) return undefined
  const numbers = [...new Set(bad.flatMap(ports))].sort((a, b) => a - b)
  return `hostPort (${named(bad.map(one => one.name))} ${bad.length === 1 ? 'uses' : 'use'} hostPort${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')})`
}

const appArmor: Check = pod => {
  const isBad = (profile: { type?: string } | undefined): boolean => profile?.type === 'Unconfined'
  const parts: string[] = []
  if (isBad(pod.spec.securityContext?.appArmorProfile)) parts.push('pod must not set AppArmor profile type to "Unconfined"')
  const bad = offenders(pod, context => isBad(context.appArmorProfile))
  if (bad.length > 0) parts.push(`${named(bad)} must not set AppArmor profile type to "Unconfined"`)
  const prefix = 'container.apparmor.security.beta.kubernetes.io/'
  const annotations = Object.entries(pod.annotations)
    .filter(([key, value]) => key.startsWith(prefix) && value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${quote(value)}`)
    .sort()
  if (annotations.length > 0) parts.push(`${plural('annotation', annotations)} ${annotations.join(', ')}`)
  return parts.length > 0 ? `${parts.length === 1 ? 'forbidden AppArmor profile' : 'forbidden AppArmor profiles'} (${parts.join('; ')})` : undefined
}

const seLinuxTypes = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'])
const seLinux: Check = pod => {
  const all = [
    { who: 'pod', options: pod.spec.securityContext?.seLinuxOptions },
    ...containersOf(pod.spec).map(one => ({ who: one.name, options: one.securityContext?.seLinuxOptions })),
  ]
  const bad = all.filter(({ options }) => options && (!seLinuxTypes.has(options.type ?? '') || options.user || options.role))
  if (bad.length === 0) return undefined
  const setters = [
    ...(bad.some(one => one.who === 'pod') ? ['pod'] : []),
    ...(bad.some(one => one.who !== 'pod') ? [named(bad.filter(one => one.who !== 'pod').map(one => one.who))] : []),
  ]
  const types = unique(bad.flatMap(({ options }) => (options?.type && !seLinuxTypes.has(options.type) ? [options.type] : [])))
  const details = [
    ...(types.length > 0 ? [`${plural('type', types)} ${quoted(types)}`] : []),
    ...(bad.some(one => one.options?.user) ? ['user may not be set'] : []),
    ...(bad.some(one => one.options?.role) ? ['role may not be set'] : []),
  ]
  return `seLinuxOptions (${setters.join(' and ')} set forbidden securityContext.seLinuxOptions: ${details.join('; ')})`
}

const procMount: Check = pod => {
  const bad = offenders(pod, context => context.procMount !== undefined && context.procMount !== 'Default')
  const types = unique(
    containersOf(pod.spec).flatMap(one => (one.securityContext?.procMount && one.securityContext.procMount !== 'Default' ? [one.securityContext.procMount] : [])),
  )
  return bad.length > 0 ? `procMount (${named(bad)} must not set securityContext.procMount to ${quoted(types)})` : undefined
}
/** A user namespace makes an unmasked /proc harmless enough for baseline. */
const procMountBaseline: Check = pod => (pod.spec.hostUsers === false ? undefined : procMount(pod))

const seccompBaseline: Check = pod => {
  const parts: string[] = []
  if (pod.spec.securityContext?.seccompProfile?.type === 'Unconfined') parts.push('pod must not set securityContext.seccompProfile.type to "Unconfined"')
  const bad = offenders(pod, context => context.seccompProfile?.type === 'Unconfined')
  if (bad.length > 0) parts.push(`${named(bad)} must not set securityContext.seccompProfile.type to "Unconfined"`)
  return parts.length > 0 ? `seccompProfile (${parts.join('; ')})` : undefined
}

const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
])
const sysctls: Check = ({ spec }) => {
  const bad = (spec.securityContext?.sysctls ?? []).map(one => one.name).filter(name => !safeSysctls.has(name))
  return bad.length > 0 ? `forbidden sysctls (${bad.join(', ')})` : undefined
}

const hostProcess: Check = pod => {
  const parts: string[] = []
  const bad = offenders(pod, context => context.windowsOptions?.hostProcess === true)
  if (pod.spec.securityContext?.windowsOptions?.hostProcess === true) parts.push('pod')
  if (bad.length > 0) parts.push(named(bad))
  return parts.length > 0 ? `hostProcess (${parts.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true)` : undefined
}

const probeHosts: Check = pod => {
  const hosts = (one: AnyContainer): string[] =>
    [one.livenessProbe, one.readinessProbe, one.startupProbe, one.lifecycle?.postStart, one.lifecycle?.preStop]
      .flatMap(handler => [handler?.httpGet?.host, handler?.tcpSocket?.host])
      .filter((host): host is string => host !== undefined && host !== '' && host !== '127.0.0.1' && host !== '::1')
  const bad = containersOf(pod.spec).filter(one => hosts(one).length > 0)
  if (bad.length === 0) return undefined
  const found = unique(bad.flatMap(hosts))
  return `probe or lifecycle host (${named(bad.map(one => one.name))} ${bad.length === 1 ? 'uses' : 'use'} probe or lifecycle ${plural('host', found)} ${quoted(found)})`
}

/* ---- restricted ---- */

const escalation: Check = pod => {
  if (isWindows(pod.spec)) return undefined
  const bad = offenders(pod, context => context.allowPrivilegeEscalation !== false)
  return bad.length > 0 ? `allowPrivilegeEscalation != false (${named(bad)} must set securityContext.allowPrivilegeEscalation=false)` : undefined
}

const capabilitiesRestricted: Check = pod => {
  if (isWindows(pod.spec)) return undefined
  const parts: string[] = []
  const keeps = offenders(pod, context => !(context.capabilities?.drop ?? []).includes('ALL'))
  if (keeps.length > 0) parts.push(`${named(keeps)} must set securityContext.capabilities.drop=["ALL"]`)
  const extra = (context: SecurityContext): string[] => (context.capabilities?.add ?? []).filter(name => name !== 'NET_BIND_SERVICE')
  const adds = offenders(pod, context => extra(context).length > 0)
  if (adds.length > 0)
    parts.push(`${named(adds)} must not include ${quoted(unique(containersOf(pod.spec).flatMap(one => extra(one.securityContext ?? {}))))} in securityContext.capabilities.add`)
  return parts.length > 0 ? `unrestricted capabilities (${parts.join('; ')})` : undefined
}

const restrictedVolumes = new Set(['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret', 'image'])
const volumeTypes: Check = ({ spec }) => {
  const typeOf = (volume: object): string | undefined => Object.keys(volume).find(key => key !== 'name' && !restrictedVolumes.has(key))
  const bad = (spec.volumes ?? []).filter(volume => typeOf(volume) !== undefined)
  if (bad.length === 0) return undefined
  const types = unique(bad.flatMap(volume => typeOf(volume) ?? []))
  return `restricted volume types (${plural(
    'volume',
    bad.map(one => one.name),
  )} ${quoted(bad.map(one => one.name))} ${bad.length === 1 ? 'uses' : 'use'} restricted volume ${plural('type', types)} ${quoted(types)})`
}

/** A user namespace makes root inside harmless for the host. */
const hasUserNamespace = (spec: PodSpec): boolean => spec.hostUsers === false

const runAsNonRoot: Check = pod => {
  if (hasUserNamespace(pod.spec)) return undefined
  const ofPod = pod.spec.securityContext?.runAsNonRoot
  const parts: string[] = []
  const explicit = offenders(pod, context => context.runAsNonRoot === false)
  if (ofPod === false) parts.push('pod must not set securityContext.runAsNonRoot=false')
  if (explicit.length > 0) parts.push(`${named(explicit)} must not set securityContext.runAsNonRoot=false`)
  const unset = ofPod === undefined ? offenders(pod, context => context.runAsNonRoot === undefined) : []
  if (parts.length === 0 && unset.length > 0) parts.push(`pod or ${named(unset)} must set securityContext.runAsNonRoot=true`)
  return parts.length > 0 ? `runAsNonRoot != true (${parts.join('; ')})` : undefined
}

const runAsUser: Check = pod => {
  if (hasUserNamespace(pod.spec)) return undefined
  const parts: string[] = []
  if (pod.spec.securityContext?.runAsUser === 0) parts.push('pod must not set runAsUser=0')
  const bad = offenders(pod, context => context.runAsUser === 0)
  if (bad.length > 0) parts.push(`${named(bad)} must not set runAsUser=0`)
  return parts.length > 0 ? `runAsUser=0 (${parts.join('; ')})` : undefined
}

const seccompRestricted: Check = pod => {
  if (isWindows(pod.spec)) return undefined
  const isGood = (type: string | undefined): boolean => type === 'RuntimeDefault' || type === 'Localhost'
  const ofPod = pod.spec.securityContext?.seccompProfile?.type
  const parts: string[] = []
  if (ofPod !== undefined && !isGood(ofPod)) parts.push(`pod must not set securityContext.seccompProfile.type to ${quote(ofPod)}`)
  const explicit = offenders(pod, context => context.seccompProfile !== undefined && !isGood(context.seccompProfile.type))
  if (explicit.length > 0) parts.push(`${named(explicit)} must not set securityContext.seccompProfile.type to "Unconfined"`)
  const unset = ofPod === undefined ? offenders(pod, context => context.seccompProfile === undefined) : []
  if (parts.length === 0 && unset.length > 0) parts.push(`pod or ${named(unset)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`)
  return parts.length > 0 ? `seccompProfile (${parts.join('; ')})` : undefined
}

const baseline: readonly Check[] = [
  appArmor,
  capabilitiesBaseline,
  hostNamespaces,
  hostPath,
  hostPorts,
  privileged,
  procMountBaseline,
  seLinux,
  seccompBaseline,
  sysctls,
  hostProcess,
  probeHosts,
]
/** Restricted replaces the baseline's weaker twins of capabilities, volumes, proc mounts and seccomp. */
const restricted: readonly Check[] = [
  appArmor,
  hostNamespaces,
  hostPorts,
  privileged,
  seLinux,
  sysctls,
  hostProcess,
  probeHosts,
  escalation,
  capabilitiesRestricted,
  procMount,
  volumeTypes,
  runAsNonRoot,
  runAsUser,
  seccompRestricted,
]

/** What forbids the pod at this level; empty when nothing does. */
export function violations(level: Level, pod: PodParts): string[] {
  if (level === 'privileged') return []
  return (level === 'baseline' ? baseline : restricted).flatMap(check => check(pod) ?? [])
}
