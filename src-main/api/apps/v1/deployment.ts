import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue, required, notSupported } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Deployment, DeploymentSpec } from '../../generated/apps-v1.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { intOrPercentFaults, nonNegative, percentAtMost100 } from '../../validation.ts'
import { selectorAndTemplateFaults, selectorImmutable, collisionCountFaults, statusCountFaults, templateWarnings, workloadColumns } from './workload.ts'

export type { Deployment }

const progressDeadlineText = 'must be greater than minReadySeconds'
export const revisionAnnotation = 'deployment.kubernetes.io/revision'

function setDefaults(deployment: Deployment): void {
  const spec = deployment.spec
  if (spec === undefined) return
  spec.replicas ??= 1
  const strategy = (spec.strategy ??= {})
  strategy.type ||= 'RollingUpdate'
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {})
    rolling.maxUnavailable ??= '25%'
    rolling.maxSurge ??= '25%'
  }
  spec.revisionHistoryLimit ??= 10
  spec.progressDeadlineSeconds ??= 600
  setPodTemplateDefaults(spec.template)
}

const isZero = (value: number | string | undefined): boolean => value === 0 || value === '0%' || value === undefined

function strategyFaults(spec: DeploymentSpec, at: FieldPath): FieldErrorList {
  const { type, rollingUpdate } = spec.strategy ?? {}
  const path = at.child('rollingUpdate')
  if (type === 'Recreate') return rollingUpdate === undefined ? [] : [forbiddenField(path, "may not be specified when strategy `type` is 'Recreate'")]
  if (type !== 'RollingUpdate') return [notSupported(at.child('type'), type ?? '', ['Recreate', 'RollingUpdate'])]
  if (rollingUpdate === undefined) return [required(path, 'this should be defaulted and never be nil')]
  const faults: FieldErrorList = [
    ...intOrPercentFaults(rollingUpdate.maxUnavailable, path.child('maxUnavailable')),
    ...intOrPercentFaults(rollingUpdate.maxSurge, path.child('maxSurge')),
  ]
  if (isZero(rollingUpdate.maxUnavailable) && isZero(rollingUpdate.maxSurge))
    faults.push(invalidValue(path.child('maxUnavailable'), rollingUpdate.maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'))
  return [...faults, ...percentAtMost100(rollingUpdate.maxUnavailable, path.child('maxUnavailable'))]
}

export const deployments = defineResource<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  scope: 'Namespaced',
  shortNames: ['deploy'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.apps.v1.Deployment',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [
    nameColumn(),
    { name: 'Ready', type: 'string', value: d => `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}` },
    { name: 'Up-to-date', type: 'string', value: d => d.status?.updatedReplicas ?? 0 },
    { name: 'Available', type: 'string', value: d => d.status?.availableReplicas ?? 0 },
    ageColumn(),
    ...workloadColumns<Deployment>(),
  ],
  menu: { area: 'workloads', order: 20 },
  setDefaults,
  prepareForCreate(deployment) {
    deployment.status = {}
  },
  validate(deployment, at) {
    const spec = deployment.spec ?? ({} as DeploymentSpec)
    const path = at.child('spec')
    const faults: FieldErrorList = nonNegative(spec.replicas, path.child('replicas'))
    faults.push(...selectorAndTemplateFaults(spec.selector, spec.template, path, { empty: 'deployment', template: 'ReplicaSet' }))
    faults.push(
      ...strategyFaults(spec, path.child('strategy')),
      ...nonNegative(spec.minReadySeconds, path.child('minReadySeconds')),
      ...nonNegative(spec.revisionHistoryLimit, path.child('revisionHistoryLimit')),
    )
    const deadline = spec.progressDeadlineSeconds
    if (deadline !== undefined) {
      faults.push(...nonNegative(deadline, path.child('progressDeadlineSeconds')))
      if (deadline <= (spec.minReadySeconds ?? 0)) faults.push(invalidValue(path.child('progressDeadlineSeconds'), deadline, progressDeadlineText))
    }
    return faults
  },
  validateUpdate: selectorImmutable,
  validateStatusUpdate: (next, previous, at) => [
    ...statusCountFaults(
      next.status as Record<string, unknown> | undefined,
      [
        ['updatedReplicas', 'replicas'],
        ['readyReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
        ['availableReplicas', 'readyReplicas'],
      ],
      at.child('status'),
    ),
    ...collisionCountFaults(next.status?.collisionCount, previous.status?.collisionCount, at.child('status', 'collisionCount')),
  ],
  warnings: templateWarnings,
})
