/** A driver attaches no more volumes to a node than the node's CSINode says. */
import { persistentVolumeClaims } from '../../../api/core/v1/persistent-volume-claim.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { claimNameOf, classOfClaim } from '../../../api/core/v1/volume-claims.ts'
import type { Pod } from '../../../api/generated/core-v1.ts'
import { csiNodes } from '../../../api/storage/v1/csi-node.ts'
import { definePlugin } from '../../framework.ts'
import type { StorageView } from '../../storage-view.ts'

/** Volumes of drivers that a pod needs: id → driver. The same volume of two pods is attached once. */
function attachedBy(pod: Pod, view: StorageView): Map<string, string> {
  const found = new Map<string, string>()
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.csi) {
      found.set(`${volume.csi.driver}/inline/${pod.metadata.uid ?? ''}/${volume.name}`, volume.csi.driver)
      continue
    }
    const name = claimNameOf(pod, volume)
    const claim = name === undefined ? undefined : view.claim(`${pod.metadata.namespace ?? ''}/${name}`)
    if (!claim) continue
    const bound = claim.spec?.volumeName ? view.volume(claim.spec.volumeName) : undefined
    if (bound?.spec?.csi) found.set(`${bound.spec.csi.driver}/${bound.spec.csi.volumeHandle}`, bound.spec.csi.driver)
    else if (!bound) {
      // Not made yet: counted for the driver that will make it.
      const driver = view.storageClass(classOfClaim(claim))?.provisioner
      if (driver) found.set(`${driver}/claim/${claim.metadata.uid ?? ''}`, driver)
    }
  }
  return found
}

interface State {
  readonly view: StorageView
  readonly wanted: ReadonlyMap<string, string>
}

export const nodeVolumeLimits = definePlugin<State | undefined>({
  name: 'NodeVolumeLimits',
  prepare(pod, { storage }) {
    if (!storage) return undefined
    const wanted = attachedBy(pod, storage)
    return wanted.size > 0 ? { view: storage, wanted } : undefined
  },
  skips: (_pod, state) => ({ filter: state === undefined }),
  filter(_pod, node, state) {
    if (!state) return undefined
    const { view, wanted } = state
    const limits = new Map((view.csiNode(node.name)?.spec.drivers ?? []).flatMap(d => (d.allocatable?.count === undefined ? [] : [[d.name, d.allocatable.count] as const])))
    if (![...wanted.values()].some(driver => limits.has(driver))) return undefined
    const present = new Map(node.pods.flatMap(other => [...attachedBy(other, view)]))
    const count = (of: ReadonlyMap<string, string>, driver: string, but?: ReadonlyMap<string, string>): number => [...of].filter(([id, d]) => d === driver && !but?.has(id)).length
    for (const [driver, limit] of limits) {
      const more = count(wanted, driver, present)
      if (more > 0 && count(present, driver) + more > limit) return { reasons: ['node(s) exceed max volume count'] }
    }
    return undefined
  },
  wakesOn: [
    { kind: csiNodes, on: ['add', 'update'] },
    { kind: pods, on: ['delete'] },
    { kind: persistentVolumeClaims, on: ['add', 'update'] },
  ],
})
