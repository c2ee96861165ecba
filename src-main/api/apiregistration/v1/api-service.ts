import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { FieldPath, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { APIService, APIServiceCondition, APIServiceSpec } from '../../generated/apiregistration-v1.ts'
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName, isPort } from '../../names.ts'
import { formatTime } from '../../time.ts'

export type { APIService, APIServiceCondition, APIServiceSpec }

const servicePort = 443
const maxGroupPriority = 20_000
const maxVersionPriority = 1_000

/** `v1.apps`; `v1.` for the core group. */
export function apiServiceName(group: string, version: string): string {
  return `${version}.${group}`
}

export function availableCondition(service: APIService): APIServiceCondition | undefined {
  return service.status?.conditions?.find(condition => condition.type === 'Available')
}

/** True for groups and versions that another server answers. */
export function isDelegated(service: APIService): boolean {
  return service.spec?.service !== undefined && service.spec.service !== null
}

function availabilityText(service: APIService): string {
  const condition = availableCondition(service)
  if (!condition) return 'Unknown'
  return condition.status === 'True' || !condition.reason ? condition.status : `${condition.status} (${condition.reason})`
}

function specFaults(spec: APIServiceSpec, at: FieldPath): FieldErrorList {
  const { group = '', version = '' } = spec
  const faults: FieldErrorList = []
  if (group === '' && version !== 'v1') faults.push(required(at.child('group'), 'only v1 may have an empty group and it better be legacy kube'))
  if (group !== '') for (const text of isDns1123Subdomain(group)) faults.push(invalidValue(at.child('group'), group, text))
  for (const text of isDns1035Label(version)) faults.push(invalidValue(at.child('version'), version, text))
  const priority = (field: 'groupPriorityMinimum' | 'versionPriority', max: number): void => {
    const value = spec[field] ?? 0
    if (value <= 0 || value > max) faults.push(invalidValue(at.child(field), value, `must be positive and less than ${max}`))
  }
  priority('groupPriorityMinimum', maxGroupPriority)
  priority('versionPriority', maxVersionPriority)
  return [...faults, ...connectionFaults(spec, at)]
}

function connectionFaults(spec: APIServiceSpec, at: FieldPath): FieldErrorList {
  const { service, caBundle = '', insecureSkipTLSVerify = false } = spec
  const skip = at.child('insecureSkipTLSVerify')
  if (!service) {
    const size = caBundle === '' ? 0 : (caBundle.length / 4) * 3 - (caBundle.endsWith('==') ? 2 : caBundle.endsWith('=') ? 1 : 0)
    return [
      ...(caBundle === '' ? [] : [invalidValue(at.child('caBundle'), `${size} bytes`, 'local APIServices may not have a caBundle')]),
      ...(insecureSkipTLSVerify ? [invalidValue(skip, true, 'local APIServices may not have insecureSkipTLSVerify')] : []),
    ]
  }
  const place = at.child('service')
  const portTexts = isPort(service.port ?? 0)
  return [
    ...(service.namespace ? [] : [required(place.child('namespace'), '')]),
    ...(service.name ? [] : [required(place.child('name'), '')]),
    ...(portTexts.length > 0 ? [invalidValue(place.child('port'), service.port ?? 0, `port is not valid: ${portTexts.join(', ')}`)] : []),
    ...(insecureSkipTLSVerify && caBundle !== '' ? [invalidValue(skip, true, 'may not be true if caBundle is present')] : []),
  ]
}

function nameFaults(service: APIService): FieldErrorList {
  const name = service.metadata.name ?? ''
  if (name === '' || isPathSegmentName(name).length > 0) return []
  const wanted = apiServiceName(service.spec?.group ?? '', service.spec?.version ?? '')
  return name === wanted ? [] : [invalidValue(FieldPath.root('metadata').child('name'), name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`)]
}

export const apiServices = defineResource<APIService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  scope: 'Cluster',
  categories: ['api-extensions'],
  subresources: { status: true },
  schema: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
  columns: [
    nameColumn(),
    { name: 'Service', type: 'string', value: o => (o.spec?.service ? `${o.spec.service.namespace ?? ''}/${o.spec.service.name ?? ''}` : 'Local') },
    { name: 'Available', type: 'string', value: availabilityText },
    ageColumn(),
  ],
  validateName: isPathSegmentName,
  setDefaults(service) {
    if (service.spec?.service) service.spec.service.port ??= servicePort
  },
  prepareForCreate(service, context) {
    service.status = isDelegated(service)
      ? {}
      : { conditions: [{ type: 'Available', status: 'True', lastTransitionTime: formatTime(context.now), reason: 'Local', message: 'Local APIServices are always available' }] }
  },
  validate: service => [...nameFaults(service), ...specFaults(service.spec ?? { groupPriorityMinimum: 0, versionPriority: 0 }, FieldPath.root('spec'))],
  validateStatusUpdate: service =>
    (service.status?.conditions ?? []).flatMap((condition, i) =>
      ['True', 'False', 'Unknown'].includes(condition.status)
        ? []
        : [notSupported(FieldPath.root('status').child('conditions').index(i).child('status'), condition.status, ['True', 'False', 'Unknown'])],
    ),
  menu: { area: 'access', order: 130 },
})
