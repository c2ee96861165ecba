import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { IngressClass } from '../../generated/networking-v1.ts'
import { immutable } from '../../validation.ts'

export type { IngressClass }

const maxController = 250

function parametersText(ingressClass: IngressClass): string {
  const parameters = ingressClass.spec?.parameters
  if (parameters === undefined) return none
  return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`
}

export const ingressClasses = defineResource<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  scope: 'Cluster',
  generation: true,
  schema: 'io.k8s.api.networking.v1.IngressClass',
  columns: [nameColumn(), { name: 'Controller', type: 'string', value: c => c.spec?.controller ?? '' }, { name: 'Parameters', type: 'string', value: parametersText }, ageColumn()],
  menu: { area: 'network', order: 50 },
  setDefaults(ingressClass) {
    ingressClass.spec ??= {}
    if (ingressClass.spec.parameters !== undefined) ingressClass.spec.parameters.scope ??= 'Cluster'
  },
  validate(ingressClass, at) {
    const path = at.child('spec', 'controller')
    const controller = ingressClass.spec?.controller ?? ''
    const faults: FieldErrorList = []
    if (controller.length > maxController) faults.push({ type: 'FieldValueTooLong', field: path.toString(), message: `Too long: may not be more than ${maxController} bytes` })
    if (controller === '') faults.push(required(path, ''))
    else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/.+$/.test(controller))
      faults.push(invalidValue(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    const parameters = ingressClass.spec?.parameters
    if (parameters === undefined) return faults
    const where = at.child('spec', 'parameters')
    if (!parameters.kind) faults.push(required(where.child('kind'), 'kind is required'))
    if (!parameters.name) faults.push(required(where.child('name'), 'name is required'))
    if (parameters.scope !== 'Cluster' && parameters.scope !== 'Namespace') faults.push(notSupported(where.child('scope'), parameters.scope ?? '', ['Cluster', 'Namespace']))
    if (parameters.scope === 'Namespace' && !parameters.namespace) faults.push(required(where.child('namespace'), "`parameters.scope` is set to 'Namespace'"))
    if (parameters.scope === 'Cluster' && parameters.namespace !== undefined) faults.push(forbiddenField(where.child('namespace'), "`parameters.scope` is set to 'Cluster'"))
    return faults
  },
  validateUpdate: (next, previous, at) => immutable(next.spec?.controller, previous.spec?.controller, at.child('spec', 'controller')),
})
