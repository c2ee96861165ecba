/** The pod's claims are bound to volumes that the node reaches, or can be. What is bound or provisioned for it is written by `volume-binder.ts`. */
import { nodes } from '../../../api/core/v1/node.ts'
import { persistentVolumeClaims } from '../../../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../../../api/core/v1/persistent-volume.ts'
import { csiDrivers } from '../../../api/storage/v1/csi-driver.ts'
import { csiStorageCapacities } from '../../../api/storage/v1/csi-storage-capacity.ts'
import { storageClasses } from '../../../api/storage/v1/storage-class.ts'
import { definePlugin } from '../../framework.ts'
import type { StorageView } from '../../storage-view.ts'
import { findVolumes, sortClaims } from './find-volumes.ts'
import type { PodClaims } from './find-volumes.ts'

interface State {
  readonly view: StorageView
  readonly claims: PodClaims
}

export const volumeBinding = definePlugin<State | undefined>({
  name: 'VolumeBinding',
  prepare: (pod, { storage }) =>
    storage && pod.spec?.volumes?.some(v => v.persistentVolumeClaim ?? v.ephemeral) ? { view: storage, claims: sortClaims(pod, storage) } : undefined,
  skips: (_pod, state) => ({ filter: state === undefined }),
  refuse: (_pod, state) => (state?.claims.refusal === undefined ? undefined : { reasons: [state.claims.refusal], unresolvable: true }),
  filter(_pod, { node }, state) {
    if (!state) return undefined
    const found = findVolumes(state.claims, node, state.view)
    return 'refusals' in found ? { reasons: found.refusals, unresolvable: true } : undefined
  },
  wakesOn: [
    { kind: storageClasses, on: ['add', 'update'] },
    { kind: persistentVolumeClaims, on: ['add', 'update'] },
    { kind: persistentVolumes, on: ['add', 'update'] },
    { kind: nodes, on: ['add', 'update'] },
    { kind: csiDrivers, on: ['update'] },
    { kind: csiStorageCapacities, on: ['add', 'update'] },
  ],
})
