/** Contents of configMap, secret, downwardAPI and projected volumes. */
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection } from '../../api/generated/core-v1.ts'
import type { VolumeFile } from './atomic-directory.ts'
import { fieldValue, resourceValue } from './field-references.ts'
import type { NodeAllocatable, PodAddresses } from './field-references.ts'
import type { ObjectSource } from './objects.ts'

export interface PayloadSources {
  readonly objects: ObjectSource
  /** Token of the pod's service account; throws where there is none to be had. */
  token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string>
  readonly addresses: PodAddresses
  readonly allocatable: NodeAllocatable
}

const defaultMode = 0o644

/** Undefined for volumes that are not of this sort. Throws with Kubernetes' words where something referred to is missing. */
export async function volumePayload(pod: Pod, volume: Volume, sources: PayloadSources): Promise<Map<string, VolumeFile> | undefined> {
  const files = new Map<string, VolumeFile>()
  const namespace = pod.metadata.namespace ?? ''
  if (volume.configMap) {
    const { name = '', optional, items, defaultMode: mode = defaultMode } = volume.configMap
    addConfigMap(files, await sources.objects.configMap(namespace, name), name, optional ?? false, items, mode)
  } else if (volume.secret) {
    const { secretName = '', optional, items, defaultMode: mode = defaultMode } = volume.secret
    addSecret(files, await sources.objects.secret(namespace, secretName), secretName, optional ?? false, items, mode)
  } else if (volume.downwardAPI) {
    for (const item of volume.downwardAPI.items ?? []) addDownward(files, pod, item, volume.downwardAPI.defaultMode ?? defaultMode, sources)
  } else if (volume.projected) {
    for (const source of volume.projected.sources ?? []) await addProjection(files, pod, source, volume.projected.defaultMode ?? defaultMode, sources)
  } else return undefined
  return files
}

async function addProjection(files: Map<string, VolumeFile>, pod: Pod, source: VolumeProjection, mode: number, sources: PayloadSources): Promise<void> {
  const namespace = pod.metadata.namespace ?? ''
  if (source.configMap) {
    const name = source.configMap.name ?? ''
    addConfigMap(files, await sources.objects.configMap(namespace, name), name, source.configMap.optional ?? false, source.configMap.items, mode)
  } else if (source.secret) {
    const name = source.secret.name ?? ''
    addSecret(files, await sources.objects.secret(namespace, name), name, source.secret.optional ?? false, source.secret.items, mode)
  } else if (source.downwardAPI) {
    for (const item of source.downwardAPI.items ?? []) addDownward(files, pod, item, mode, sources)
  } else if (source.serviceAccountToken) {
    const { path, audience, expirationSeconds = 3600 } = source.serviceAccountToken
    files.set(path, { bytes: Buffer.from(await sources.token(pod, audience, expirationSeconds)), mode })
  } else throw new Error('unsupported projected volume source')
}

function addConfigMap(files: Map<string, VolumeFile>, object: ConfigMap | undefined, name: string, optional: boolean, items: readonly KeyToPath[] | undefined, mode: number): void {
  if (!object && !optional) throw new Error(`configmap "${name}" not found`)
  const data = new Map<string, Uint8Array>()
  for (const [key, text] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(text))
  for (const [key, text] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(text, 'base64'))
  addItems(files, data, items, mode, optional, 'configmap')
}

function addSecret(files: Map<string, VolumeFile>, object: Secret | undefined, name: string, optional: boolean, items: readonly KeyToPath[] | undefined, mode: number): void {
  if (!object && !optional) throw new Error(`secret "${name}" not found`)
  const data = new Map(Object.entries(object?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]))
  addItems(files, data, items, mode, optional, 'secret')
}

function addItems(
  files: Map<string, VolumeFile>,
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
  what: string,
): void {
  if (!items || items.length === 0) {
    for (const [key, bytes] of data) files.set(key, { bytes, mode })
    return
  }
  for (const item of items) {
    const bytes = data.get(item.key)
    if (bytes) files.set(item.path, { bytes, mode: item.mode ?? mode })
    else if (!optional) throw new Error(`${what} references non-existent ${what === 'secret' ? 'secret' : 'config'} key: ${item.key}`)
  }
}

function addDownward(files: Map<string, VolumeFile>, pod: Pod, item: DownwardAPIVolumeFile, mode: number, sources: PayloadSources): void {
  const text = item.fieldRef
    ? fieldValue(pod, item.fieldRef, sources.addresses)
    : item.resourceFieldRef
      ? resourceValue(pod, undefined, item.resourceFieldRef, sources.allocatable)
      : ''
  files.set(item.path, { bytes: Buffer.from(text), mode: item.mode ?? mode })
}
