/** Index of pods by the node they are bound to, shared by all who ask. */
import { pods } from '../api/core/v1/pod.ts'
import type { Pod } from '../api/generated/core-v1.ts'

export const podsOfNodeIndex = 'node'
export const podsOfNode = { resource: pods, name: podsOfNodeIndex, values: (pod: Pod): readonly string[] => (pod.spec?.nodeName ? [pod.spec.nodeName] : []) }
