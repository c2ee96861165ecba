/**
 * Notices bound claims that ask for more than they have. None of the drivers that this cluster knows grows volumes by
 * itself, so it says that an external resizer has to; the sizes that one writes are taken over by whoever reads them.
 */
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../../api/core/v1/persistent-volume.ts'
import { quantityIn } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts'
import { compareQuantity } from '../../api/quantity.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import { typed } from '../../controller-runtime/ownership.ts'

/** Left on a volume by a resizer that has work for the node to do. */
const preResizeAnnotation = 'volume.alpha.kubernetes.io/pre-resize-capacity'

export const volumeExpandController = defineController<PersistentVolumeClaim>({
  name: 'expand-controller',
  for: persistentVolumeClaims,
  reads: [persistentVolumes],
  writes: [],
  workers: 1,
  async reconcile({ cache, events }, key) {
    const claim = cache.of(persistentVolumeClaims).get(key)
    const volume = claim?.spec?.volumeName ? cache.of(persistentVolumes).get(claim.spec.volumeName) : undefined
    if (claim && volume && needsExpansion(claim, volume))
      events.event(typed(persistentVolumeClaims, claim), 'Normal', 'ExternalExpanding', 'waiting for an external controller to expand this PVC')
  },
})

/** Pure. */
export function needsExpansion(claim: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  if (claim.status?.phase !== 'Bound' || volume.spec?.claimRef?.uid !== claim.metadata.uid) return false
  const asksForMore = compareQuantity(quantityIn(claim.spec?.resources?.requests), quantityIn(claim.status.capacity)) > 0
  return asksForMore || volume.metadata.annotations?.[preResizeAnnotation] !== undefined
}
