import { defineResource } from '../../resource.ts'
import { ageColumn, labelsText, nameColumn } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { DaemonSet, DaemonSetSpec } from '../../generated/apps-v1.ts'
import { deepEqual } from '../../json.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { intOrPercentFaults, nonNegative, percentAtMost100, workloadSelectorFaults } from '../../validation.ts'
import { longLivedTemplateFaults, selectorImmutable, collisionCountFaults, statusCountFaults, templateWarnings, workloadColumns } from './workload.ts'

export type { DaemonSet }

const isZero = (value: number | string | undefined): boolean => value === 0 || value === '0%' || value === undefined

function strategyFaults(spec: DaemonSetSpec, at: FieldPath): FieldErrorList {
  const strategy = spec.updateStrategy
  if (strategy?.type === 'OnDelete') return []
  if (strategy?.type !== 'RollingUpdate')
    return [
      {
        type: 'FieldValueNotSupported',
        field: at.child('type').toString(),
        message: `Unsupported value: ${JSON.stringify(strategy?.type ?? '')}: supported values: "OnDelete", "RollingUpdate"`,
      },
    ]
  const rolling = strategy.rollingUpdate
  const path = at.child('rollingUpdate')
  if (rolling === undefined) return [required(path, '')]
  const faults: FieldErrorList = []
  const [surge, unavailable] = [isZero(rolling.maxSurge), isZero(rolling.maxUnavailable)]
  if (!unavailable && !surge) faults.push(invalidValue(path.child('maxSurge'), rolling.maxSurge, 'may not be set when maxUnavailable is non-zero'))
  if (unavailable && surge) faults.push(required(path.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'))
  for (const field of ['maxUnavailable', 'maxSurge'] as const)
    faults.push(...intOrPercentFaults(rolling[field], path.child(field)), ...percentAtMost100(rolling[field], path.child(field)))
  return faults
}

/** apps/v1 keeps the template's generation of older API versions in an annotation. */
const generationAnnotation = 'deprecated.daemonset.template.generation'

function countTemplateGeneration(next: DaemonSet, previous: DaemonSet): void {
  const before = Number(previous.metadata.annotations?.[generationAnnotation] ?? '0')
  const changed = !deepEqual(next.spec?.template, previous.spec?.template)
  const annotations = (next.metadata.annotations ??= {})
  annotations[generationAnnotation] = String(changed ? before + 1 : before)
}

export const daemonSets = defineResource<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  scope: 'Namespaced',
  shortNames: ['ds'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Desired', type: 'integer', value: d => d.status?.desiredNumberScheduled ?? 0 },
    { name: 'Current', type: 'integer', value: d => d.status?.currentNumberScheduled ?? 0 },
    { name: 'Ready', type: 'integer', value: d => d.status?.numberReady ?? 0 },
    { name: 'Up-to-date', type: 'integer', value: d => d.status?.updatedNumberScheduled ?? 0 },
    { name: 'Available', type: 'integer', value: d => d.status?.numberAvailable ?? 0 },
    { name: 'Node Selector', type: 'string', value: d => labelsText(d.spec?.template?.spec?.nodeSelector) },
    ageColumn(),
    ...workloadColumns<DaemonSet>(),
  ],
  menu: { area: 'workloads', order: 50 },
  setDefaults(set) {
    const spec = set.spec
    if (spec === undefined) return
    const strategy = (spec.updateStrategy ??= {})
    strategy.type ||= 'RollingUpdate'
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {})
      rolling.maxUnavailable ??= 1
      rolling.maxSurge ??= 0
    }
    spec.revisionHistoryLimit ??= 10
    setPodTemplateDefaults(spec.template)
  },
  prepareForCreate(set) {
    ;(set.metadata.annotations ??= {})[generationAnnotation] = '1'
    set.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }
  },
  prepareForUpdate: countTemplateGeneration,
  validate(set, at) {
    const spec = set.spec ?? ({} as DaemonSetSpec)
    const path = at.child('spec')
    const selectorFaults = spec.selector === undefined ? [] : workloadSelectorFaults(spec.selector, undefined, path, 'daemonset')
    const isBroken = selectorFaults.length > 0
    const faults: FieldErrorList = [
      // The selector is not asked for: that labels do not match it says enough.
      ...selectorFaults,
      ...longLivedTemplateFaults(isBroken ? {} : spec.selector, spec.template, path, 'DaemonSet'),
    ]
    faults.push(
      ...nonNegative(spec.minReadySeconds, path.child('minReadySeconds')),
      ...strategyFaults(spec, path.child('updateStrategy')),
      ...nonNegative(spec.revisionHistoryLimit, path.child('revisionHistoryLimit')),
    )
    return faults
  },
  validateUpdate: selectorImmutable,
  validateStatusUpdate: (next, previous, at) => [
    ...statusCountFaults(next.status as Record<string, unknown> | undefined, [], at.child('status')),
    ...collisionCountFaults(next.status?.collisionCount, previous.status?.collisionCount, at.child('status', 'collisionCount')),
  ],
  warnings: templateWarnings,
})
