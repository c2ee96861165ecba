/** Cordoned nodes take no pods that do not tolerate it. */
import { nodes } from '../../../api/core/v1/node.ts'
import { tolerationsTolerate } from '../../../api/core/v1/pod-questions.ts'
import { definePlugin } from '../../framework.ts'

export const nodeUnschedulable = definePlugin({
  name: 'NodeUnschedulable',
  filter: (pod, { node }) => {
    if (!node.spec?.unschedulable) return undefined
    const tolerated = tolerationsTolerate(pod.spec?.tolerations, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' })
    return tolerated ? undefined : { reasons: ['node(s) were unschedulable'], unresolvable: true }
  },
  wakesOn: [{ kind: nodes, on: ['add', 'update'] }],
})
