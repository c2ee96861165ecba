/** A pod with scheduling gates waits until they are removed. */
import { pods } from '../../../api/core/v1/pod.ts'
import { definePlugin } from '../../framework.ts'

export const schedulingGates = definePlugin({
  name: 'SchedulingGates',
  gate: pod => {
    const gates = (pod.spec?.schedulingGates ?? []).map(g => g.name)
    return gates.length > 0 ? `waiting for scheduling gates: [${gates.join(' ')}]` : undefined
  },
  wakesOn: [{ kind: pods, on: ['update'] }],
})
