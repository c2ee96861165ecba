/** Disks that only one pod may write are not given to a second one, and a ReadWriteOncePod claim serves one pod in the whole cluster. */
import { pods } from '../../../api/core/v1/pod.ts'
import { persistentVolumeClaims } from '../../../api/core/v1/persistent-volume-claim.ts'
import { claimNamesOf } from '../../../api/core/v1/volume-claims.ts'
import type { Pod, Volume } from '../../../api/generated/core-v1.ts'
import { definePlugin } from '../../framework.ts'
import { claimsOf } from '../../storage-view.ts'

interface State {
  readonly disks: readonly Volume[]
  /** Some other pod uses a claim that is for one pod alone. */
  readonly taken: ReadonlySet<string>
}

const isDisk = (volume: Volume): boolean => Boolean(volume.gcePersistentDisk ?? volume.awsElasticBlockStore ?? volume.rbd ?? volume.iscsi)
const bothRead = (a: { readOnly?: boolean }, b: { readOnly?: boolean }): boolean => a.readOnly === true && b.readOnly === true

function conflicts(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk && b.gcePersistentDisk) return a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName && !bothRead(a.gcePersistentDisk, b.gcePersistentDisk)
  if (a.awsElasticBlockStore && b.awsElasticBlockStore) return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID
  if (a.iscsi && b.iscsi) return a.iscsi.iqn === b.iscsi.iqn && !bothRead(a.iscsi, b.iscsi)
  if (!a.rbd || !b.rbd) return false
  const [one, two] = [a.rbd, b.rbd]
  return one.monitors.some(m => two.monitors.includes(m)) && one.pool === two.pool && one.image === two.image && !bothRead(one, two)
}

export const volumeRestrictions = definePlugin<State>({
  name: 'VolumeRestrictions',
  prepare(pod, { storage, nodes }) {
    const disks = (pod.spec?.volumes ?? []).filter(isDisk)
    const alone = storage ? claimsOf(pod, storage).filter(({ claim, ephemeral }) => !ephemeral && claim?.spec?.accessModes?.includes('ReadWriteOncePod')) : []
    const taken = new Set<string>()
    if (alone.length > 0) {
      const users = nodes.flatMap(info => info.pods).filter(other => other.metadata.namespace === pod.metadata.namespace && other.metadata.uid !== pod.metadata.uid)
      for (const { name } of alone) if (users.some(other => claimNamesOf(other).includes(name))) taken.add(name)
    }
    return { disks, taken }
  },
  skips: (_pod, { disks, taken }) => ({ filter: disks.length === 0 && taken.size === 0 }),
  filter(_pod, node, { disks, taken }) {
    const used = (other: Pod): readonly Volume[] => other.spec?.volumes ?? []
    if (disks.some(disk => node.pods.some(other => used(other).some(volume => conflicts(disk, volume))))) return { reasons: ['node(s) had no available disk'] }
    if (taken.size > 0) return { reasons: ['node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod'] }
    return undefined
  },
  wakesOn: [
    { kind: pods, on: ['delete'] },
    { kind: persistentVolumeClaims, on: ['add', 'update'] },
  ],
})
