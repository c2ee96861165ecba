/** Keeps a volume that is being deleted until no claim is bound to it. */
import { persistentVolumes } from '../../api/core/v1/persistent-volume.ts'
import { pvProtectionFinalizer } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolume } from '../../api/generated/core-v1.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const pvProtectionController = defineController<PersistentVolume>({
  name: 'pv-protection-controller',
  for: persistentVolumes,
  writes: [{ resource: persistentVolumes }],
  workers: 1,
  async reconcile({ cache, client }, key) {
    const volume = cache.of(persistentVolumes).get(key)
    const finalizers = volume && wantedFinalizers(volume)
    if (finalizers) await client.resource(persistentVolumes).update({ ...volume, metadata: { ...volume.metadata, finalizers } })
  },
})

/** The finalizers that a volume should have; undefined when it has them. Pure. */
export function wantedFinalizers(volume: PersistentVolume): string[] | undefined {
  const present = volume.metadata.finalizers ?? []
  const isProtected = present.includes(pvProtectionFinalizer)
  if (!volume.metadata.deletionTimestamp) return isProtected ? undefined : [...present, pvProtectionFinalizer]
  return isProtected && volume.status?.phase !== 'Bound' ? present.filter(f => f !== pvProtectionFinalizer) : undefined
}
