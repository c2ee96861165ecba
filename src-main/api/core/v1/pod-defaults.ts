/** Defaults of pod specs and everything inside them; pods, pod templates and all workloads share them. Pure, in place. */
import type { Container, EphemeralContainer, HTTPGetAction, LifecycleHandler, PodSpec, PodTemplateSpec, Probe, Volume } from '../../generated/core-v1.ts'
import { addQuantity, formatQuantity, tryParseQuantity } from '../../quantity.ts'

const defaultFileMode = 0o644
const defaultTokenSeconds = 3600

/** Defaults that only pods get, not their templates: requests from limits, host ports, service links. */
export function setPodDefaults(spec: PodSpec | undefined): void {
  if (spec === undefined) return
  setPodSpecDefaults(spec)
  spec.enableServiceLinks ??= true
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    setRequestsFromLimits(container)
    if (spec.hostNetwork === true) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort
  }
  setPodRequestDefaults(spec)
}

/** Defaults of a pod template's spec. `metadata` of a template becomes `{}` when absent. */
export function setPodTemplateDefaults(template: PodTemplateSpec | undefined): void {
  if (template === undefined) return
  template.metadata ??= {}
  setPodSpecDefaults(template.spec)
}

export function setPodSpecDefaults(spec: PodSpec | undefined): void {
  if (spec === undefined) return
  spec.dnsPolicy ||= 'ClusterFirst'
  spec.restartPolicy ||= 'Always'
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ||= 'default-scheduler'
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount
  for (const container of spec.initContainers ?? []) setContainerDefaults(container)
  for (const container of spec.containers ?? []) setContainerDefaults(container)
  for (const container of spec.ephemeralContainers ?? []) setContainerDefaults(container)
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume)
  for (const constraint of spec.topologySpreadConstraints ?? []) dropEmpty(constraint, 'matchLabelKeys')
  // Go leaves these out when they are false.
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC'] as const) dropFalse(spec, name)
}

function dropFalse(spec: PodSpec, name: 'hostNetwork' | 'hostPID' | 'hostIPC'): void {
  if (spec[name] === false) delete spec[name]
}

function dropEmpty<K extends string>(object: { [key in K]?: unknown[] }, name: K): void {
  if (object[name]?.length === 0) delete object[name]
}

/** Pod-level requests of a limited resource: what the containers ask together, else the limit. */
function setPodRequestDefaults(spec: PodSpec): void {
  const limits = spec.resources?.limits
  if (spec.resources === undefined || limits === undefined) return
  const requests = { ...spec.resources.requests }
  for (const [name, limit] of Object.entries(limits)) {
    if (requests[name] !== undefined || !(name === 'cpu' || name === 'memory' || name.startsWith('hugepages-'))) continue
    const asked = (spec.containers ?? [])
      .map(c => c.resources?.requests?.[name])
      .filter(text => text !== undefined)
      .map(text => tryParseQuantity(text))
      .filter(q => q !== undefined)
    requests[name] = asked.length === 0 ? limit : formatQuantity(asked.reduce((a, b) => addQuantity(a, b)))
  }
  if (Object.keys(requests).length > 0) spec.resources.requests = requests
}

function setContainerDefaults(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ||= pullPolicyFor(container.image)
  container.terminationMessagePath ||= '/dev/termination-log'
  container.terminationMessagePolicy ||= 'File'
  container.resources ??= {}
  for (const port of container.ports ?? []) port.protocol ||= 'TCP'
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) setProbeDefaults(probe)
  setHandlerDefaults(container.lifecycle?.postStart)
  setHandlerDefaults(container.lifecycle?.preStop)
  for (const env of container.env ?? []) {
    const field = env.valueFrom?.fieldRef
    if (field !== undefined) field.apiVersion ||= 'v1'
    const resource = env.valueFrom?.resourceFieldRef
    if (resource !== undefined) resource.divisor ??= '0'
    const file = env.valueFrom?.fileKeyRef
    if (file !== undefined) file.optional ??= false
  }
  const procMount = container.securityContext
  if (procMount?.procMount === '') delete procMount.procMount
}

/** A limit without a request is also the request. */
function setRequestsFromLimits(container: Container | EphemeralContainer): void {
  const resources = container.resources
  if (resources?.limits === undefined) return
  const requests = { ...resources.requests }
  for (const [name, limit] of Object.entries(resources.limits)) requests[name] ??= limit
  if (Object.keys(requests).length > 0) resources.requests = requests
}

/** Always for `:latest` or no tag, else IfNotPresent. */
/** A host with a port, a path in lower case, a tag. */
const imageName = /^([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?\/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(\/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:\w[\w.-]{0,127})?$/

export function pullPolicyFor(image: string | undefined): 'Always' | 'IfNotPresent' {
  const name = image ?? ''
  // What names no image has no tag either, not even `latest`.
  if (name.includes('@') || !imageName.test(name)) return 'IfNotPresent'
  const last = name.slice(name.lastIndexOf('/') + 1)
  const colon = last.indexOf(':')
  return colon < 0 || last.slice(colon + 1) === 'latest' ? 'Always' : 'IfNotPresent'
}

function setProbeDefaults(probe: Probe | undefined): void {
  if (probe === undefined) return
  probe.timeoutSeconds ||= 1
  probe.periodSeconds ||= 10
  probe.successThreshold ||= 1
  probe.failureThreshold ||= 3
  setHttpDefaults(probe.httpGet)
  if (probe.grpc !== undefined) probe.grpc.service ??= ''
}

function setHandlerDefaults(handler: LifecycleHandler | undefined): void {
  setHttpDefaults(handler?.httpGet)
}

function setHttpDefaults(http: HTTPGetAction | undefined): void {
  if (http === undefined) return
  http.path ||= '/'
  http.scheme ||= 'HTTP'
}

const volumeSources = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'hostPath',
  'image',
  'iscsi',
  'nfs',
  'persistentVolumeClaim',
  'photonPersistentDisk',
  'portworxVolume',
  'projected',
  'quobyte',
  'rbd',
  'scaleIO',
  'secret',
  'storageos',
  'vsphereVolume',
] as const

/** The sources that a volume names; exactly one is legal. */
export function volumeSourcesOf(volume: Volume): (typeof volumeSources)[number][] {
  return volumeSources.filter(name => volume[name] !== undefined)
}

function setVolumeDefaults(volume: Volume): void {
  if (volumeSourcesOf(volume).length === 0) volume.emptyDir = {}
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= defaultFileMode
  if (volume.secret !== undefined) volume.secret.defaultMode ??= defaultFileMode
  if (volume.hostPath !== undefined) volume.hostPath.type ??= ''
  if (volume.image !== undefined) volume.image.pullPolicy ||= pullPolicyFor(volume.image.reference)
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= defaultFileMode
    for (const item of volume.downwardAPI.items ?? []) setDownwardDefaults(item)
  }
  if (volume.projected !== undefined) setProjectedDefaults(volume.projected)
  const claim = volume.ephemeral?.volumeClaimTemplate
  if (claim !== undefined) {
    claim.metadata ??= {}
    if (claim.spec !== undefined) claim.spec.volumeMode ??= 'Filesystem'
  }
  setNetworkVolumeDefaults(volume)
}

function setNetworkVolumeDefaults(volume: Volume): void {
  if (volume.iscsi !== undefined) volume.iscsi.iscsiInterface ||= 'default'
  if (volume.rbd !== undefined) {
    volume.rbd.pool ||= 'rbd'
    volume.rbd.user ||= 'admin'
    volume.rbd.keyring ||= '/etc/ceph/keyring'
  }
  if (volume.azureDisk !== undefined) {
    volume.azureDisk.cachingMode ??= 'ReadWrite'
    volume.azureDisk.kind ??= 'Shared'
    volume.azureDisk.fsType ??= 'ext4'
    volume.azureDisk.readOnly ??= false
  }
  if (volume.scaleIO !== undefined) {
    volume.scaleIO.storageMode ||= 'ThinProvisioned'
    volume.scaleIO.fsType ||= 'xfs'
  }
}

function setDownwardDefaults(item: { fieldRef?: { apiVersion?: string }; resourceFieldRef?: { divisor?: string } }): void {
  if (item.fieldRef !== undefined) item.fieldRef.apiVersion ||= 'v1'
  if (item.resourceFieldRef !== undefined) item.resourceFieldRef.divisor ??= '0'
}

function setProjectedDefaults(projected: NonNullable<Volume['projected']>): void {
  projected.defaultMode ??= defaultFileMode
  for (const source of projected.sources ?? []) {
    if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= defaultTokenSeconds
    for (const item of source.downwardAPI?.items ?? []) setDownwardDefaults(item)
  }
}
