/** Small rules about taints: five minutes of patience for broken nodes, and new nodes begin as not ready. */
import type { Node, Pod, PodSpec, Toleration } from '../../api/generated/core-v1.ts'
import type { AdmissionPlugin } from '../contracts.ts'

const patienceSeconds = 300
const defaults = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  async mutate(a) {
    if (a.resource.group !== '' || a.resource.plural !== 'pods' || a.subresource !== '' || (a.operation !== 'CREATE' && a.operation !== 'UPDATE')) return
    const { spec } = a.object as Pod & { spec: PodSpec }
    const present: Toleration[] = spec.tolerations ?? []
    for (const key of defaults) {
      if (present.some(one => (one.key === key || !one.key) && (one.effect === 'NoExecute' || !one.effect))) continue
      spec.tolerations = [...(spec.tolerations ?? []), { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: patienceSeconds }]
    }
  },
}

export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  async mutate(a) {
    if (a.resource.group !== '' || a.resource.plural !== 'nodes' || a.subresource !== '' || a.operation !== 'CREATE') return
    const node = a.object as Node
    const key = 'node.kubernetes.io/not-ready'
    const taints = node.spec?.taints ?? []
    if (taints.some(taint => taint.key === key && taint.effect === 'NoSchedule')) return
    node.spec = { ...node.spec, taints: [...taints, { key, effect: 'NoSchedule' }] }
  },
}
