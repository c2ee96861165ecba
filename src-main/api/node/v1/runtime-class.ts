import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { RuntimeClass } from '../../generated/node-v1.ts'
import { quantityFaults } from '../../core/v1/resource-validation.ts'
import { tolerationsFaults } from '../../core/v1/scheduling-validation.ts'
import { immutable, labelFaults, labelsFaults } from '../../validation.ts'

export type { RuntimeClass }

export const runtimeClasses = defineResource<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  scope: 'Cluster',
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  columns: [nameColumn(), { name: 'Handler', type: 'string', value: r => r.handler ?? '' }, ageColumn()],
  menu: { area: 'config', order: 80 },
  validate(runtime, at) {
    const faults: FieldErrorList = runtime.handler ? labelFaults(runtime.handler, at.child('handler')) : [required(at.child('handler'), '')]
    for (const [name, text] of Object.entries(runtime.overhead?.podFixed ?? {})) faults.push(...quantityFaults(name, text, at.child('overhead', 'podFixed').key(name)))
    faults.push(
      ...labelsFaults(runtime.scheduling?.nodeSelector, at.child('scheduling', 'nodeSelector')),
      ...tolerationsFaults(runtime.scheduling?.tolerations, at.child('scheduling', 'tolerations')),
    )
    return faults
  },
  validateUpdate: (next, previous, at) => immutable(next.handler, previous.handler, at.child('handler')),
})
