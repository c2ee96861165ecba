import { fraction } from '../balance.ts'
import { defineWarning, percent, plural } from '../warning.ts'

const warnAt = 0.85
const criticalAt = 0.95

/** Addresses of a node's pod range that pods can have: without network, broadcast and the bridge's own. */
export function addressesOf(podCIDR: string | undefined): number | undefined {
  const bits = Number(podCIDR?.split('/')[1])
  return podCIDR !== undefined && !podCIDR.includes(':') && Number.isInteger(bits) && bits >= 8 && bits <= 30 ? 2 ** (32 - bits) - 3 : undefined
}

/** C11: pods ÷ allocatable pods, and pods with an own address ÷ addresses of the node's range. */
export const podsAndAddresses = defineWarning({
  id: 'C11',
  find({ load }) {
    return load.flatMap(({ node, pods, usage }) => {
      const podPart = fraction(pods.length, usage.allocatable.pods)
      const addresses = addressesOf(node.spec?.podCIDR)
      const withAddress = pods.filter(p => p.spec?.hostNetwork !== true).length
      const addressPart = addresses === undefined ? 0 : fraction(withAddress, addresses)
      const worst = Math.max(podPart, addressPart)
      if (worst < warnAt) return []
      const ofPods = podPart >= addressPart
      return [
        {
          severity: worst >= criticalAt ? ('critical' as const) : ('warning' as const),
          title: ofPods ? `Node ${usage.name} has nearly all the pods it may run` : `Node ${usage.name} is running out of pod addresses`,
          message: ofPods
            ? `${plural(pods.length, 'pod')} of ${usage.allocatable.pods} (${percent(podPart)}).`
            : `${withAddress} of ${addresses ?? 0} addresses of ${node.spec?.podCIDR ?? ''} are taken (${percent(addressPart)}).`,
          advice: ofPods ? 'Add a node: this one takes no more pods when the limit is reached.' : 'Add a node: each brings a range of its own.',
          subjects: [{ kind: 'Node', name: usage.name }],
        },
      ]
    })
  },
})
