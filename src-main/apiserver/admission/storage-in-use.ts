/** StorageObjectInUseProtection: volumes, claims and their classes wait, when deleted, until nobody uses them. Controllers take the finalizers away. */
import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/core/v1/volume-claims.ts'
import type { AdmissionPlugin } from '../contracts.ts'

const finalizers: ReadonlyMap<string, string> = new Map([
  ['/persistentvolumes', pvProtectionFinalizer],
  ['/persistentvolumeclaims', pvcProtectionFinalizer],
  ['storage.k8s.io/volumeattributesclasses', vacProtectionFinalizer],
])

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  async mutate(a) {
    if (a.operation !== 'CREATE' || a.subresource !== '') return
    const finalizer = finalizers.get(`${a.resource.group}/${a.resource.plural}`)
    const { metadata } = a.object ?? {}
    if (finalizer === undefined || metadata === undefined || metadata.finalizers?.includes(finalizer)) return
    metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]
  },
}
