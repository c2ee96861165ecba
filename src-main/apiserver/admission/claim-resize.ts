/** PersistentVolumeClaimResize: only bound claims grow, and only of classes that say so. */
import { forbidden } from '../../api/status-error.ts'
import type { PersistentVolumeClaim } from '../../api/generated/core-v1.ts'
import type { StorageClass } from '../../api/generated/storage-v1.ts'
import { compareQuantity, tryParseQuantity, zeroQuantity, type Quantity } from '../../api/quantity.ts'
import type { AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const sizeOf = (claim: PersistentVolumeClaim): Quantity => tryParseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0') ?? zeroQuantity

const classOf = (claim: PersistentVolumeClaim): string => claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName ?? ''

export function persistentVolumeClaimResize(copies: LiveCopies): AdmissionPlugin {
  const classes = copies.of<StorageClass>(places.storageClasses)
  return {
    name: 'PersistentVolumeClaimResize',
    async validate(a) {
      if (a.resource.group !== '' || a.resource.plural !== 'persistentvolumeclaims' || a.subresource !== '' || a.operation !== 'UPDATE') return
      const [claim, previous] = [a.object as PersistentVolumeClaim, a.previous as PersistentVolumeClaim]
      if (compareQuantity(sizeOf(claim), sizeOf(previous)) <= 0) return
      const refused = (message: string): Error => forbidden('', a.resource.plural, a.name, message)
      if (previous.status?.phase !== 'Bound') throw refused('Only bound persistent volume claims can be expanded')
      const name = classOf(claim)
      const expandable = name === classOf(previous) && classes.list().some(one => one.metadata.name === name && one.allowVolumeExpansion === true)
      if (!expandable) throw refused('only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize')
    },
  }
}
