import { defineResource } from '../../resource.ts'
import { ageColumn, containerColumns, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { StatefulSet, StatefulSetSpec } from '../../generated/apps-v1.ts'
import { claimSpecFaults } from '../../core/v1/claim-validation.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { isDns1123Label } from '../../names.ts'
import { deepEqual } from '../../json.ts'
import { immutable, nameFaults, nonNegative, oneOf } from '../../validation.ts'
import { selectorAndTemplateFaults, collisionCountFaults, statusCountFaults, templateWarnings } from './workload.ts'

export type { StatefulSet }

const updateText =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
const mutable = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'] as const

function setDefaults(set: StatefulSet): void {
  const spec = set.spec
  if (spec === undefined) return
  spec.podManagementPolicy ||= 'OrderedReady'
  const strategy = (spec.updateStrategy ??= {})
  strategy.type ||= 'RollingUpdate'
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {})
    rolling.partition ??= 0
    rolling.maxUnavailable ??= 1
  }
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {})
  retention.whenDeleted ||= 'Retain'
  retention.whenScaled ||= 'Retain'
  spec.replicas ??= 1
  spec.revisionHistoryLimit ??= 10
  setPodTemplateDefaults(spec.template)
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= 'v1'
    claim.kind ??= 'PersistentVolumeClaim'
    claim.metadata ??= {}
    ;(claim.spec ??= {}).volumeMode ??= 'Filesystem'
    ;(claim.status ??= {}).phase ??= 'Pending'
  }
}

/** Each claim becomes a volume of the pods, named after it. */
function claimVolumesFaults(spec: Partial<StatefulSetSpec>, path: FieldPath): FieldErrorList {
  const first = spec.template?.spec?.volumes?.length ?? 0
  return (spec.volumeClaimTemplates ?? []).flatMap((claim, i) =>
    claim.metadata?.name ? [] : [required(path.index(first + i).child('persistentVolumeClaim', 'claimName'), ''), required(path.index(first + i).child('name'), '')],
  )
}

export const statefulSets = defineResource<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  scope: 'Namespaced',
  shortNames: ['sts'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [
    nameColumn(),
    { name: 'Ready', type: 'string', value: s => `${s.status?.readyReplicas ?? 0}/${s.spec?.replicas ?? 0}` },
    ageColumn(),
    ...containerColumns<StatefulSet>(s => s.spec?.template?.spec),
  ],
  menu: { area: 'workloads', order: 40 },
  validateName: isDns1123Label,
  setDefaults,
  prepareForCreate(set) {
    set.status = { replicas: 0, availableReplicas: 0 }
  },
  validate(set, at) {
    const spec = set.spec ?? ({} as StatefulSetSpec)
    const path = at.child('spec')
    const faults: FieldErrorList = []
    if (spec.podManagementPolicy !== 'OrderedReady' && spec.podManagementPolicy !== 'Parallel')
      faults.push(
        spec.podManagementPolicy
          ? invalidValue(path.child('podManagementPolicy'), spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'")
          : required(path.child('podManagementPolicy'), ''),
      )
    const strategy = spec.updateStrategy
    if (strategy?.type === 'OnDelete') {
      if (strategy.rollingUpdate !== undefined)
        faults.push(invalidValue(path.child('updateStrategy', 'rollingUpdate'), strategy.rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"))
    } else if (strategy?.type === 'RollingUpdate') faults.push(...nonNegative(strategy.rollingUpdate?.partition, path.child('updateStrategy', 'rollingUpdate', 'partition')))
    else if (!strategy?.type) faults.push(required(path.child('updateStrategy'), ''))
    else faults.push(invalidValue(path.child('updateStrategy'), { Type: strategy.type, RollingUpdate: null }, "must be 'RollingUpdate' or 'OnDelete'"))
    for (const field of ['whenDeleted', 'whenScaled'] as const)
      faults.push(...oneOf(spec.persistentVolumeClaimRetentionPolicy?.[field], ['Delete', 'Retain'], path.child('persistentVolumeClaimRetentionPolicy', field)))
    faults.push(
      ...nonNegative(spec.replicas, path.child('replicas')),
      ...nonNegative(spec.minReadySeconds, path.child('minReadySeconds')),
      ...nonNegative(spec.ordinals?.start, path.child('ordinals', 'start')),
    )
    if (spec.serviceName) faults.push(...nameFaults(spec.serviceName, path.child('serviceName'), isDns1123Label))
    for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries()) faults.push(...claimSpecFaults(claim.spec, path.child('volumeClaimTemplates').index(i).child('spec')))
    return [
      ...faults,
      ...selectorAndTemplateFaults(spec.selector, spec.template, path, { empty: 'statefulset', template: 'StatefulSet' }),
      ...claimVolumesFaults(spec, path.child('template', 'spec', 'volumes')),
    ]
  },
  validateUpdate(next, previous, at) {
    const faults: FieldErrorList = []
    for (const field of ['serviceName', 'podManagementPolicy', 'selector', 'volumeClaimTemplates'] as const)
      faults.push(...immutable(next.spec?.[field], previous.spec?.[field], at.child('spec', field)))
    const known = { ...Object.fromEntries(mutable.map(field => [field, null])), serviceName: null, podManagementPolicy: null, selector: null, volumeClaimTemplates: null }
    const strip = (spec: StatefulSetSpec | undefined): unknown => ({ ...spec, ...known })
    if (!deepEqual(strip(next.spec), strip(previous.spec))) faults.push(forbiddenField(at.child('spec'), updateText))
    return faults
  },
  validateStatusUpdate: (next, previous, at) => [
    ...statusCountFaults(
      next.status as Record<string, unknown> | undefined,
      [
        ['readyReplicas', 'replicas'],
        ['currentReplicas', 'replicas'],
        ['updatedReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
        ['availableReplicas', 'readyReplicas'],
      ],
      at.child('status'),
    ),
    // Unlike deployments, a count that was set may not be left out either.
    ...collisionCountFaults(next.status?.collisionCount ?? -1, previous.status?.collisionCount, at.child('status', 'collisionCount')),
  ],
  warnings: templateWarnings,
})
