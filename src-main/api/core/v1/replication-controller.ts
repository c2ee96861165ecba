import { defineResource } from '../../resource.ts'
import { ageColumn, containerColumns, labelsText, nameColumn } from '../../columns.ts'
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ReplicationController, ReplicationControllerSpec } from '../../generated/core-v1.ts'
import { labelMapMatches } from '../../selectors.ts'
import { nonNegative, sortedKeys } from '../../validation.ts'
import { setPodTemplateDefaults } from './pod-defaults.ts'
import { podTemplateFaults } from './pod-validation.ts'

export type { ReplicationController }

export const replicationControllers = defineResource<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  scope: 'Namespaced',
  shortNames: ['rc'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.core.v1.ReplicationController',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [
    nameColumn(),
    { name: 'Desired', type: 'integer', value: r => r.spec?.replicas ?? 0 },
    { name: 'Current', type: 'integer', value: r => r.status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', value: r => r.status?.readyReplicas ?? 0 },
    ageColumn(),
    ...containerColumns<ReplicationController>(r => r.spec?.template?.spec),
    { name: 'Selector', type: 'string', priority: 1, value: r => labelsText(r.spec?.selector) },
  ],
  menu: { area: 'workloads', order: 80 },
  fields: { 'status.replicas': r => String(r.status?.replicas ?? 0) },
  setDefaults(controller) {
    const spec = controller.spec
    const labels = spec?.template?.metadata?.labels
    if (labels !== undefined && spec !== undefined) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
      if (Object.keys(controller.metadata.labels ?? {}).length === 0) controller.metadata.labels = { ...labels }
    }
    if (spec === undefined) return
    spec.replicas ??= 1
    setPodTemplateDefaults(spec.template)
  },
  prepareForCreate(controller) {
    controller.status = { replicas: 0 }
  },
  validate(controller, at) {
    const spec: ReplicationControllerSpec = controller.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = nonNegative(spec.minReadySeconds, path.child('minReadySeconds'))
    if (Object.keys(spec.selector ?? {}).length === 0) faults.push(required(path.child('selector'), ''))
    faults.push(...nonNegative(spec.replicas, path.child('replicas')))
    const template = path.child('template')
    if (spec.template === undefined) return [...faults, required(template, '')]
    if (Object.keys(spec.selector ?? {}).length > 0 && !labelMapMatches(spec.selector, spec.template.metadata?.labels))
      faults.push(invalidValue(template.child('metadata', 'labels'), sortedKeys(spec.template.metadata?.labels), '`selector` does not match template `labels`'))
    faults.push(...podTemplateFaults(spec.template, template))
    if (spec.template.spec?.restartPolicy !== 'Always') faults.push(notSupported(template.child('spec', 'restartPolicy'), spec.template.spec?.restartPolicy ?? '', ['Always']))
    return faults
  },
})
