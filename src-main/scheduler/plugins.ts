/** The ordered list of plugins; the first that refuses a node gives its reasons. To add one: a directory and a line here. */
import type { Plugin } from './framework.ts'
import { imageLocality } from './plugins/image-locality/image-locality.ts'
import { interPodAffinity } from './plugins/inter-pod-affinity/inter-pod-affinity.ts'
import { nodeAffinity } from './plugins/node-affinity/node-affinity.ts'
import { nodeName } from './plugins/node-name/node-name.ts'
import { nodePorts } from './plugins/node-ports/node-ports.ts'
import { nodeResourcesBalancedAllocation } from './plugins/node-resources/balanced-allocation.ts'
import { nodeResourcesFit } from './plugins/node-resources/fit.ts'
import { nodeUnschedulable } from './plugins/node-unschedulable/node-unschedulable.ts'
import { nodeVolumeLimits } from './plugins/node-volume-limits/node-volume-limits.ts'
import { podTopologySpread } from './plugins/pod-topology-spread/pod-topology-spread.ts'
import { schedulingGates } from './plugins/scheduling-gates/scheduling-gates.ts'
import { taintToleration } from './plugins/taint-toleration/taint-toleration.ts'
import { volumeBinding } from './plugins/volume-binding/volume-binding.ts'
import { volumeRestrictions } from './plugins/volume-restrictions/volume-restrictions.ts'
import { volumeZone } from './plugins/volume-zone/volume-zone.ts'

export const defaultPlugins: readonly Plugin[] = [
  schedulingGates,
  nodeName,
  nodeUnschedulable,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
  nodeResourcesBalancedAllocation,
  imageLocality,
]
