/** Prefers nodes that hold the pod's images already, the larger the better, less so when few nodes do. */
import type { Pod } from '../../../api/generated/core-v1.ts'
import { definePlugin } from '../../framework.ts'
import type { Snapshot } from '../../framework.ts'

const mb = 1024 * 1024
const minBytes = 23 * mb
const maxBytesPerContainer = 1000 * mb

export const imageLocality = definePlugin<Map<string, number>>({
  name: 'ImageLocality',
  weight: 1,
  prepare: (pod, snapshot) => spread(pod, snapshot),
  // An image that no node holds draws to none.
  skips: (_pod, shares) => ({ score: [...shares.values()].every(share => share === 0) }),
  score: (pod, { node }, state) => {
    const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
    let bytes = 0
    for (const container of containers) {
      const name = normalized(container.image ?? '')
      const image = (node.status?.images ?? []).find(i => i.names?.includes(name) || i.names?.includes(container.image ?? ''))
      if (image) bytes += (image.sizeBytes ?? 0) * (state.get(name) ?? 0)
    }
    const max = maxBytesPerContainer * containers.length
    return Math.floor((100 * (Math.min(Math.max(bytes, minBytes), max) - minBytes)) / (max - minBytes))
  },
})

/** Share of the nodes that hold each image of the pod. */
function spread(pod: Pod, snapshot: Snapshot): Map<string, number> {
  const shares = new Map<string, number>()
  for (const container of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const name = normalized(container.image ?? '')
    const holders = Math.max(snapshot.imageHolders(name), snapshot.imageHolders(container.image ?? ''))
    shares.set(name, holders / Math.max(1, snapshot.nodes.length))
  }
  return shares
}

function normalized(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image
}
