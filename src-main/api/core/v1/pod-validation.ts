/** Validation of pods and pod specs: create, update, status. Order of faults is that of Kubernetes. */
import type { Pod, PodSpec, PodStatus, PodTemplateSpec, Toleration } from '../../generated/core-v1.ts'
import { duplicate, forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { deepEqual } from '../../json.ts'
import { isDns1123Label, isDns1123Subdomain, isIP } from '../../names.ts'
import { compareQuantity } from '../../quantity.ts'
import { inRange, labelFaults, labelsFaults, nameFaults, qualifiedNameFaults, subdomainFaults } from '../../validation.ts'
import { containersFaults, ephemeralContainersFaults, initContainersFaults, namesOf } from './container-validation.ts'
import { podResourcesFaults, quantityFaults, quantityOf } from './resource-validation.ts'
import { affinityFaults, tolerationsFaults, topologySpreadFaults } from './scheduling-validation.ts'
import { podSecurityContextFaults } from './security-validation.ts'
import { volumesFaults } from './volume-validation.ts'

const maxInt32 = 2147483647
const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const maxNameservers = 3
const maxSearches = 32
const maxSearchCharacters = 2048

/** The spec of a pod or of a pod template. `podName` is absent in templates. */
export function podSpecFaults(spec: PodSpec | undefined, at: FieldPath, podName?: string): FieldErrorList {
  if (spec === undefined) return [required(at.child('containers'), '')]
  const volumeFaults = volumesFaults(spec.volumes, at.child('volumes'), podName)
  // A volume with a fault is none that a container could mount.
  const volumes = spec.volumes?.filter((_, i) => !volumeFaults.some(fault => fault.field.startsWith(at.child('volumes').index(i).toString()))) ?? []
  const names = namesOf({ ...spec, volumes })
  const faults: FieldErrorList = [
    ...volumeFaults,
    ...resourceClaimsFaults(spec, at.child('resourceClaims')),
    ...containersFaults(spec, names, at.child('containers')),
    ...initContainersFaults(spec, names, at.child('initContainers')),
    ...ephemeralContainersFaults(spec, names, at.child('ephemeralContainers')),
    ...podResourcesFaults(spec, at.child('resources')),
    ...hostNetworkFaults(spec, at.child('containers')),
  ]
  if (!restartPolicies.includes(spec.restartPolicy ?? ''))
    faults.push(spec.restartPolicy ? notSupportedInOrder(at.child('restartPolicy'), spec.restartPolicy, restartPolicies) : required(at.child('restartPolicy'), ''))
  if (!dnsPolicies.includes(spec.dnsPolicy ?? ''))
    faults.push(spec.dnsPolicy ? notSupportedInOrder(at.child('dnsPolicy'), spec.dnsPolicy, dnsPolicies) : required(at.child('dnsPolicy'), ''))
  faults.push(...labelsFaults(spec.nodeSelector, at.child('nodeSelector')), ...podSecurityContextFaults(spec.securityContext, spec, at.child('securityContext')))
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries())
    if (secret.name && isDns1123Subdomain(secret.name).length > 0) faults.push(...subdomainFaults(secret.name, at.child('imagePullSecrets').index(i).child('name')))
  faults.push(
    ...affinityFaults(spec.affinity, at.child('affinity')),
    ...dnsConfigFaults(spec, at.child('dnsConfig')),
    ...gatesFaults(spec, at),
    ...topologySpreadFaults(spec.topologySpreadConstraints, at.child('topologySpreadConstraints')),
  )
  faults.push(...hostProcessFaults(spec, at), ...hostUsersFaults(spec, at))
  return [...faults, ...scalarFaults(spec, at)]
}

function scalarFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (spec.serviceAccountName) faults.push(...subdomainFaults(spec.serviceAccountName, at.child('serviceAccountName')))
  if (spec.nodeName) faults.push(...subdomainFaults(spec.nodeName, at.child('nodeName')))
  if (spec.activeDeadlineSeconds !== undefined) faults.push(...inRange(spec.activeDeadlineSeconds, 1, maxInt32, at.child('activeDeadlineSeconds')))
  if (spec.hostname) faults.push(...labelFaults(spec.hostname, at.child('hostname')))
  if (spec.subdomain) faults.push(...labelFaults(spec.subdomain, at.child('subdomain')))
  if (spec.hostnameOverride !== undefined) faults.push(...hostnameOverrideFaults(spec, at.child('hostnameOverride')))
  if ((spec.tolerations?.length ?? 0) > 0) faults.push(...tolerationsFaults(spec.tolerations, at.child('tolerations')))
  for (const [i, alias] of (spec.hostAliases ?? []).entries()) {
    const path = at.child('hostAliases').index(i)
    faults.push(...isIP(alias.ip ?? '').map(text => invalidValue(path.child('ip'), alias.ip ?? '', text)))
    for (const [j, name] of (alias.hostnames ?? []).entries()) faults.push(...subdomainFaults(name, path.child('hostnames').index(j)))
  }
  if (spec.priorityClassName) faults.push(...subdomainFaults(spec.priorityClassName, at.child('priorityClassName')))
  if (spec.runtimeClassName !== undefined) faults.push(...subdomainFaults(spec.runtimeClassName, at.child('runtimeClassName')))
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== 'Never' && spec.preemptionPolicy !== 'PreemptLowerPriority')
    faults.push(notSupported(at.child('preemptionPolicy'), spec.preemptionPolicy, ['Never', 'PreemptLowerPriority']))
  for (const [name, text] of Object.entries(spec.overhead ?? {})) faults.push(...quantityFaults(name, text, at.child('overhead').key(name)))
  if (spec.os !== undefined) faults.push(...osFaults(spec, at.child('os')))
  return faults
}

function hostnameOverrideFaults(spec: PodSpec, path: FieldPath): FieldErrorList {
  const name = spec.hostnameOverride ?? ''
  const faults = subdomainFaults(name, path)
  if (name.length > 64) faults.push(invalidValue(path, name, 'must be no more than 64 characters'))
  if (spec.setHostnameAsFQDN === true) faults.push(forbiddenField(path, 'may not be specified when setHostnameAsFQDN is true'))
  if (spec.hostNetwork === true) faults.push(forbiddenField(path, 'may not be specified when hostNetwork is true'))
  return faults
}

function osFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const name = spec.os?.name ?? ''
  if (name === '') return [required(at.child('name'), 'cannot be empty')]
  return name === 'linux' || name === 'windows' ? [] : [notSupported(at.child('name'), name, ['linux', 'windows'])]
}

function resourceClaimsFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, claim] of (spec.resourceClaims ?? []).entries()) {
    const path = at.index(i)
    if (!claim.name) faults.push(required(path.child('name'), ''))
    else if (seen.has(claim.name)) faults.push(duplicate(path.child('name'), claim.name))
    else {
      faults.push(...nameFaults(claim.name, path.child('name'), isDns1123Label))
      seen.add(claim.name)
    }
    const shown = { Name: claim.name ?? '', ResourceClaimName: claim.resourceClaimName ?? null, ResourceClaimTemplateName: claim.resourceClaimTemplateName ?? null }
    if (claim.resourceClaimName !== undefined && claim.resourceClaimTemplateName !== undefined)
      faults.push(invalidValue(path, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'))
    if (claim.resourceClaimName === undefined && claim.resourceClaimTemplateName === undefined)
      faults.push(invalidValue(path, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'))
    if (claim.resourceClaimName !== undefined) faults.push(...subdomainFaults(claim.resourceClaimName, path.child('resourceClaimName')))
    if (claim.resourceClaimTemplateName !== undefined) faults.push(...subdomainFaults(claim.resourceClaimTemplateName, path.child('resourceClaimTemplateName')))
  }
  return faults
}

/** On the host's network a container's port is the host's port. */
function hostNetworkFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  if (spec.hostNetwork !== true) return []
  const faults: FieldErrorList = []
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      if (port.hostPort !== port.containerPort)
        faults.push(invalidValue(at.index(i).child('ports').index(j).child('containerPort'), port.containerPort, 'must match `hostPort` when `hostNetwork` is true'))
    }
  }
  return faults
}

function dnsConfigFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const config = spec.dnsConfig
  if (spec.dnsPolicy === 'None') {
    if (config === undefined) return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    if ((config.nameservers?.length ?? 0) === 0) return [required(at.child('nameservers'), 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  }
  if (config === undefined) return []
  const servers = config.nameservers ?? []
  if (servers.length > maxNameservers) faults.push(invalidValue(at.child('nameservers'), servers, `must not have more than ${maxNameservers} nameservers`))
  for (const [i, server] of servers.entries()) faults.push(...isIP(server).map(text => invalidValue(at.child('nameservers').index(i), server, text)))
  const searches = config.searches ?? []
  if (searches.length > maxSearches) faults.push(invalidValue(at.child('searches'), searches, `must not have more than ${maxSearches} search paths`))
  if (searches.join(' ').length > maxSearchCharacters)
    faults.push(invalidValue(at.child('searches'), searches, `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`))
  for (const [i, search] of searches.entries()) {
    const bare = search === '.' ? 'x' : search.replace(/\.$/, '').replaceAll('_', '-')
    if (isDns1123Subdomain(bare).length > 0) faults.push(...isDns1123Subdomain(bare).map(text => invalidValue(at.child('searches').index(i), search, text)))
  }
  for (const [i, option] of (config.options ?? []).entries()) if (!option.name) faults.push(required(at.child('options').index(i), 'must not be empty'))
  return faults
}

function gatesFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, gate] of (spec.readinessGates ?? []).entries())
    faults.push(...qualifiedNameFaults(gate.conditionType ?? '', at.child('readinessGates').index(i).child('conditionType')))
  const seen = new Set<string>()
  for (const [i, gate] of (spec.schedulingGates ?? []).entries()) {
    const path = at.child('schedulingGates').index(i)
    faults.push(...qualifiedNameFaults(gate.name ?? '', path))
    if (seen.has(gate.name)) faults.push(duplicate(path, gate.name))
    seen.add(gate.name)
  }
  return faults
}

function hostProcessFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  const byPod = spec.securityContext?.windowsOptions?.hostProcess
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const hosted = all.filter(c => (c.securityContext?.windowsOptions?.hostProcess ?? byPod) === true)
  if (hosted.length === 0) return []
  return spec.hostNetwork === true ? [] : [invalidValue(at.child('hostNetwork'), spec.hostNetwork ?? false, 'hostNetwork must be true if pod contains any hostProcess containers')]
}

function hostUsersFaults(spec: PodSpec, at: FieldPath): FieldErrorList {
  if (spec.hostUsers !== false) return []
  const faults: FieldErrorList = []
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC'] as const) if (spec[name] === true) faults.push(forbiddenField(at.child(name), 'when `hostUsers` is false'))
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [j] of (container.volumeDevices ?? []).entries())
      faults.push(forbiddenField(at.child('containers').index(i).child('volumeDevices').index(j), 'when `hostUsers` is false'))
  }
  return faults
}

/** A pod template of a workload: labels and spec, with restrictions of its own in the workload's file. */
export function podTemplateFaults(template: PodTemplateSpec | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = labelsFaults(template?.metadata?.labels, at.child('labels'))
  faults.push(...podSpecFaults(template?.spec, at.child('spec')))
  if ((template?.spec?.ephemeralContainers?.length ?? 0) > 0)
    faults.push(forbiddenField(at.child('spec', 'ephemeralContainers'), 'ephemeral containers not allowed in pod template'))
  return faults
}

export function validatePod(pod: Pod, at: FieldPath): FieldErrorList {
  const spec = at.child('spec')
  const faults: FieldErrorList = []
  const annotations = pod.metadata.annotations ?? {}
  if (Object.hasOwn(annotations, 'kubernetes.io/config.mirror') && !pod.spec?.nodeName) {
    faults.push(
      invalidValue(
        at.child('metadata', 'annotations').key('kubernetes.io/config.mirror'),
        annotations['kubernetes.io/config.mirror'],
        'must set spec.nodeName if mirror pod annotation is set',
      ),
    )
  }
  faults.push(...podSpecFaults(pod.spec, spec, pod.metadata.name))
  if (pod.metadata.resourceVersion === undefined) faults.push(...createOnlyFaults(pod, spec))
  return faults
}

function createOnlyFaults(pod: Pod, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if ((pod.spec?.ephemeralContainers?.length ?? 0) > 0) faults.push(forbiddenField(at.child('ephemeralContainers'), 'cannot be set on create'))
  if (pod.spec?.nodeName && (pod.spec.schedulingGates?.length ?? 0) > 0)
    faults.push(forbiddenField(at.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'))
  return faults
}

const updateText =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** What an update of the pod itself may change: images, a shorter deadline, more tolerations, fewer gates; scheduling fields while gated. */
export function validatePodUpdate(next: Pod, previous: Pod, at: FieldPath): FieldErrorList {
  const path = at.child('spec')
  const [to, from] = [next.spec, previous.spec]
  if (to === undefined || from === undefined) return []
  const faults: FieldErrorList = []
  for (const list of ['containers', 'initContainers'] as const) {
    if ((to[list]?.length ?? 0) !== (from[list]?.length ?? 0)) return [forbiddenField(path.child(list), 'pod updates may not add or remove containers')]
  }
  for (const list of ['containers', 'initContainers'] as const) {
    for (const [i, container] of (to[list] ?? []).entries()) if ((container.image ?? '').trim() === '') faults.push(required(path.child(list).index(i).child('image'), ''))
  }
  faults.push(...deadlineFaults(to, from, path.child('activeDeadlineSeconds')), ...gateUpdateFaults(to, from, path.child('schedulingGates')))
  if (!onlyAdded(to.tolerations ?? [], from.tolerations ?? []))
    faults.push(forbiddenField(path.child('tolerations'), 'existing toleration can not be modified except its tolerationSeconds'))
  if (faults.length > 0) return faults
  return deepEqual(frozenPart(to, from), from) ? [] : [forbiddenField(path, updateText)]
}

function deadlineFaults(to: PodSpec, from: PodSpec, path: FieldPath): FieldErrorList {
  const [next, previous] = [to.activeDeadlineSeconds, from.activeDeadlineSeconds]
  if (next !== undefined) {
    if (next < 0 || next > maxInt32) return [invalidValue(path, next, `must be between 0 and ${maxInt32}, inclusive`)]
    return previous !== undefined && previous < next ? [invalidValue(path, next, 'must be less than or equal to previous value')] : []
  }
  return previous === undefined ? [] : [invalidValue(path, null, 'must not update from a positive integer to nil value')]
}

function gateUpdateFaults(to: PodSpec, from: PodSpec, path: FieldPath): FieldErrorList {
  const before = new Set((from.schedulingGates ?? []).map(g => g.name))
  const added = (to.schedulingGates ?? [])
    .map(g => g.name)
    .filter(name => !before.has(name))
    .sort()
  return added.length === 0
    ? []
    : [forbiddenField(path, `only deletion is allowed, but found new scheduling gate${added.length === 1 ? ` '${added[0] ?? ''}'` : `s ${added.map(n => `'${n}'`).join(', ')}`}`)]
}

function onlyAdded(next: readonly Toleration[], previous: readonly Toleration[]): boolean {
  const bare = (t: Toleration): unknown => ({ ...t, tolerationSeconds: undefined })
  return previous.every(old => next.some(t => deepEqual(bare(t), bare(old))))
}

/** `to` with everything that may change set back to `from`. */
function frozenPart(to: PodSpec, from: PodSpec): PodSpec {
  const frozen: PodSpec = { ...to, containers: to.containers.map((c, i) => ({ ...c, image: from.containers[i]?.image ?? '' })) }
  if (to.initContainers !== undefined) frozen.initContainers = to.initContainers.map((c, i) => ({ ...c, image: from.initContainers?.[i]?.image ?? '' }))
  restore(frozen, from, 'activeDeadlineSeconds')
  restore(frozen, from, 'tolerations')
  restore(frozen, from, 'schedulingGates')
  if ((from.terminationGracePeriodSeconds ?? 0) < 0 && to.terminationGracePeriodSeconds === 1) restore(frozen, from, 'terminationGracePeriodSeconds')
  if ((from.schedulingGates?.length ?? 0) > 0) restoreGated(frozen, to, from)
  return frozen
}

function restore<K extends keyof PodSpec>(into: PodSpec, from: PodSpec, name: K): void {
  if (from[name] === undefined) delete into[name]
  else into[name] = from[name]
}

/** While a pod is gated its placement may still be narrowed. */
function restoreGated(frozen: PodSpec, to: PodSpec, from: PodSpec): void {
  const wider = Object.entries(from.nodeSelector ?? {}).some(([key, value]) => to.nodeSelector?.[key] !== value)
  if (!wider) restore(frozen, from, 'nodeSelector')
  const required = from.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const asked = to.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const sameElse = deepEqual({ ...to.affinity, nodeAffinity: null }, { ...from.affinity, nodeAffinity: null })
  const narrowed =
    required === undefined ||
    (asked !== undefined &&
      required.nodeSelectorTerms.length === asked.nodeSelectorTerms.length &&
      required.nodeSelectorTerms.every((term, i) => (term.matchExpressions ?? []).every(e => asked.nodeSelectorTerms[i]?.matchExpressions?.some(n => deepEqual(n, e)) === true)))
  if (sameElse && narrowed) restore(frozen, from, 'affinity')
}

/** The kubelet's writes: names of nominated nodes, addresses, and no container brought back after its end. */
export function validatePodStatusUpdate(next: Pod, previous: Pod, at: FieldPath): FieldErrorList {
  const path = at.child('status')
  const faults: FieldErrorList = []
  const status: PodStatus = next.status ?? {}
  if (status.nominatedNodeName) faults.push(...subdomainFaults(status.nominatedNodeName, path.child('nominatedNodeName')))
  const policy = next.spec?.restartPolicy
  for (const list of ['containerStatuses', 'initContainerStatuses'] as const) {
    for (const [i, old] of (previous.status?.[list] ?? []).entries()) {
      const now = status[list]?.find(s => s.name === old.name)
      if (policy === 'Always' || old.state?.terminated === undefined || now?.state?.terminated !== undefined || now === undefined) continue
      if (policy === 'OnFailure' && (old.state.terminated.exitCode ?? 0) !== 0) continue
      if (list === 'initContainerStatuses' && next.spec?.initContainers?.find(c => c.name === old.name)?.restartPolicy === 'Always') continue
      faults.push(forbiddenField(path.child(list).index(i).child('state'), 'may not be transitioned to non-terminated state'))
    }
  }
  if (previous.status?.qosClass && status.qosClass !== previous.status.qosClass) faults.push(invalidValue(path.child('qosClass'), status.qosClass ?? '', 'field is immutable'))
  const [hostIP] = status.hostIPs ?? []
  if (hostIP && status.hostIP !== hostIP.ip) faults.push(invalidValue(path.child('hostIPs').index(0).child('ip'), hostIP.ip, 'must be equal to `hostIP`'))
  for (const list of ['podIPs', 'hostIPs'] as const)
    for (const [i, item] of (status[list] ?? []).entries()) faults.push(...isIP(item.ip).map(text => invalidValue(path.child(list).index(i), item.ip, text)))
  return faults
}

/** Whether a request list differs by amount only in what quantities allow (used by the resize subresource). */
export function sameQuantity(a: string | undefined, b: string | undefined): boolean {
  const [left, right] = [a === undefined ? undefined : quantityOf(a), b === undefined ? undefined : quantityOf(b)]
  if (left === undefined || right === undefined) return left === right
  return compareQuantity(left, right) === 0
}
