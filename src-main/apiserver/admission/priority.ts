/** Resolves a pod's PriorityClass to its number. */
import { forbidden } from '../../api/status-error.ts'
import type { Pod, PodSpec } from '../../api/generated/core-v1.ts'
import type { PriorityClass } from '../../api/generated/scheduling-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const systemClasses = new Set(['system-node-critical', 'system-cluster-critical'])

export function priorityAdmission(copies: LiveCopies): AdmissionPlugin {
  const classes = copies.of<PriorityClass>(places.priorityClasses)
  /** Of several defaults the lowest holds, as upstream. */
  const globalDefault = (): PriorityClass | undefined =>
    classes
      .list()
      .filter(one => one.globalDefault === true)
      .sort((x, y) => (x.value ?? 0) - (y.value ?? 0))[0]

  const resolve = (a: AdmissionAttributes, spec: PodSpec): { value: number; policy: string } => {
    if (!spec.priorityClassName) {
      const standard = globalDefault()
      if (standard) spec.priorityClassName = standard.metadata.name ?? ''
      return { value: standard?.value ?? 0, policy: standard?.preemptionPolicy ?? 'PreemptLowerPriority' }
    }
    const found = classes.get('', spec.priorityClassName)
    if (!found) throw forbidden('', 'pods', a.name, `no PriorityClass with name ${spec.priorityClassName} was found`)
    return { value: found.value ?? 0, policy: found.preemptionPolicy ?? 'PreemptLowerPriority' }
  }

  return {
    name: 'Priority',
    async mutate(a) {
      if (a.resource.group !== '' || a.resource.plural !== 'pods' || a.subresource !== '' || a.object === undefined) return
      const { spec } = a.object as Pod & { spec: PodSpec } // never undefined for CREATE and UPDATE
      if (a.operation === 'UPDATE') {
        const before = (a.previous as Pod | undefined)?.spec
        // What a client leaves out of an update stays as it was resolved.
        if (spec.priority === undefined && before?.priority !== undefined) spec.priority = before.priority
        if (spec.preemptionPolicy === undefined && before?.preemptionPolicy !== undefined) spec.preemptionPolicy = before.preemptionPolicy
        return
      }
      if (a.operation !== 'CREATE') return
      const { value, policy } = resolve(a, spec)
      if (spec.priority !== undefined && spec.priority !== value) {
        throw forbidden(
          '',
          'pods',
          a.name,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        )
      }
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        throw forbidden(
          '',
          'pods',
          a.name,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        )
      }
      spec.priority = value
      spec.preemptionPolicy = policy
    },
    async validate(a) {
      if (a.resource.plural !== 'priorityclasses' || a.resource.group !== 'scheduling.k8s.io') return
      if (a.operation === 'DELETE' && systemClasses.has(a.name))
        throw forbidden('scheduling.k8s.io', 'priorityclasses', a.name, 'this is a system priority class and cannot be deleted')
      if ((a.operation !== 'CREATE' && a.operation !== 'UPDATE') || (a.object as PriorityClass).globalDefault !== true) return
      const other = globalDefault()
      if (other && other.metadata.name !== a.name) {
        throw forbidden('scheduling.k8s.io', 'priorityclasses', a.name, `PriorityClass ${other.metadata.name ?? ''} is already marked as default. Only one default can exist`)
      }
    },
  }
}
