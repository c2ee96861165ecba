import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from '../../generated/networking-v1.ts'
import { isDns1123Subdomain, isIP, isPortName, isWildcardDns1123Subdomain } from '../../names.ts'
import { isDns1035Label } from '../../names.ts'
import { nameFaults, portFaults } from '../../validation.ts'

export type { Ingress }

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const classAnnotation = 'kubernetes.io/ingress.class'
const forbiddenSequences = ['//', '/./', '/../', '%2f', '%2F']
const forbiddenEnds = ['/..', '/.']

function hostsText(ingress: Ingress): string {
  const hosts = (ingress.spec?.rules ?? []).map(rule => rule.host ?? '').filter(host => host !== '')
  if (hosts.length === 0) return '*'
  return hosts.length > 3 ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...` : hosts.join(',')
}

function addressText(ingress: Ingress): string {
  return (ingress.status?.loadBalancer?.ingress ?? [])
    .map(i => i.ip || i.hostname || '')
    .filter(text => text !== '')
    .join(',')
}

function hostFaults(host: string, path: FieldPath): FieldErrorList {
  if (isIP(host).length === 0) return [invalidValue(path, host, 'must be a DNS name, not an IP address')]
  return nameFaults(host, path, host.includes('*') ? isWildcardDns1123Subdomain : isDns1123Subdomain)
}

function backendFaults(backend: IngressBackend | undefined, at: FieldPath): FieldErrorList {
  const { service, resource } = backend ?? {}
  if (service !== undefined && resource !== undefined) return [invalidValue(at, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) {
    const path = at.child('resource')
    return [...(resource.kind ? [] : [required(path.child('kind'), '')]), ...(resource.name ? [] : [required(path.child('name'), '')])]
  }
  if (service === undefined) return [invalidValue(at, '', 'resource or service backend is required')]
  const path = at.child('service')
  const faults: FieldErrorList = service.name ? nameFaults(service.name, path.child('name'), isDns1035Label) : [required(path.child('name'), '')]
  const { name, number } = service.port ?? {}
  if (name && number) faults.push(invalidValue(at, '', 'cannot set both port name & port number'))
  else if (name) faults.push(...isPortName(name).map(text => invalidValue(path.child('port', 'name'), name, text)))
  else if (number) faults.push(...portFaults(number, path.child('port', 'number')))
  else faults.push(required(at, 'port name or number is required'))
  return faults
}

function pathFaults(item: HTTPIngressPath, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const path = item.path ?? ''
  const type: string | undefined = item.pathType
  if (type === undefined) return [required(at.child('pathType'), 'pathType must be specified')]
  if (!pathTypes.includes(type)) faults.push(notSupported(at.child('pathType'), type, pathTypes))
  else if (type === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) faults.push(invalidValue(at.child('path'), path, 'must be an absolute path'))
  } else {
    if (!path.startsWith('/')) faults.push(invalidValue(at.child('path'), path, 'must be an absolute path'))
    if (path !== '') {
      for (const sequence of forbiddenSequences) if (path.includes(sequence)) faults.push(invalidValue(at.child('path'), path, `must not contain '${sequence}'`))
      for (const end of forbiddenEnds) if (path.endsWith(end)) faults.push(invalidValue(at.child('path'), path, `cannot end with '${end}'`))
    }
  }
  return [...faults, ...backendFaults(item.backend, at.child('backend'))]
}

function ruleFaults(rule: IngressRule, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = rule.host ? hostFaults(rule.host, at.child('host')) : []
  if (rule.http === undefined) return faults
  const path = at.child('http', 'paths')
  const paths = rule.http.paths ?? []
  if (paths.length === 0) faults.push(required(path, ''))
  for (const [i, item] of paths.entries()) faults.push(...pathFaults(item, path.index(i)))
  return faults
}

export const ingresses = defineResource<Ingress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  scope: 'Namespaced',
  shortNames: ['ing'],
  generation: true,
  schema: 'io.k8s.api.networking.v1.Ingress',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Class', type: 'string', value: i => i.spec?.ingressClassName ?? i.metadata.annotations?.[classAnnotation] ?? none },
    { name: 'Hosts', type: 'string', value: hostsText },
    { name: 'Address', type: 'string', value: addressText },
    { name: 'Ports', type: 'string', value: i => ((i.spec?.tls?.length ?? 0) > 0 ? '80, 443' : '80') },
    ageColumn(),
  ],
  menu: { area: 'network', order: 40 },
  setDefaults(ingress) {
    ingress.spec ??= {}
    ;(ingress.status ??= {}).loadBalancer ??= {}
  },
  prepareForCreate(ingress) {
    ingress.status = { loadBalancer: {} }
  },
  validate(ingress, at) {
    const spec = ingress.spec ?? {}
    const path = at.child('spec')
    const faults: FieldErrorList = []
    if ((spec.rules?.length ?? 0) === 0 && spec.defaultBackend === undefined)
      faults.push(invalidValue(path, spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified'))
    if (spec.defaultBackend !== undefined) faults.push(...backendFaults(spec.defaultBackend, path.child('defaultBackend')))
    for (const [i, rule] of (spec.rules ?? []).entries()) faults.push(...ruleFaults(rule, path.child('rules').index(i)))
    for (const [i, tls] of (spec.tls ?? []).entries()) {
      const at = path.child('tls').index(i)
      for (const [j, host] of (tls.hosts ?? []).entries())
        faults.push(...nameFaults(host, at.child('hosts').index(j), host.includes('*') ? isWildcardDns1123Subdomain : isDns1123Subdomain))
      if (tls.secretName) faults.push(...nameFaults(tls.secretName, at.child('secretName'), isDns1123Subdomain))
    }
    if (spec.ingressClassName !== undefined) faults.push(...nameFaults(spec.ingressClassName, path.child('ingressClassName'), isDns1123Subdomain))
    return faults
  },
  warnings: ingress =>
    Object.hasOwn(ingress.metadata.annotations ?? {}, classAnnotation) ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`] : [],
})
