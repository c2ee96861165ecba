import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ReplicaSet, ReplicaSetSpec } from '../../generated/apps-v1.ts'
import { setPodTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { nonNegative } from '../../validation.ts'
import { selectorAndTemplateFaults, selectorImmutable, statusCountFaults, templateWarnings, workloadColumns } from './workload.ts'

export type { ReplicaSet }

export const replicaSets = defineResource<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  scope: 'Namespaced',
  shortNames: ['rs'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  subresources: { status: true, scale: { replicas: 'spec.replicas', current: 'status.replicas', selector: 'spec.selector' } },
  columns: [
    nameColumn(),
    { name: 'Desired', type: 'integer', value: r => r.spec?.replicas ?? 0 },
    { name: 'Current', type: 'integer', value: r => r.status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', value: r => r.status?.readyReplicas ?? 0 },
    ageColumn(),
    ...workloadColumns<ReplicaSet>(),
  ],
  menu: { area: 'workloads', order: 30 },
  setDefaults(set) {
    if (set.spec === undefined) return
    set.spec.replicas ??= 1
    setPodTemplateDefaults(set.spec.template)
  },
  prepareForCreate(set) {
    set.status = { replicas: 0 }
  },
  validate(set, at) {
    const spec = set.spec ?? ({} as ReplicaSetSpec)
    const path = at.child('spec')
    const faults: FieldErrorList = [...nonNegative(spec.replicas, path.child('replicas')), ...nonNegative(spec.minReadySeconds, path.child('minReadySeconds'))]
    return [...faults, ...selectorAndTemplateFaults(spec.selector, spec.template, path, { empty: 'deployment', template: 'ReplicaSet' })]
  },
  validateUpdate: selectorImmutable,
  validateStatusUpdate: (next, _previous, at) =>
    statusCountFaults(
      next.status as Record<string, unknown> | undefined,
      [
        ['fullyLabeledReplicas', 'replicas'],
        ['readyReplicas', 'replicas'],
        ['availableReplicas', 'replicas'],
        ['availableReplicas', 'readyReplicas'],
      ],
      at.child('status'),
    ),
  warnings: templateWarnings,
})
