/** Keeps a class of volume attributes that is being deleted until neither a claim nor a volume names it. */
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../../api/core/v1/persistent-volume.ts'
import { vacProtectionFinalizer } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts'
import type { VolumeAttributesClass } from '../../api/generated/storage-v1.ts'
import { volumeAttributesClasses } from '../../api/storage/v1/volume-attributes-class.ts'
import { defineController } from '../../controller-runtime/controller.ts'

type User = PersistentVolume | PersistentVolumeClaim

/** The classes that a claim or volume asks for, or (a claim) has or is being moved to. Pure. */
export function classesUsedBy(user: User): string[] {
  const status: PersistentVolumeClaim['status'] = user.kind === 'PersistentVolumeClaim' ? user.status : undefined
  const names = [user.spec?.volumeAttributesClassName, status?.currentVolumeAttributesClassName, status?.modifyVolumeStatus?.targetVolumeAttributesClassName]
  return [...new Set(names.filter(name => name !== undefined && name !== ''))] as string[]
}

const byClass = 'volumeAttributesClass'
const wakes = (user: User, _context: unknown, previous?: User): string[] => [...new Set([user, ...(previous ? [previous] : [])].flatMap(classesUsedBy))]

export const vacProtectionController = defineController<VolumeAttributesClass>({
  name: 'volumeattributesclass-protection-controller',
  for: volumeAttributesClasses,
  watches: [
    { resource: persistentVolumeClaims, keys: wakes },
    { resource: persistentVolumes, keys: wakes },
  ],
  writes: [{ resource: volumeAttributesClasses }],
  indexes: [
    { resource: persistentVolumeClaims, name: byClass, values: classesUsedBy },
    { resource: persistentVolumes, name: byClass, values: classesUsedBy },
  ],
  workers: 1,
  async reconcile({ cache, client }, key) {
    const found = cache.of(volumeAttributesClasses).get(key)
    if (!found) return
    const isUsed = cache.of(persistentVolumeClaims).byIndex(byClass, key).length > 0 || cache.of(persistentVolumes).byIndex(byClass, key).length > 0
    const finalizers = wantedFinalizers(found, isUsed)
    if (finalizers) await client.resource(volumeAttributesClasses).update({ ...found, metadata: { ...found.metadata, finalizers } })
  },
})

/** The finalizers that a class should have; undefined when it has them. Pure. */
export function wantedFinalizers(found: VolumeAttributesClass, isUsed: boolean): string[] | undefined {
  const present = found.metadata.finalizers ?? []
  const isProtected = present.includes(vacProtectionFinalizer)
  if (!found.metadata.deletionTimestamp) return isProtected ? undefined : [...present, vacProtectionFinalizer]
  return isProtected && !isUsed ? present.filter(f => f !== vacProtectionFinalizer) : undefined
}
