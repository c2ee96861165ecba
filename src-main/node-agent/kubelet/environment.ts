/** A container's environment: envFrom, env, and the variables of services. Pure but for the given readers. */
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from '../../api/generated/core-v1.ts'
import { expand } from './expansion.ts'
import { fieldValue, resourceValue } from './field-references.ts'
import type { NodeAllocatable, PodAddresses } from './field-references.ts'

export interface EnvironmentSources {
  /** Undefined where there is none. Throws where it cannot be known now. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>
  secret(namespace: string, name: string): Promise<Secret | undefined>
  services(): Iterable<Service>
  readonly addresses: PodAddresses
  readonly allocatable: NodeAllocatable
}

/** Thrown for a reference that cannot be resolved: the container waits with reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

/** Printable ASCII without `=`. */
const variableName = /^[ -<>-~]+$/

/** In the order in which they are set; later ones win. */
export async function environmentOf(pod: Pod, container: Container, sources: EnvironmentSources): Promise<Map<string, string>> {
  const env = new Map<string, string>()
  const namespace = pod.metadata.namespace ?? ''
  const services = serviceVariables(sources.services(), namespace, pod.spec?.enableServiceLinks ?? true)
  for (const source of container.envFrom ?? []) {
    const data = source.configMapRef
      ? await dataOf('configmap', () => sources.configMap(namespace, source.configMapRef?.name ?? ''), source.configMapRef)
      : await dataOf('secret', () => sources.secret(namespace, source.secretRef?.name ?? ''), source.secretRef)
    for (const [key, text] of Object.entries(data ?? {})) {
      const name = (source.prefix ?? '') + key
      if (variableName.test(name)) env.set(name, text)
    }
  }
  for (const variable of container.env ?? []) {
    const value = await variableValue(pod, container, variable, sources, name => env.get(name) ?? services.get(name))
    if (value !== undefined) env.set(variable.name, value)
  }
  // Variables of services never override declared ones.
  for (const [name, value] of services) if (!env.has(name)) env.set(name, value)
  return env
}

async function variableValue(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  sources: EnvironmentSources,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  const from = variable.valueFrom
  if (!from) return expand(variable.value ?? '', lookup)
  const namespace = pod.metadata.namespace ?? ''
  if (from.fieldRef) return fieldValue(pod, from.fieldRef, sources.addresses)
  if (from.resourceFieldRef) return resourceValue(pod, container, from.resourceFieldRef, sources.allocatable)
  const reference = from.configMapKeyRef ?? from.secretKeyRef
  if (!reference) return ''
  const what = from.configMapKeyRef ? 'ConfigMap' : 'Secret'
  const data = from.configMapKeyRef
    ? await dataOf('configmap', () => sources.configMap(namespace, reference.name ?? ''), reference)
    : await dataOf('secret', () => sources.secret(namespace, reference.name ?? ''), reference)
  if (data === undefined) return undefined
  if (!Object.hasOwn(data, reference.key)) {
    if (reference.optional) return undefined
    throw new ContainerConfigError(`couldn't find key ${reference.key} in ${what} ${namespace}/${reference.name ?? ''}`)
  }
  return data[reference.key]
}

async function dataOf(
  what: string,
  read: () => Promise<ConfigMap | Secret | undefined>,
  reference: { name?: string; optional?: boolean } | undefined,
): Promise<Record<string, string> | undefined> {
  const object = await read()
  if (!object) {
    if (reference?.optional) return undefined
    throw new ContainerConfigError(`${what} "${reference?.name ?? ''}" not found`)
  }
  if (what === 'configmap') return object.data ?? {}
  return Object.fromEntries(Object.entries(object.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString('utf8')]))
}

/** `REDIS_SERVICE_HOST` and the Docker-link variables; the kubernetes service is always there. */
export function serviceVariables(services: Iterable<Service>, namespace: string, links: boolean): Map<string, string> {
  const out = new Map<string, string>()
  const chosen = [...services].filter(service => {
    const ip = service.spec?.clusterIP
    if (!ip || ip === 'None') return false
    const isMaster = service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes'
    return isMaster || (links && service.metadata.namespace === namespace)
  })
  // The pod's own namespace wins over default/kubernetes.
  chosen.sort((a, b) => Number(a.metadata.namespace === namespace) - Number(b.metadata.namespace === namespace))
  for (const service of chosen) addServiceVariables(out, service)
  return out
}

function addServiceVariables(out: Map<string, string>, service: Service): void {
  const prefix = (service.metadata.name ?? '').toUpperCase().replaceAll('-', '_')
  const host = service.spec?.clusterIP ?? ''
  const ports = service.spec?.ports ?? []
  const first = ports[0]
  if (!first) return
  out.set(`${prefix}_SERVICE_HOST`, host)
  out.set(`${prefix}_SERVICE_PORT`, String(first.port))
  for (const port of ports) if (port.name) out.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port))
  const url = (port: { protocol?: string; port: number }): string => `${(port.protocol ?? 'TCP').toLowerCase()}://${host}:${port.port}`
  out.set(`${prefix}_PORT`, url(first))
  for (const port of ports) {
    const protocol = port.protocol ?? 'TCP'
    const key = `${prefix}_PORT_${port.port}_${protocol}`
    out.set(key, url(port))
    out.set(`${key}_PROTO`, protocol.toLowerCase())
    out.set(`${key}_PORT`, String(port.port))
    out.set(`${key}_ADDR`, host)
  }
}
