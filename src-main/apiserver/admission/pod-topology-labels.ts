/** PodTopologyLabels: a pod carries zone and region of its node as labels of its own. */
import type { Node, Pod } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const copied = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region']

interface Binding extends KubernetesObject {
  readonly target?: { readonly kind?: string; readonly name?: string }
}

export function podTopologyLabels(copies: LiveCopies): AdmissionPlugin {
  const nodes = copies.of<Node>(places.nodes)
  return {
    name: 'PodTopologyLabels',
    async mutate(a) {
      if (a.resource.group !== '' || a.resource.plural !== 'pods' || a.operation !== 'CREATE' || a.object === undefined) return
      const { target } = a.object as Binding
      const name = a.subresource === 'binding' && target?.kind === 'Node' ? target.name : a.subresource === '' ? (a.object as Pod).spec?.nodeName : undefined
      const labels = name ? nodes.get('', name)?.metadata.labels : undefined
      const found = copied.flatMap(key => (labels?.[key] === undefined ? [] : [[key, labels[key]] as const]))
      if (found.length > 0) a.object.metadata.labels = { ...a.object.metadata.labels, ...Object.fromEntries(found) }
    },
  }
}
