import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { PriorityClass } from '../../generated/scheduling-v1.ts'

export type { PriorityClass }

/** User-made classes stay at or below this. */
export const highestUserPriority = 1_000_000_000
const systemPriorities: Readonly<Record<string, number>> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 }

function systemFault(priorityClass: PriorityClass): string | undefined {
  const name = priorityClass.metadata.name ?? ''
  const value = Object.hasOwn(systemPriorities, name) ? systemPriorities[name] : undefined
  if (value === undefined) return `${name} is not a known system priority class`
  if (priorityClass.value !== value) return `value of ${name} PriorityClass must be ${value}`
  return priorityClass.globalDefault === true ? `globalDefault of ${name} PriorityClass must be false` : undefined
}

export const priorityClasses = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  scope: 'Cluster',
  shortNames: ['pc'],
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  columns: [
    nameColumn(),
    { name: 'Value', type: 'integer', value: p => p.value ?? 0 },
    { name: 'Global-Default', type: 'boolean', value: p => p.globalDefault ?? false },
    ageColumn(),
    { name: 'PreemptionPolicy', type: 'string', value: p => p.preemptionPolicy ?? '' },
  ],
  menu: { area: 'config', order: 70 },
  // Set once and never counted.
  prepareForCreate(priorityClass) {
    priorityClass.metadata.generation = 1
  },
  setDefaults(priorityClass) {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  validate(priorityClass, at) {
    const faults: FieldErrorList = []
    const name = priorityClass.metadata.name ?? ''
    if (name.startsWith('system-')) {
      const fault = systemFault(priorityClass)
      if (fault !== undefined)
        faults.push(forbiddenField(at.child('metadata', 'name'), `priority class names with 'system-' prefix are reserved for system use only. error: ${fault}`))
    } else if ((priorityClass.value ?? 0) > highestUserPriority)
      faults.push(forbiddenField(at.child('value'), `maximum allowed value of a user defined priority is ${highestUserPriority}`))
    const policy = priorityClass.preemptionPolicy
    if (policy !== undefined && policy !== 'Never' && policy !== 'PreemptLowerPriority')
      faults.push(notSupported(at.child('preemptionPolicy'), policy, ['Never', 'PreemptLowerPriority']))
    return faults
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    if (next.value !== previous.value) faults.push(forbiddenField(at.child('value'), 'may not be changed in an update.'))
    if (next.preemptionPolicy !== previous.preemptionPolicy) faults.push(invalidValue(at.child('preemptionPolicy'), next.preemptionPolicy ?? null, 'field is immutable'))
    return faults
  },
})
