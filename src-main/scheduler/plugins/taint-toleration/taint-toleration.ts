/** Taints that a pod does not tolerate keep it away; PreferNoSchedule ones count against a node. */
import { nodes } from '../../../api/core/v1/node.ts'
import { tolerationsTolerate, untoleratedTaint } from '../../../api/core/v1/pod-questions.ts'
import type { Taint } from '../../../api/generated/core-v1.ts'
import { definePlugin, scaleToHundred } from '../../framework.ts'

const none: readonly Taint[] = []

export const taintToleration = definePlugin({
  name: 'TaintToleration',
  weight: 3,
  filter: (pod, { node }) =>
    node.spec?.taints && untoleratedTaint(node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute'])
      ? { reasons: ['node(s) had untolerated taint(s)'], unresolvable: true }
      : undefined,
  score: (pod, { node }) => (node.spec?.taints ?? none).filter(t => t.effect === 'PreferNoSchedule' && !tolerationsTolerate(pod.spec?.tolerations, t)).length,
  normalize: scores => scaleToHundred(scores, true),
  wakesOn: [{ kind: nodes, on: ['add', 'update'] }],
})
