/** Taints that a pod does not tolerate keep it away; PreferNoSchedule ones count against a node. */
import { nodes } from '../../../api/core/v1/node.ts'
import { tolerationsTolerate, untoleratedTaint } from '../../../api/core/v1/pod-questions.ts'
import { definePlugin, scaleToHundred } from '../../framework.ts'

export const taintToleration = definePlugin({
  name: 'TaintToleration',
  weight: 3,
  filter: (pod, { node }) =>
    untoleratedTaint(node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute']) ? { reasons: ['node(s) had untolerated taint(s)'], unresolvable: true } : undefined,
  score: (pod, { node }) => (node.spec?.taints ?? []).filter(t => t.effect === 'PreferNoSchedule' && !tolerationsTolerate(pod.spec?.tolerations, t)).length,
  normalize: scores => scaleToHundred(scores, true),
  wakesOn: [{ kind: nodes, on: ['add', 'update'] }],
})
