/** nodeSelector and node affinity: required terms filter, preferred ones score. */
import { nodes } from '../../../api/core/v1/node.ts'
import { definePlugin, scaleToHundred } from '../../framework.ts'
import { nodeTermMatches, podAllowsNode } from '../../../api/core/v1/node-selector.ts'

export const nodeAffinity = definePlugin({
  name: 'NodeAffinity',
  weight: 2,
  skips: pod => {
    const affinity = pod.spec?.affinity?.nodeAffinity
    return {
      filter: !affinity?.requiredDuringSchedulingIgnoredDuringExecution && Object.keys(pod.spec?.nodeSelector ?? {}).length === 0,
      score: (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).length === 0,
    }
  },
  filter: (pod, { node }) => (podAllowsNode(pod, node) ? undefined : { reasons: ["node(s) didn't match Pod's node affinity/selector"], unresolvable: true }),
  score: (pod, { node }) =>
    (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).reduce(
      (sum, term) => sum + (term.weight !== 0 && nodeTermMatches(term.preference, node) ? term.weight : 0),
      0,
    ),
  normalize: scores => scaleToHundred(scores),
  wakesOn: [{ kind: nodes, on: ['add', 'update'] }],
})
