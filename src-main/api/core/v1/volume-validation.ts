/** Validation of a pod's volumes. Sources that only outside drivers use are checked for their required fields. */
import type { KeyToPath, Volume, VolumeProjection } from '../../generated/core-v1.ts'
import { duplicate, forbiddenField, invalidValue, notSupported, notSupportedInOrder, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isConfigMapKey, isDns1123Label, isDns1123Subdomain } from '../../names.ts'
import { milliValue } from '../../quantity.ts'
import { inRange, nameFaults, oneOf } from '../../validation.ts'
import { fieldRefFaults, resourceFieldFaults } from './container-validation.ts'
import { claimSpecFaults } from './claim-validation.ts'
import { volumeSourcesOf } from './pod-defaults.ts'
import { hasBacksteps, localPathFaults } from './security-validation.ts'
import { quantityOf } from './resource-validation.ts'

const fileModeText = 'must be a number between 0 and 0777 (octal), both inclusive'
const maxFileMode = 0o777
const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']
const downwardPaths = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']
const minTokenSeconds = 600
const maxTokenSeconds = 4294967296

export function volumesFaults(volumes: readonly Volume[] | undefined, at: FieldPath, podName: string | undefined): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, volume] of (volumes ?? []).entries()) {
    const path = at.index(i)
    const before = faults.length
    faults.push(...sourceFaults(volume, path))
    if (!volume.name) faults.push(required(path.child('name'), ''))
    else faults.push(...nameFaults(volume.name, path.child('name'), isDns1123Label))
    if (seen.has(volume.name)) faults.push(duplicate(path.child('name'), volume.name))
    if (faults.length === before) seen.add(volume.name)
    if (volume.ephemeral !== undefined && podName) {
      const claim = `${podName}-${volume.name}`
      if (claim.length > 253) faults.push(invalidValue(path.child('name'), volume.name, `PVC name "${claim}": must be no more than 253 bytes`))
    }
  }
  return faults
}

function sourceFaults(volume: Volume, at: FieldPath): FieldErrorList {
  const sources = volumeSourcesOf(volume)
  if (sources.length === 0) return [required(at, 'must specify a volume type')]
  const faults: FieldErrorList = []
  for (const [i, name] of sourcesInOrder(sources).entries()) {
    // The misspelling is upstream's.
    if (i > 0) faults.push(forbiddenField(at.child(name === 'downwardAPI' ? 'downwarAPI' : name), 'may not specify more than 1 volume type'))
    else faults.push(...(checks[name]?.(volume, at.child(name)) ?? plainFaults(volume, name, at.child(name))))
  }
  return faults
}

/** Kubernetes looks at sources in this order and finds fault with every one after the first. */
const order = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
  'quobyte',
]

function sourcesInOrder(names: ReturnType<typeof volumeSourcesOf>): ReturnType<typeof volumeSourcesOf> {
  return [...names].sort((a, b) => order.indexOf(a) - order.indexOf(b))
}

type Check = (volume: Volume, at: FieldPath) => FieldErrorList

const checks: Partial<Record<string, Check>> = {
  emptyDir(volume, at) {
    const limit = volume.emptyDir?.sizeLimit
    const quantity = limit === undefined ? undefined : quantityOf(String(limit))
    return quantity !== undefined && milliValue(quantity) < 0 ? [forbiddenField(at.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')] : []
  },
  hostPath(volume, at) {
    const path = volume.hostPath?.path
    if (!path) return [required(at.child('path'), '')]
    const faults: FieldErrorList = []
    if (hasBacksteps(path)) faults.push(invalidValue(at.child('path'), path, "must not contain '..'"))
    const type = volume.hostPath?.type
    if (type !== undefined && !hostPathTypes.includes(type)) faults.push(notSupported(at.child('type'), type, hostPathTypes))
    return faults
  },
  secret(volume, at) {
    const source = volume.secret
    const faults: FieldErrorList = source?.secretName ? nameFaults(source.secretName, at.child('secretName'), isDns1123Subdomain) : [required(at.child('secretName'), '')]
    return [...faults, ...modeFaults(source?.defaultMode, at.child('defaultMode')), ...keysFaults(source?.items, at.child('items'))]
  },
  configMap(volume, at) {
    const source = volume.configMap
    const faults: FieldErrorList = source?.name ? nameFaults(source.name, at.child('name'), isDns1123Subdomain) : [required(at.child('name'), '')]
    return [...faults, ...modeFaults(source?.defaultMode, at.child('defaultMode')), ...keysFaults(source?.items, at.child('items'))]
  },
  nfs(volume, at) {
    const faults: FieldErrorList = volume.nfs?.server ? [] : [required(at.child('server'), '')]
    const path = volume.nfs?.path
    if (!path) faults.push(required(at.child('path'), ''))
    else if (!path.startsWith('/')) faults.push(invalidValue(at.child('path'), path, 'must be an absolute path'))
    return faults
  },
  persistentVolumeClaim(volume, at) {
    return volume.persistentVolumeClaim?.claimName ? [] : [required(at.child('claimName'), '')]
  },
  downwardAPI(volume, at) {
    return [...modeFaults(volume.downwardAPI?.defaultMode, at.child('defaultMode')), ...(volume.downwardAPI?.items ?? []).flatMap(item => downwardFaults(item, at))]
  },
  projected(volume, at) {
    return [...modeFaults(volume.projected?.defaultMode, at.child('defaultMode')), ...projectionFaults(volume.projected?.sources ?? [], at)]
  },
  csi(volume, at) {
    const driver = volume.csi?.driver ?? ''
    if (driver === '') return [required(at.child('driver'), '')]
    const faults: FieldErrorList =
      driver.length > 63 ? [{ type: 'FieldValueTooLong', field: at.child('driver').toString(), message: 'Too long: may not be more than 63 bytes' }] : []
    faults.push(...nameFaults(driver.toLowerCase(), at.child('driver'), isDns1123Subdomain))
    if (volume.csi?.nodePublishSecretRef !== undefined && !volume.csi.nodePublishSecretRef.name) faults.push(required(at.child('nodePublishSecretRef', 'name'), ''))
    return faults
  },
  ephemeral(volume, at) {
    const template = volume.ephemeral?.volumeClaimTemplate
    if (template === undefined) return [required(at.child('volumeClaimTemplate'), '')]
    return claimSpecFaults(template.spec, at.child('volumeClaimTemplate', 'spec'))
  },
  image(volume, at) {
    const faults: FieldErrorList = volume.image?.reference ? [] : [required(at.child('reference'), '')]
    return [...faults, ...oneOf(volume.image?.pullPolicy, ['Always', 'IfNotPresent', 'Never'], at.child('pullPolicy'))]
  },
  iscsi(volume, at) {
    const faults: FieldErrorList = volume.iscsi?.targetPortal ? [] : [required(at.child('targetPortal'), '')]
    const iqn = volume.iscsi?.iqn
    if (!iqn) faults.push(required(at.child('iqn'), ''))
    else if (!/^(iqn|eui|naa)/.test(iqn)) faults.push(invalidValue(at.child('iqn'), iqn, 'must be valid format starting with iqn, eui, or naa'))
    return [...faults, ...inRange(volume.iscsi?.lun ?? 0, 0, 255, at.child('lun'))]
  },
  fc(volume, at) {
    const wwns = volume.fc?.targetWWNs?.length ?? 0
    const wwids = volume.fc?.wwids?.length ?? 0
    if (wwns === 0 && wwids === 0) return [required(at.child('targetWWNs'), 'must specify either targetWWNs or wwids, but not both')]
    if (wwns > 0 && wwids > 0) return [invalidValue(at.child('targetWWNs'), volume.fc?.targetWWNs, 'targetWWNs and wwids can not be specified simultaneously')]
    return wwns > 0 && volume.fc?.lun === undefined ? [required(at.child('lun'), 'lun is required if targetWWNs is specified')] : []
  },
  rbd(volume, at) {
    const faults: FieldErrorList = (volume.rbd?.monitors?.length ?? 0) > 0 ? [] : [required(at.child('monitors'), '')]
    return volume.rbd?.image ? faults : [...faults, required(at.child('image'), '')]
  },
  azureDisk(volume, at) {
    const disk = volume.azureDisk
    if (!disk?.diskName) return [required(at.child('diskName'), '')]
    if (!disk.diskURI) return [required(at.child('diskURI'), '')]
    if (disk.kind === 'Managed' && !disk.diskURI.startsWith('/subscriptions'))
      return [notSupportedInOrder(at.child('diskURI'), disk.diskURI, ['/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'])]
    if (disk.kind !== 'Managed' && !disk.diskURI.startsWith('https://'))
      return [notSupportedInOrder(at.child('diskURI'), disk.diskURI, ['https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'])]
    return []
  },
}

/** Required fields of sources that need no more than being named. */
const requiredFields: Partial<Record<string, readonly string[]>> = {
  gitRepo: ['repository'],
  gcePersistentDisk: ['pdName'],
  awsElasticBlockStore: ['volumeID'],
  glusterfs: ['endpoints', 'path'],
  cinder: ['volumeID'],
  cephfs: ['monitors'],
  flexVolume: ['driver'],
  azureFile: ['secretName', 'shareName'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  quobyte: ['registry', 'volume'],
}

function plainFaults(volume: Volume, name: keyof Volume, at: FieldPath): FieldErrorList {
  const source = volume[name] as Record<string, unknown> | undefined
  return (requiredFields[name] ?? []).filter(field => isMissing(source?.[field])).map(field => required(at.child(field), ''))
}

const isMissing = (value: unknown): boolean => value === undefined || value === '' || (Array.isArray(value) && value.length === 0)

function modeFaults(mode: number | undefined, path: FieldPath): FieldErrorList {
  return mode !== undefined && (mode < 0 || mode > maxFileMode) ? [invalidValue(path, mode, fileModeText)] : []
}

function keysFaults(items: readonly KeyToPath[] | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [i, item] of (items ?? []).entries()) {
    const path = at.index(i)
    if (!item.key) faults.push(required(path.child('key'), ''))
    else faults.push(...nameFaults(item.key, path.child('key'), isConfigMapKey))
    if (!item.path) faults.push(required(path.child('path'), ''))
    else faults.push(...nonSpecialPathFaults(item.path, path.child('path')))
    faults.push(...modeFaults(item.mode, path.child('mode')))
  }
  return faults
}

function nonSpecialPathFaults(text: string, path: FieldPath): FieldErrorList {
  const faults = localPathFaults(text, path)
  if (text.startsWith('..') && !hasBacksteps(text)) faults.push(invalidValue(path, text, "must not start with '..'"))
  return faults
}

interface DownwardItem {
  path: string
  fieldRef?: { apiVersion?: string; fieldPath?: string }
  resourceFieldRef?: { containerName?: string; resource?: string }
  mode?: number
}

function downwardFaults(item: DownwardItem, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!item.path) faults.push(required(at.child('path'), ''))
  else faults.push(...nonSpecialPathFaults(item.path, at.child('path')))
  if (item.fieldRef !== undefined) {
    faults.push(...fieldRefFaults(item.fieldRef, downwardPaths, true, at.child('fieldRef')))
    if (item.resourceFieldRef !== undefined) faults.push(invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
  } else if (item.resourceFieldRef !== undefined) faults.push(...resourceFieldFaults(item.resourceFieldRef, true, at.child('resourceFieldRef')))
  else faults.push(required(at, 'one of fieldRef and resourceFieldRef is required'))
  return [...faults, ...modeFaults(item.mode, at.child('mode'))]
}

function projectionFaults(sources: readonly VolumeProjection[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const paths = new Set<string>()
  const place = (path: string | undefined): void => {
    if (!path) return
    if (paths.has(path)) faults.push(invalidValue(at, path, 'conflicting duplicate paths'))
    paths.add(path)
  }
  for (const [i, source] of sources.entries()) {
    const path = at.child('sources').index(i)
    const kinds = (['secret', 'configMap', 'downwardAPI', 'serviceAccountToken', 'clusterTrustBundle', 'podCertificate'] as const).filter(kind => source[kind] !== undefined)
    for (const kind of kinds.slice(1)) faults.push(forbiddenField(path.child(kind), 'may not specify more than 1 volume type'))
    faults.push(...oneProjectionFaults(source, kinds[0], path, at))
    for (const item of [...(source.secret?.items ?? []), ...(source.configMap?.items ?? []), ...(source.downwardAPI?.items ?? [])]) place(item.path)
    place(source.serviceAccountToken?.path)
    place(source.clusterTrustBundle?.path)
  }
  return faults
}

function oneProjectionFaults(source: VolumeProjection, kind: keyof VolumeProjection | undefined, path: FieldPath, volume: FieldPath): FieldErrorList {
  switch (kind) {
    // A source that names nothing projects nothing; Kubernetes only warns.
    case undefined:
      return []
    case 'secret':
    case 'configMap': {
      const item = source[kind]
      const at = path.child(kind)
      return [...(item?.name ? nameFaults(item.name, at.child('name'), isDns1123Subdomain) : [required(at.child('name'), '')]), ...keysFaults(item?.items, at.child('items'))]
    }
    case 'downwardAPI':
      return (source.downwardAPI?.items ?? []).flatMap(item => downwardFaults(item, path.child('downwardAPI')))
    case 'serviceAccountToken':
      return tokenFaults(source.serviceAccountToken, path.child('serviceAccountToken'), volume)
    default:
      return []
  }
}

function tokenFaults(token: VolumeProjection['serviceAccountToken'], at: FieldPath, volume: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seconds = token?.expirationSeconds ?? minTokenSeconds
  if (seconds < minTokenSeconds) faults.push(invalidValue(at.child('expirationSeconds'), seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds > maxTokenSeconds) faults.push(invalidValue(at.child('expirationSeconds'), seconds, 'may not specify a duration larger than 2^32 seconds'))
  if (!token?.path) faults.push(required(volume.child('path'), ''))
  else faults.push(...nonSpecialPathFaults(token.path, volume.child('path')))
  return faults
}
