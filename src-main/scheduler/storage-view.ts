/** What plugins see of claims, volumes and their drivers. */
import { persistentVolumeClaims } from '../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../api/core/v1/persistent-volume.ts'
import { claimNameOf } from '../api/core/v1/volume-claims.ts'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../api/generated/core-v1.ts'
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass } from '../api/generated/storage-v1.ts'
import { csiDrivers } from '../api/storage/v1/csi-driver.ts'
import { csiNodes } from '../api/storage/v1/csi-node.ts'
import { csiStorageCapacities } from '../api/storage/v1/csi-storage-capacity.ts'
import { storageClasses } from '../api/storage/v1/storage-class.ts'
import type { SharedInformerFactory } from '../client/informers.ts'

export interface StorageView {
  /** By `namespace/name`. */
  claim(key: string): PersistentVolumeClaim | undefined
  volume(name: string): PersistentVolume | undefined
  volumes(): readonly PersistentVolume[]
  /** Volumes that are being bound for other pods. */
  readonly reserved: ReadonlySet<string>
  storageClass(name: string): StorageClass | undefined
  csiNode(name: string): CSINode | undefined
  csiDriver(name: string): CSIDriver | undefined
  capacities(): readonly CSIStorageCapacity[]
}

/** Kinds that the view reads. */
export const storageKinds = [persistentVolumeClaims, persistentVolumes, storageClasses, csiNodes, csiDrivers, csiStorageCapacities] as const

export function storageViewOf(informers: SharedInformerFactory, reserved: ReadonlySet<string>): StorageView {
  return {
    claim: key => informers.informer(persistentVolumeClaims).get(key),
    volume: name => informers.informer(persistentVolumes).get(name),
    volumes: () => informers.informer(persistentVolumes).list(),
    reserved,
    storageClass: name => informers.informer(storageClasses).get(name),
    csiNode: name => informers.informer(csiNodes).get(name),
    csiDriver: name => informers.informer(csiDrivers).get(name),
    capacities: () => informers.informer(csiStorageCapacities).list(),
  }
}

/** The claims that a pod uses, in the order of its volumes; missing ones as undefined. */
export function claimsOf(pod: Pod, view: StorageView): { readonly name: string; readonly ephemeral: boolean; readonly claim: PersistentVolumeClaim | undefined }[] {
  return (pod.spec?.volumes ?? []).flatMap(volume => {
    const name = claimNameOf(pod, volume)
    if (name === undefined) return []
    return [{ name, ephemeral: volume.ephemeral !== undefined, claim: view.claim(`${pod.metadata.namespace ?? ''}/${name}`) }]
  })
}
