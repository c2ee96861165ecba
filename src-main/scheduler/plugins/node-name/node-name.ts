/** spec.nodeName, where the pod names its node itself. */
import { nodes } from '../../../api/core/v1/node.ts'
import { definePlugin } from '../../framework.ts'

export const nodeName = definePlugin({
  name: 'NodeName',
  skips: pod => ({ filter: !pod.spec?.nodeName }),
  filter: (pod, node) => (pod.spec?.nodeName && pod.spec.nodeName !== node.name ? { reasons: ["node(s) didn't match the requested node name"], unresolvable: true } : undefined),
  wakesOn: [{ kind: nodes, on: ['add'] }],
})
