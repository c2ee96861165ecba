/** Volumes with a zone or region label are used in that zone or region. */
import { nodes } from '../../../api/core/v1/node.ts'
import { persistentVolumeClaims } from '../../../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../../../api/core/v1/persistent-volume.ts'
import { definePlugin } from '../../framework.ts'
import { claimsOf } from '../../storage-view.ts'

/** New names and the ones that they replaced: a node may carry either. */
const labels: Readonly<Record<string, string>> = {
  'topology.kubernetes.io/zone': 'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region': 'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
}

interface Wanted {
  readonly key: string
  readonly values: ReadonlySet<string>
}

export const volumeZone = definePlugin<Wanted[]>({
  name: 'VolumeZone',
  prepare(pod, { storage }) {
    if (!storage) return []
    return claimsOf(pod, storage).flatMap(({ claim }) => {
      const volume = claim?.spec?.volumeName ? storage.volume(claim.spec.volumeName) : undefined
      // Several zones are joined by two underscores.
      return Object.entries(volume?.metadata.labels ?? {}).flatMap(([key, value]) => (key in labels ? [{ key, values: new Set(value.split('__')) }] : []))
    })
  },
  skips: (_pod, wanted) => ({ filter: wanted.length === 0 }),
  filter(_pod, { node }, wanted) {
    const own = node.metadata.labels ?? {}
    // A node that names neither zone nor region is not in another one.
    if (!Object.keys(labels).some(key => key in own)) return undefined
    const fits = wanted.every(({ key, values }) => values.has(own[key] ?? own[labels[key] ?? ''] ?? ''))
    return fits ? undefined : { reasons: ['node(s) had no available volume zone'], unresolvable: true }
  },
  wakesOn: [
    { kind: persistentVolumeClaims, on: ['add', 'update'] },
    { kind: persistentVolumes, on: ['add', 'update'] },
    { kind: nodes, on: ['add', 'update'] },
  ],
})
