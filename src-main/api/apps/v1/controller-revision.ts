import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { ControllerRevision } from '../../generated/apps-v1.ts'
import { immutable, immutableText } from '../../validation.ts'

export type { ControllerRevision }

function controllerText(revision: ControllerRevision): string {
  const owner = revision.metadata.ownerReferences?.find(o => o.controller === true)
  if (owner === undefined) return none
  const [group] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : ['']
  return `${owner.kind.toLowerCase()}${group ? `.${group}` : ''}/${owner.name}`
}

export const controllerRevisions = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [nameColumn(), { name: 'Controller', type: 'string', value: controllerText }, { name: 'Revision', type: 'string', value: r => r.revision ?? 0 }, ageColumn()],
  validate(revision, at) {
    const faults: FieldErrorList = []
    const data: unknown = revision.data
    if (data === undefined || data === null) faults.push(required(at.child('data'), 'data is mandatory'))
    else if (typeof data !== 'object' || Array.isArray(data)) faults.push(required(at.child('data'), 'data must be a valid JSON object'))
    if ((revision.revision ?? 0) < 0) faults.push(invalidValue(at.child('revision'), revision.revision, 'must be greater than or equal to 0'))
    return faults
  },
  validateUpdate: (next, previous, at) =>
    immutable(next.data, previous.data, at.child('data')).map(fault => ({
      ...fault,
      message: fault.message.replace(/^.*$/s, `Invalid value: ${JSON.stringify(next.data ?? null)}: ${immutableText}`),
    })),
})
