/** Validation of containers, init containers and ephemeral containers. */
import type { Container, ContainerPort, EnvFromSource, EnvVar, EphemeralContainer, PodSpec, Volume, VolumeMount } from '../../generated/core-v1.ts'
import { duplicate, forbiddenField, invalidValue, notFoundField, notSupported, notSupportedInOrder, required, tooMany } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isConfigMapKey, isDns1123Label, isDns1123Subdomain, isEnvVarName, isPortName } from '../../names.ts'
import { nameFaults, oneOf, portFaults } from '../../validation.ts'
import { lifecycleHandlerFaults, probeFaults, stopSignalFaults } from './handler-validation.ts'
import { hasBacksteps, localPathFaults, securityContextFaults } from './security-validation.ts'
import { resourceRequirementsFaults } from './resource-validation.ts'

const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const protocols = ['SCTP', 'TCP', 'UDP']
const restartPolicies = ['Always', 'OnFailure', 'Never']
const alphabetical = [...restartPolicies].sort()
const onlySidecars = 'may not be set for init containers without restartPolicy=Always'
const maxTerminationMessage = 'must not be empty'

interface Names {
  readonly volumes: ReadonlyMap<string, Volume>
  readonly claims: ReadonlySet<string>
}

export function namesOf(spec: PodSpec): Names {
  return { volumes: new Map((spec.volumes ?? []).map(v => [v.name, v])), claims: new Set((spec.resourceClaims ?? []).map(c => c.name)) }
}

function commonFaults(container: Container | EphemeralContainer, spec: PodSpec, names: Names, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!container.name) faults.push(required(at.child('name'), ''))
  else faults.push(...nameFaults(container.name, at.child('name'), isDns1123Label))
  if (!container.image) faults.push(required(at.child('image'), ''))
  else if (container.image.trim() !== container.image) faults.push(invalidValue(at.child('image'), container.image, 'must not have leading or trailing whitespace'))
  const policy = container.terminationMessagePolicy
  if (!policy) faults.push(required(at.child('terminationMessagePolicy'), maxTerminationMessage))
  else faults.push(...oneOf(policy, ['FallbackToLogsOnError', 'File'], at.child('terminationMessagePolicy')))
  faults.push(
    ...portsFaults(container.ports ?? [], at.child('ports')),
    ...envFaults(container.env ?? [], at.child('env')),
    ...envFromFaults(container.envFrom ?? [], at.child('envFrom')),
  )
  faults.push(...mountFaults(container, names.volumes, at.child('volumeMounts')), ...deviceFaults(container, names.volumes, at.child('volumeDevices')))
  if (!container.imagePullPolicy) faults.push(required(at.child('imagePullPolicy'), ''))
  else faults.push(...oneOf(container.imagePullPolicy, pullPolicies, at.child('imagePullPolicy')))
  faults.push(...resourceRequirementsFaults(container.resources, at.child('resources'), names.claims), ...resizeFaults(container, spec, at.child('resizePolicy')))
  return [...faults, ...securityContextFaults(container.securityContext, at.child('securityContext'), spec.hostUsers !== false)]
}

function portsFaults(ports: readonly ContainerPort[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, port] of ports.entries()) {
    const path = at.index(i)
    if (port.name) {
      const wrong = isPortName(port.name)
      faults.push(...wrong.map(text => invalidValue(path.child('name'), port.name, text)))
      if (wrong.length === 0 && seen.has(port.name)) faults.push(duplicate(path.child('name'), port.name))
      seen.add(port.name)
    }
    if (!port.containerPort) faults.push(required(path.child('containerPort'), ''))
    else faults.push(...portFaults(port.containerPort, path.child('containerPort')))
    if (port.hostPort) faults.push(...portFaults(port.hostPort, path.child('hostPort')))
    if (!port.protocol) faults.push(required(path.child('protocol'), ''))
    else faults.push(...oneOf(port.protocol, protocols, path.child('protocol')))
  }
  return faults
}

const fieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
const envResources = ['limits.cpu', 'limits.ephemeral-storage', 'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', 'requests.memory']

function envFaults(env: readonly EnvVar[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, variable] of env.entries()) {
    const path = at.index(i)
    if (!variable.name) faults.push(required(path.child('name'), ''))
    else faults.push(...nameFaults(variable.name, path.child('name'), isEnvVarName))
    faults.push(...envSourceFaults(variable, path.child('valueFrom')))
  }
  return faults
}

function envSourceFaults(variable: EnvVar, at: FieldPath): FieldErrorList {
  const source = variable.valueFrom
  if (source === undefined) return []
  const faults: FieldErrorList = []
  const count = [source.fieldRef, source.resourceFieldRef, source.configMapKeyRef, source.secretKeyRef, source.fileKeyRef].filter(s => s !== undefined).length
  if (source.fieldRef !== undefined) faults.push(...fieldRefFaults(source.fieldRef, fieldPaths, true, at.child('fieldRef')))
  if (source.resourceFieldRef !== undefined) faults.push(...resourceFieldFaults(source.resourceFieldRef, false, at.child('resourceFieldRef')))
  if (source.configMapKeyRef !== undefined) faults.push(...keyRefFaults(source.configMapKeyRef, at.child('configMapKeyRef')))
  if (source.secretKeyRef !== undefined) faults.push(...keyRefFaults(source.secretKeyRef, at.child('secretKeyRef')))
  if (source.fileKeyRef !== undefined) {
    const { key = '', volumeName = '', path = '' } = source.fileKeyRef
    const ref = at.child('fileKeyRef')
    faults.push(...(key === '' ? [required(ref.child('key'), '')] : nameFaults(key, ref.child('key'), isEnvVarName)))
    faults.push(...(volumeName === '' ? [required(ref.child('volumeName'), '')] : nameFaults(volumeName, ref.child('volumeName'), isDns1123Label)))
    if (path === '') faults.push(required(ref.child('path'), ''))
    else if (hasBacksteps(path)) faults.push(invalidValue(ref.child('path'), path, "must not contain '..'"))
  }
  if (count === 0) faults.push(invalidValue(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'))
  else if (variable.value) faults.push(invalidValue(at, '', 'may not be specified when `value` is not empty'))
  else if (count > 1) faults.push(invalidValue(at, '', 'may not have more than one field specified at a time'))
  return faults
}

/** `metadata.labels['a']` and `metadata.annotations['a']` besides the plain paths. */
export function fieldRefFaults(ref: { apiVersion?: string; fieldPath?: string }, plain: readonly string[], subscripts: boolean, at: FieldPath): FieldErrorList {
  if (!ref.apiVersion) return [required(at.child('apiVersion'), '')]
  if (!ref.fieldPath) return [required(at.child('fieldPath'), '')]
  if (subscripts && /^metadata\.(labels|annotations)\['.+'\]$/.test(ref.fieldPath)) return []
  if (ref.apiVersion !== 'v1') return [invalidValue(at.child('fieldPath'), ref.fieldPath, `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`)]
  if (plain.includes(ref.fieldPath)) return []
  return knownPodField(ref.fieldPath)
    ? [notSupported(at.child('fieldPath'), ref.fieldPath, plain)]
    : [invalidValue(at.child('fieldPath'), ref.fieldPath, `error converting fieldPath: field label not supported: ${ref.fieldPath}`)]
}

const convertible = new Set([
  ...fieldPaths,
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.hostNetwork',
  'status.phase',
  'status.nominatedNodeName',
  'spec.host',
])
const knownPodField = (path: string): boolean => convertible.has(path)

export function resourceFieldFaults(ref: { containerName?: string; resource?: string }, volume: boolean, at: FieldPath): FieldErrorList {
  if (volume && !ref.containerName) return [required(at.child('containerName'), '')]
  if (!ref.resource) return [required(at.child('resource'), '')]
  const name = ref.resource
  const huge = name.startsWith('limits.hugepages-') || name.startsWith('requests.hugepages-')
  return huge || envResources.includes(name) ? [] : [notSupported(at.child('resource'), name, envResources)]
}

function keyRefFaults(ref: { name?: string; key?: string }, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  faults.push(...nameFaults(ref.name ?? '', at.child('name'), isDns1123Subdomain))
  if (!ref.key) faults.push(required(at.child('key'), ''))
  else faults.push(...nameFaults(ref.key, at.child('key'), isConfigMapKey))
  return faults
}

function envFromFaults(sources: readonly EnvFromSource[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, source] of sources.entries()) {
    const path = at.index(i)
    if (source.prefix) faults.push(...nameFaults(source.prefix, path.child('prefix'), isEnvVarName))
    for (const field of ['configMapRef', 'secretRef'] as const) {
      const reference = source[field]
      if (reference === undefined) continue
      faults.push(...(reference.name ? nameFaults(reference.name, path.child(field, 'name'), isDns1123Subdomain) : [required(path.child(field, 'name'), '')]))
    }
    const count = [source.configMapRef, source.secretRef].filter(s => s !== undefined).length
    // Told of the list, not of its item.
    if (count === 0) faults.push(invalidValue(at, '', 'must specify one of: `configMapRef` or `secretRef`'))
    else if (count > 1) faults.push(invalidValue(at, '', 'may not have more than one field specified at a time'))
  }
  return faults
}

function mountFaults(container: Container | EphemeralContainer, volumes: ReadonlyMap<string, Volume>, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const points = new Set<string>()
  const devices = new Set((container.volumeDevices ?? []).map(d => d.name))
  const devicePaths = new Set((container.volumeDevices ?? []).map(d => d.devicePath))
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const path = at.index(i)
    if (!mount.name) faults.push(required(path.child('name'), ''))
    if (!mount.mountPath) faults.push(required(path.child('mountPath'), ''))
    if (!volumes.has(mount.name)) faults.push(notFoundField(path.child('name'), mount.name ?? ''))
    if (points.has(mount.mountPath)) faults.push(invalidValue(path.child('mountPath'), mount.mountPath, 'must be unique'))
    points.add(mount.mountPath)
    if (devices.has(mount.name)) faults.push(invalidValue(path.child('name'), mount.name, 'must not already exist in volumeDevices'))
    if (devicePaths.has(mount.mountPath)) faults.push(invalidValue(path.child('mountPath'), mount.mountPath, 'must not already exist as a path in volumeDevices'))
    faults.push(...mountOptionFaults(mount, container, at))
  }
  return faults
}

function mountOptionFaults(mount: VolumeMount, container: Container | EphemeralContainer, list: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (mount.subPath) faults.push(...localPathFaults(mount.subPath, list.child('subPath')))
  if (mount.subPathExpr) {
    if (mount.subPath) faults.push(invalidValue(list.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
    faults.push(...localPathFaults(mount.subPathExpr, list.child('subPathExpr')))
  }
  const propagation = mount.mountPropagation
  const propagations = ['Bidirectional', 'HostToContainer', 'None']
  if (propagation !== undefined) {
    if (!propagations.includes(propagation)) faults.push(notSupported(list.child('mountPropagation'), propagation, propagations))
    else if (propagation === 'Bidirectional' && container.securityContext?.privileged !== true)
      faults.push(forbiddenField(list.child('mountPropagation'), 'Bidirectional mount propagation is available only to privileged containers'))
  }
  const recursive = mount.recursiveReadOnly
  if (recursive !== undefined && recursive !== 'Disabled') {
    const at = list.child('recursiveReadOnly')
    if (recursive !== 'Enabled' && recursive !== 'IfPossible') faults.push(notSupported(at, recursive, ['Disabled', 'Enabled', 'IfPossible']))
    else {
      if (mount.readOnly !== true) faults.push(forbiddenField(at, 'may only be specified when readOnly is true'))
      if (propagation !== undefined && propagation !== 'None') faults.push(forbiddenField(at, 'may only be specified when mountPropagation is None or not specified'))
    }
  }
  return faults
}

function deviceFaults(container: Container | EphemeralContainer, volumes: ReadonlyMap<string, Volume>, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const names = new Set<string>()
  const paths = new Set<string>()
  const mounted = new Set((container.volumeMounts ?? []).map(m => m.name))
  const points = new Set((container.volumeMounts ?? []).map(m => m.mountPath))
  for (const [i, device] of (container.volumeDevices ?? []).entries()) {
    const path = at.index(i)
    const volume = volumes.get(device.name)
    if (!device.name) faults.push(required(path.child('name'), ''))
    if (!device.devicePath) faults.push(required(path.child('devicePath'), ''))
    if (names.has(device.name)) faults.push(invalidValue(path.child('name'), device.name, 'must be unique'))
    names.add(device.name)
    if (device.devicePath) {
      if (hasBacksteps(device.devicePath)) faults.push(invalidValue(path.child('devicePath'), device.devicePath, "can not contain backsteps ('..')"))
      if (paths.has(device.devicePath)) faults.push(invalidValue(path.child('devicePath'), device.devicePath, 'must be unique'))
      paths.add(device.devicePath)
    }
    if (volume !== undefined && volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined)
      faults.push(invalidValue(path.child('name'), device.name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'))
    if (volume === undefined) faults.push(notFoundField(path.child('name'), device.name ?? ''))
    if (mounted.has(device.name)) faults.push(invalidValue(path.child('name'), device.name, 'must not already exist in volumeMounts'))
    if (points.has(device.devicePath)) faults.push(invalidValue(path.child('devicePath'), device.devicePath, 'must not already exist as a path in volumeMounts'))
  }
  return faults
}

function resizeFaults(container: Container | EphemeralContainer, spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, policy] of (container.resizePolicy ?? []).entries()) {
    if (seen.has(policy.resourceName)) faults.push(duplicate(at.index(i), policy.resourceName))
    seen.add(policy.resourceName)
    if (!policy.resourceName) faults.push(required(at, ''))
    else if (policy.resourceName !== 'cpu' && policy.resourceName !== 'memory') faults.push(notSupported(at, policy.resourceName, ['cpu', 'memory']))
    if (!policy.restartPolicy) faults.push(required(at, ''))
    else if (policy.restartPolicy !== 'NotRequired' && policy.restartPolicy !== 'RestartContainer')
      faults.push(notSupported(at, policy.restartPolicy, ['NotRequired', 'RestartContainer']))
    if (spec.restartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired')
      faults.push(invalidValue(at, policy.restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
  }
  return faults
}

/** spec.containers. */
export function containersFaults(spec: PodSpec, names: Names, at: FieldPath): FieldErrorList {
  const containers = spec.containers ?? []
  if (containers.length === 0) return [required(at, '')]
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, container] of containers.entries()) {
    const path = at.index(i)
    faults.push(...commonFaults(container, spec, names, path))
    if (container.name && seen.has(container.name)) faults.push(duplicate(path.child('name'), container.name))
    seen.add(container.name)
    faults.push(...runningContainerFaults(container, spec, path))
    if (container.restartPolicy !== undefined) faults.push(...oneOfInOrder(container.restartPolicy, restartPolicies, path.child('restartPolicy')))
    faults.push(...restartRulesFaults(container, path))
  }
  return [...faults, ...hostPortFaults(containers, at)]
}

const ruleActions = ['Restart', 'RestartAllContainers']
const ruleOperators = ['In', 'NotIn']
const maxRules = 20
const maxExitCodes = 255

/** Rules by exit code go with a policy of the container's own. */
function restartRulesFaults(container: Container, at: FieldPath): FieldErrorList {
  const rules = container.restartPolicyRules ?? []
  const faults: FieldErrorList = []
  if (rules.length > 0 && container.restartPolicy === undefined) faults.push(required(at.child('restartPolicy'), 'must specify restartPolicy when restart rules are used'))
  if (rules.length > maxRules) faults.push(tooMany(at.child('restartPolicyRules'), rules.length, maxRules))
  for (const [i, { action, exitCodes }] of rules.entries()) {
    const path = at.child('restartPolicyRules').index(i)
    if (!ruleActions.includes(action)) faults.push(notSupported(path.child('action'), action ?? '', ruleActions))
    if (exitCodes === undefined) faults.push(required(path.child('exitCodes'), 'must be specified'))
    else {
      if (!ruleOperators.includes(exitCodes.operator)) faults.push(notSupported(path.child('exitCodes', 'operator'), exitCodes.operator ?? '', ruleOperators))
      const count = exitCodes.values?.length ?? 0
      if (count > maxExitCodes) faults.push(tooMany(path.child('exitCodes', 'values'), count, maxExitCodes))
    }
  }
  return faults
}

function oneOfInOrder(value: string, supported: readonly string[], path: FieldPath): FieldErrorList {
  return supported.includes(value) ? [] : [notSupportedInOrder(path, value, alphabetical)]
}

function runningContainerFaults(container: Container, spec: PodSpec, path: FieldPath): FieldErrorList {
  const grace = spec.terminationGracePeriodSeconds
  const faults: FieldErrorList = []
  const lifecycle = container.lifecycle
  faults.push(
    ...lifecycleHandlerFaults(lifecycle?.postStart, path.child('lifecycle', 'postStart'), grace),
    ...lifecycleHandlerFaults(lifecycle?.preStop, path.child('lifecycle', 'preStop'), grace),
  )
  faults.push(...stopSignalFaults(lifecycle?.stopSignal, spec.os?.name, path.child('lifecycle', 'stopSignal')))
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) faults.push(...probeFaults(container[kind], kind, path.child(kind), grace))
  return faults
}

/** Two containers of one pod cannot have the same port of the host. */
function hostPortFaults(containers: readonly Container[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, container] of containers.entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`
      if (seen.has(key)) faults.push(duplicate(at.index(i).child('ports').index(j).child('hostPort'), key))
      seen.add(key)
    }
  }
  return faults
}

/** spec.initContainers. */
export function initContainersFaults(spec: PodSpec, names: Names, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set((spec.containers ?? []).map(c => c.name))
  for (const [i, container] of (spec.initContainers ?? []).entries()) {
    const path = at.index(i)
    const sidecar = container.restartPolicy === 'Always'
    faults.push(...commonFaults(container, spec, names, path))
    if (container.restartPolicy !== undefined) faults.push(...oneOfInOrder(container.restartPolicy, restartPolicies, path.child('restartPolicy')))
    faults.push(...restartRulesFaults(container, path))
    if (container.name && seen.has(container.name)) faults.push(duplicate(path.child('name'), container.name))
    seen.add(container.name)
    faults.push(...hostPortFaults([container], at).map(f => ({ ...f, field: f.field.replace(`${at.toString()}[0]`, path.toString()) })))
    if (sidecar) faults.push(...runningContainerFaults(container, spec, path))
    else {
      for (const name of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[name] !== undefined) faults.push(forbiddenField(path.child(name), onlySidecars))
    }
  }
  return faults
}

const ephemeralForbidden = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resizePolicy'] as const

/** spec.ephemeralContainers, as the ephemeralcontainers subresource takes them. */
export function ephemeralContainersFaults(spec: PodSpec, names: Names, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(c => c.name))
  const seen = new Set<string>(others)
  for (const [i, container] of (spec.ephemeralContainers ?? []).entries()) {
    const path = at.index(i)
    if (container.restartPolicy !== undefined) faults.push(forbiddenField(path.child('restartPolicy'), 'may not be set for ephemeral containers'))
    faults.push(...commonFaults(container, spec, names, path))
    if (container.name && seen.has(container.name)) faults.push(duplicate(path.child('name'), container.name))
    seen.add(container.name)
    if (container.targetContainerName && !others.has(container.targetContainerName)) faults.push(notFoundField(path.child('targetContainerName'), container.targetContainerName))
    for (const name of ephemeralForbidden) if (container[name] !== undefined) faults.push(forbiddenField(path.child(name), 'cannot be set for an Ephemeral Container'))
    if (Object.keys(container.resources ?? {}).length > 0) faults.push(forbiddenField(path.child('resources'), 'cannot be set for an Ephemeral Container'))
    for (const [j, mount] of (container.volumeMounts ?? []).entries()) {
      for (const name of ['subPath', 'subPathExpr'] as const)
        if (mount[name]) faults.push(forbiddenField(path.child('volumeMounts').index(j).child(name), 'cannot be set for an Ephemeral Container'))
    }
  }
  return faults
}
