/** A pod's RuntimeClass must exist; its overhead and scheduling rules are put into the pod. */
import { deepEqual } from '../../api/json.ts'
import { forbidden } from '../../api/status-error.ts'
import type { Pod, PodSpec } from '../../api/generated/core-v1.ts'
import type { RuntimeClass } from '../../api/generated/node-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

export function runtimeClassAdmission(copies: LiveCopies): AdmissionPlugin {
  const classes = copies.of<RuntimeClass>(places.runtimeClasses)
  const classOf = (a: AdmissionAttributes, spec: PodSpec): RuntimeClass | undefined => {
    if (!spec.runtimeClassName) return undefined
    const found = classes.get('', spec.runtimeClassName)
    if (!found) throw forbidden('', 'pods', a.name, `pod rejected: RuntimeClass ${JSON.stringify(spec.runtimeClassName)} not found`)
    return found
  }
  const isPodCreate = (a: AdmissionAttributes): boolean => a.resource.group === '' && a.resource.plural === 'pods' && a.subresource === '' && a.operation === 'CREATE'
  return {
    name: 'RuntimeClass',
    async mutate(a) {
      if (!isPodCreate(a)) return
      const { spec } = a.object as Pod & { spec: PodSpec }
      const found = classOf(a, spec)
      if (!found) return
      const overhead = found.overhead?.podFixed
      if (overhead) {
        if (spec.overhead !== undefined && !deepEqual(spec.overhead, overhead))
          throw forbidden('', 'pods', a.name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec.overhead = { ...overhead }
      }
      for (const [key, value] of Object.entries(found.scheduling?.nodeSelector ?? {})) {
        const own = spec.nodeSelector?.[key]
        if (own !== undefined && own !== value)
          throw forbidden('', 'pods', a.name, `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`)
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value }
      }
      const extra = (found.scheduling?.tolerations ?? []).filter(one => !(spec.tolerations ?? []).some(own => deepEqual(own, one)))
      if (extra.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...structuredClone(extra)]
    },
    async validate(a) {
      if (!isPodCreate(a)) return
      const { spec } = a.object as Pod & { spec: PodSpec }
      const overhead = classOf(a, spec)?.overhead?.podFixed
      if (spec.overhead !== undefined && Object.keys(spec.overhead).length > 0 && !overhead)
        throw forbidden('', 'pods', a.name, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead')
    },
  }
}
